package storetest

import (
	"reflect"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

func TestObservedMemory(t *testing.T) {
	Run(t, func(*testing.T) dialogstore.Store {
		return dialogstore.Observe(dialogstore.NewMemory())
	})
}

// A field that is zero in the sample is a field that no check covers.
func TestFilledHasNoZeroField(t *testing.T) {
	d := filled()
	for _, l := range leaves(reflect.ValueOf(&d).Elem()) {
		if l.value.IsZero() {
			t.Errorf("%s of the filled dialog is zero, want a sample", l.name)
		}
	}
	if d.ID != bare().ID || d.Version == 0 {
		t.Errorf("the filled dialog is %v, version %d, want it named as the bare one", d.ID, d.Version)
	}
}

// Two fields of one type with the same sample could be mixed up unnoticed;
// booleans and enumerations are told apart one at a time.
func TestFilledHasDistinctSamples(t *testing.T) {
	d := filled()
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

// recorder takes the place of a test that is expected to fail.
type recorder struct {
	testing.TB
	failed chan struct{}
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(string, ...any) {
	select {
	case r.failed <- struct{}{}:
	default:
	}
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(r) // ends the check alone
}

// fails runs the check against a store and reports whether it found fault.
func fails(t *testing.T, c check, s dialogstore.Store) bool {
	r := &recorder{t, make(chan struct{}, 1)}
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(r) {
				panic(p)
			}
		}()
		c.run(r, s)
	}()
	return len(r.failed) > 0
}

func checkNamed(t *testing.T, name string) check {
	t.Helper()
	for _, c := range checks() {
		if c.name == name {
			return c
		}
	}
	t.Fatalf("there is no check %q", name)
	return check{}
}

func TestChecksFindFaults(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			for _, name := range f.found {
				c := checkNamed(t, name)
				if !fails(t, c, f.in(dialogstore.NewMemory())) {
					t.Errorf("check %q passes a store with this fault, want it found", name)
				}
				if fails(t, c, dialogstore.NewMemory()) {
					t.Errorf("check %q finds fault with Memory, want none", name)
				}
			}
		})
	}
}

// A check that no fault can fail proves nothing.
func TestEachCheckFindsAFault(t *testing.T) {
	found := make(map[string]bool)
	for _, f := range faults {
		for _, name := range f.found {
			found[name] = true
		}
	}
	for _, c := range checks() {
		if !found[c.name] {
			t.Errorf("no fault is known that check %q finds", c.name)
		}
	}
}
