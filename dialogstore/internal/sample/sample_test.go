package sample

import (
	"reflect"
	"testing"
)

// A field that is zero in the sample is a field that no check covers.
func TestFilledHasNoZeroField(t *testing.T) {
	d := Filled()
	for _, l := range leaves(reflect.ValueOf(&d).Elem()) {
		if l.value.IsZero() {
			t.Errorf("%s of the filled dialog is zero, want a sample", l.name)
		}
	}
	if d.ID != Bare().ID || d.Version == 0 {
		t.Errorf("the filled dialog is %v, version %d, want it named as the bare one", d.ID, d.Version)
	}
}

// Two fields of one type with the same sample could be mixed up unnoticed;
// booleans and enumerations are told apart one at a time.
func TestFilledHasDistinctSamples(t *testing.T) {
	d := Filled()
	taken := make(map[any]string)
	for _, l := range leaves(reflect.ValueOf(&d).Elem()) {
		k := l.value.Kind()
		if k == reflect.Bool || k == reflect.Uint8 || k == reflect.Slice {
			continue
		}
		if other, ok := taken[l.value.Interface()]; ok {
			t.Errorf("%s and %s have the same sample", l.name, other)
		}
		taken[l.value.Interface()] = l.name
	}
}

func TestSampleRefusesUnknownKind(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a field of a kind without a sample goes unnoticed, want a panic")
		}
	}()
	sample(leaf{"Field", reflect.ValueOf(new(map[string]int)).Elem()}, 1)
}
