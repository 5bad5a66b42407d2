package dialogstore

import (
	"fmt"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// field is one of a Dialog, also of those within others.
type field struct {
	name string
	at   []int
}

func fieldsOf(v reflect.Type, within field) (all []field) {
	for i := range v.NumField() {
		f := v.Field(i)
		at := field{within.name + "." + f.Name, append(within.at[:len(within.at):len(within.at)], i)}
		if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]() {
			all = append(all, fieldsOf(f.Type, at)...)
		} else {
			all = append(all, at)
		}
	}
	return all
}

// set makes the field of d something that no other one is.
func (f field) set(d *Dialog) {
	n := len(f.name)
	switch v := reflect.ValueOf(d).Elem().FieldByIndex(f.at); v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(int64(n), 7)))
	case []byte:
		v.SetBytes([]byte(f.name))
	case []string:
		v.Set(reflect.ValueOf([]string{f.name, "second"}))
	default:
		switch {
		case v.Kind() == reflect.String:
			v.SetString(f.name)
		case v.Kind() == reflect.Bool:
			v.SetBool(true)
		case v.CanInt():
			v.SetInt(int64(n))
		case v.CanUint():
			v.SetUint(uint64(n))
		default:
			panic(fmt.Sprintf("a field of type %v", v.Type()))
		}
	}
}

// A record is its dialog, with any of its fields, one or all: also those of later versions. With
// another state it has that state and its own origin.
func TestRecordIsItsDialog(t *testing.T) {
	var full Dialog
	fields := fieldsOf(reflect.TypeFor[Dialog](), field{})
	for _, f := range fields {
		f.set(&full)
	}
	if diff := cmp.Diff(full, newRecord(&full).dialog()); diff != "" {
		t.Errorf("with all fields (-want +got):\n%s", diff)
	}
	for _, f := range fields {
		var d Dialog
		f.set(&d)
		r := newRecord(&d)
		if diff := cmp.Diff(d, r.dialog()); diff != "" {
			t.Errorf("with %s alone (-want +got):\n%s", f.name, diff)
		}
		for _, next := range []State{full.State, {}} {
			want := Dialog{d.Origin, next}
			if diff := cmp.Diff(want, r.with(&d.Origin, &next).dialog()); diff != "" {
				t.Errorf("another state after %s (-want +got):\n%s", f.name, diff)
			}
		}
		if diff := cmp.Diff(d, r.dialog()); diff != "" {
			t.Errorf("the record itself has changed (-want +got):\n%s", diff)
		}
	}
}

// However the places of a call resemble each other, each comes back as it was.
func TestRecordKeepsPlaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		place := rapid.SampledFrom([]string{"", "a", "ab", "b", "ba", "bab", "abba"})
		draw := func(d *Dialog) {
			for _, p := range []*string{&d.RemoteTarget, &d.Destination, &d.Source, &d.Answered} {
				*p = place.Draw(t, "place")
			}
		}
		d := Dialog{Origin: Origin{LocalURI: place.Draw(t, "our URI"), RemoteURI: place.Draw(t, "their URI")}}
		draw(&d)
		r := newRecord(&d)
		for range 3 {
			if diff := cmp.Diff(d, r.dialog()); diff != "" {
				t.Fatalf("-want +got:\n%s", diff)
			}
			draw(&d)
			r = r.with(&d.Origin, &d.State)
		}
	})
}

// A place that the Request-URI names takes no memory of its own, and a state with the same texts
// none at all.
func TestRecordSharesTexts(t *testing.T) {
	d := Dialog{
		Origin: Origin{LocalURI: "<sip:us@h>;tag=l", RemoteURI: "<sip:them@h>;tag=r"},
		State:  State{RemoteTarget: "sip:them@192.0.2.7:5060", Source: "192.0.2.7:5060", Answered: "192.0.2.7:5060", Contact: "<sip:us@h>"},
	}
	r := newRecord(&d)
	if want := d.LocalURI + d.RemoteURI + d.RemoteTarget; r.uris.text != want {
		t.Errorf("it keeps %q, want %q", r.uris.text, want)
	}
	d.LocalCSeq++
	next := r.with(&d.Origin, &d.State)
	if unsafe.StringData(next.uris.text) != unsafe.StringData(r.uris.text) || next.common != r.common || next.contact != r.contact {
		t.Error("a state with the same texts has copies of them")
	}
	d.Answered = "198.51.100.9:5060"
	if next = next.with(&d.Origin, &d.State); next.uris.text != r.uris.text+d.Answered {
		t.Errorf("with a place of its own it keeps %q", next.uris.text)
	}
}

// An append to a slice of a dialog never writes to what another one sees.
func TestRecordClipsSlices(t *testing.T) {
	spare := func(s string) []byte { return append(make([]byte, 0, 64), s...) }
	d := Dialog{
		Origin: Origin{RouteSet: append(make([]string, 0, 4), "<sip:a;lr>")},
		State:  State{SDP: spare("ours"), PeerSDP: spare("theirs")},
	}
	got := newRecord(&d).dialog()
	if cap(got.SDP) != len("ours") || cap(got.PeerSDP) != len("theirs") || cap(got.RouteSet) != 1 {
		t.Errorf("there is room behind what was stored: %d, %d, %d", cap(got.SDP), cap(got.PeerSDP), cap(got.RouteSet))
	}
	d.RouteSet = d.RouteSet[:0]
	if r := newRecord(&d); r.routes != nil || r.dialog().RouteSet != nil {
		t.Error("an empty route set takes memory")
	}
}

// Began keeps its nanoseconds, also before 1970; zero stays zero.
func TestRecordBegan(t *testing.T) {
	for _, began := range []time.Time{{}, time.Unix(0, 1), time.Unix(-1, 999), time.Date(2262, 1, 1, 0, 0, 0, 5, time.UTC)} {
		d := Dialog{Origin: Origin{Began: began}}
		if got := newRecord(&d).dialog().Began; !got.Equal(began) || got.IsZero() != began.IsZero() {
			t.Errorf("%v comes back as %v", began, got)
		}
	}
}
