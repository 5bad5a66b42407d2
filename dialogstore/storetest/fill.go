package storetest

import (
	"fmt"
	"reflect"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// moment has nanoseconds and a zone, which a store may drop as long as it
// stays the same moment.
var moment = time.Date(2026, time.March, 1, 12, 30, 15, 123456789, time.FixedZone("", 3600))

// bare is a dialog with nothing but its name. Version is what
// [dialogstore.Observed] sets, so that the suite fits an observed store too.
func bare() dialogstore.Dialog {
	return dialogstore.Dialog{
		ID:      dialogstore.ID{CallID: "call@host.example", LocalTag: "local", RemoteTag: "remote"},
		Version: 1,
	}
}

// filled is a dialog without a zero field. It goes by reflection, so that a
// field that comes to Dialog is covered from then on.
func filled() dialogstore.Dialog {
	d := bare()
	for i, l := range leaves(reflect.ValueOf(&d).Elem()) {
		l.value.Set(sample(l, i+1))
	}
	return d
}

// leaf is a field that is not a struct of further fields.
type leaf struct {
	name  string
	value reflect.Value
}

// leaves are the fields of v, and of the structs in it, in order. The name of
// the dialog and its Version are none.
func leaves(v reflect.Value) []leaf {
	var found []leaf
	for i := range v.NumField() {
		f := leaf{v.Type().Field(i).Name, v.Field(i)}
		switch {
		case f.value.Type() == reflect.TypeFor[dialogstore.ID](), f.name == "Version":
		case f.value.Kind() == reflect.Struct && f.value.Type() != reflect.TypeFor[time.Time]():
			found = append(found, leaves(f.value)...)
		default:
			found = append(found, f)
		}
	}
	return found
}

// sample is a value for the n-th leaf, different for each where its type has
// room for it.
func sample(l leaf, n int) reflect.Value {
	v := reflect.New(l.value.Type()).Elem()
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(moment.Add(time.Duration(n) * time.Hour)))
	case v.Kind() == reflect.String:
		v.SetString(l.name)
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.Kind() == reflect.Uint8:
		v.SetUint(1) // an enumeration: a name that surely exists
	case v.CanUint():
		v.SetUint(uint64(n))
	case v.CanInt():
		v.SetInt(int64(n) * int64(time.Second+time.Nanosecond))
	case v.Kind() == reflect.Slice:
		// With room to spare, which an append to a shared slice would use.
		v.Set(reflect.MakeSlice(v.Type(), 0, 8))
		v.Set(reflect.Append(v, element(v.Type().Elem(), n), element(v.Type().Elem(), n+1)))
	default:
		panic(fmt.Sprintf("storetest: no sample for %s, a %v", l.name, v.Type()))
	}
	return v
}

// element is a value for an element of a slice, by number.
func element(t reflect.Type, n int) reflect.Value {
	if t.Kind() == reflect.String {
		return reflect.ValueOf(fmt.Sprint("element ", n)).Convert(t)
	}
	return reflect.ValueOf(byte(n)).Convert(t)
}
