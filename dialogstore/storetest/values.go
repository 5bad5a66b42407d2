package storetest

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// values is that a store gives back what it was given, and shares none of it.
var values = []check{
	{"every field", "Every field of a Dialog is stored without loss.", everyField},
	{"every field alone", "No field of a Dialog is taken for another, or set where it was not.", everyFieldAlone},
	{"extremes", "Large numbers, long and unusual texts and bytes are stored without loss.", extremes},
	{"copies", "Values go in and out by copy: a change or an append to one is seen nowhere else.", copies},
}

// everyField uses both ways in and all ways out.
func everyField(t testing.TB, s dialogstore.Store) {
	roundTrip(t, s, filled())
}

func everyFieldAlone(t testing.TB, s dialogstore.Store) {
	for i := range leaves(reflect.ValueOf(new(dialogstore.Dialog)).Elem()) {
		from, d := filled(), bare()
		leaves(reflect.ValueOf(&d).Elem())[i].value.Set(leaves(reflect.ValueOf(&from).Elem())[i].value)
		roundTrip(t, s, d)
	}
}

func extremes(t testing.TB, s dialogstore.Store) {
	d := bare()
	d.LocalCSeq, d.RemoteCSeq = math.MaxUint32, math.MaxInt32
	d.Session.Interval = math.MaxUint32 * time.Second
	d.Session.RefreshAfter = time.Nanosecond
	d.RemoteURI = `"Zoë \"Z\" <&> 日本" <sip:z%00@[2001:db8::1]:5060;x='1';transport=tcp?a=b&c=d>;tag=~!*`
	d.RouteSet = []string{"<sip:p1.example.com;lr>", "", "<sip:p1.example.com;lr>"}
	d.PeerSDP = make([]byte, 4<<10)
	for i := range d.PeerSDP {
		d.PeerSDP[i] = byte(i)
	}
	roundTrip(t, s, d)
	roundTrip(t, s, bare())
}

// roundTrip stores d by Create and by Update, and leaves the store as it was.
func roundTrip(t testing.TB, s dialogstore.Store, d dialogstore.Dialog) {
	t.Helper()
	mustCreate(t, s, d)
	wantLoad(t, s, d)
	d.Version++
	_, after, err := s.Update(t.Context(), d.ID, func(dialogstore.Dialog) (dialogstore.Dialog, error) { return d, nil })
	if err != nil {
		t.Fatalf("Update = %v, want no error", err)
	}
	wantSame(t, "after of Update", after, d)
	for got, err := range s.All(t.Context()) {
		if err != nil {
			t.Fatalf("All yields the error %v, want none", err)
		}
		wantSame(t, "All", got, d)
	}
	got, err := s.Delete(t.Context(), d.ID)
	if err != nil {
		t.Fatalf("Delete = %v, want no error", err)
	}
	wantSame(t, "Delete", got, d)
}

// copies appends to the slices of several copies. Elements that a copy has are
// read-only for both sides, so none is written to. The before of an Update is
// not asked: after was made of it and may share its slices.
func copies(t testing.TB, s dialogstore.Store) {
	mine := filled()
	mustCreate(t, s, mine)
	first, err1 := s.Load(t.Context(), mine.ID)
	second, err2 := s.Load(t.Context(), mine.ID)
	_, third, err3 := s.Update(t.Context(), mine.ID, func(d dialogstore.Dialog) (dialogstore.Dialog, error) {
		d.Version++
		return d, nil
	})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatalf("Load, Load, Update = %v, want no error", err)
	}
	taken := []*dialogstore.Dialog{&first, &second, &third}
	for i, d := range taken {
		scribble(d, i)
	}
	for i, d := range taken {
		want := filled()
		want.Version = d.Version
		scribble(&want, i)
		wantSame(t, "a copy that another copy was changed after", *d, want)
	}
	wantSame(t, "the value that Create was given", mine, filled())
	stored := filled()
	stored.Version = third.Version
	wantLoad(t, s, stored)
}

// scribble changes the fields of d, and adds to the end of its slices what only
// the n-th writer would.
func scribble(d *dialogstore.Dialog, n int) {
	for _, l := range leaves(reflect.ValueOf(d).Elem()) {
		if l.value.Kind() == reflect.Slice {
			l.value.Set(reflect.Append(l.value, element(l.value.Type().Elem(), n)))
			continue
		}
		if l.value.Kind() == reflect.String {
			l.value.SetString(string(rune('a' + n)))
			continue
		}
		l.value.SetZero()
	}
}
