// Package sample has dialogs for conformance suites: with all fields set, with only one of
// them set, with unusual values, and with IDs that are easily confused.
package sample

import (
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// moment has nanoseconds and a zone, which a store may drop as long as it
// stays the same moment.
var moment = time.Date(2026, time.March, 1, 12, 30, 15, 123456789, time.FixedZone("", 3600))

// Bare returns a dialog with only an ID. Version is the one that [dialogstore.Observed] sets,
// so that the suite works with an observed store too.
func Bare() dialogstore.Dialog {
	return dialogstore.Dialog{
		Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: "call@host.example", LocalTag: "local", RemoteTag: "remote"}},
		State:  dialogstore.State{Version: 1},
	}
}

// Filled returns a dialog without a zero field. It uses reflection, so that fields added to
// Dialog later are covered too.
func Filled() dialogstore.Dialog {
	d := Bare()
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

// leaves returns the fields of v, and of the structs in it, in order, except for the ID of
// the dialog and its Version.
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

// sample returns a value for the n-th leaf, different for each if the type allows it.
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
		panic(fmt.Sprintf("sample: no value for %s, a %v", l.name, v.Type()))
	}
	return v
}

// element returns a value for the n-th element of a slice.
func element(t reflect.Type, n int) reflect.Value {
	if t.Kind() == reflect.String {
		return reflect.ValueOf(fmt.Sprint("element ", n)).Convert(t)
	}
	return reflect.ValueOf(byte(n)).Convert(t)
}

// Alone returns dialogs that have one field of [Filled] each.
func Alone() []dialogstore.Dialog {
	from := Filled()
	fields := leaves(reflect.ValueOf(&from).Elem())
	all := make([]dialogstore.Dialog, len(fields))
	for i := range all {
		all[i] = Bare()
		leaves(reflect.ValueOf(&all[i]).Elem())[i].value.Set(fields[i].value)
	}
	return all
}

// Extreme returns a dialog with large numbers, unusual texts, and every byte.
func Extreme() dialogstore.Dialog {
	d := Bare()
	d.LocalCSeq, d.RemoteCSeq = math.MaxUint32, math.MaxInt32
	d.Session.Interval = math.MaxUint32 * time.Second
	d.Session.RefreshAfter = time.Nanosecond
	d.RemoteURI = `"Zoë \"Z\" <&> 日本" <sip:z%00@[2001:db8::1]:5060;x='1';transport=tcp?a=b&c=d>;tag=~!*`
	d.RouteSet = []string{"<sip:p1.example.com;lr>", "", "<sip:p1.example.com;lr>"}
	d.PeerSDP = make([]byte, 4<<10)
	for i := range d.PeerSDP {
		d.PeerSDP[i] = byte(i)
	}
	return d
}

// AlikeIDs are IDs that a store confuses if it joins, case-folds or trims them. The
// separators are those that a tag may contain (RFC 3261 §25.1).
func AlikeIDs() []dialogstore.ID {
	same := []dialogstore.ID{
		{CallID: "c", LocalTag: "l", RemoteTag: "r"},
		{CallID: "c", LocalTag: "r", RemoteTag: "l"},
		{CallID: "C", LocalTag: "l", RemoteTag: "r"},
		{CallID: "c", LocalTag: "L", RemoteTag: "r"},
		{CallID: "c", LocalTag: "l", RemoteTag: "R"},
		{CallID: "c", LocalTag: "l"}, // RFC 3261 §12.1: a peer of RFC 2543 has no tag
		{CallID: "c@host/path:[x]?<y>{\"z\"}", LocalTag: "l", RemoteTag: "r"},
	}
	for _, sep := range "-.!%*_+`'~" {
		b := fmt.Sprintf("b%cb", sep)
		same = append(same,
			dialogstore.ID{CallID: b, LocalTag: "b", RemoteTag: "b"},
			dialogstore.ID{CallID: "b", LocalTag: b, RemoteTag: "b"},
			dialogstore.ID{CallID: "b", LocalTag: "b", RemoteTag: b})
	}
	return same
}

// Scribble changes the fields of d, and appends to its slices what only the n-th writer
// would. It does not change existing elements.
func Scribble(d *dialogstore.Dialog, n int) {
	for _, l := range leaves(reflect.ValueOf(d).Elem()) {
		switch l.value.Kind() {
		case reflect.Slice:
			l.value.Set(reflect.Append(l.value, element(l.value.Type().Elem(), n)))
		case reflect.String:
			l.value.SetString(string(rune('a' + n)))
		default:
			l.value.SetZero()
		}
	}
}
