package refresher

import (
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Pages are filled one after the other, and the slots before the present one are taken with
// all their calls.
func TestSlots(t *testing.T) {
	f := slots{pages: make(map[int64][][]farCall)}
	for i := range pageSize + 1 {
		f.put(3, farCall{since: int64(i)})
	}
	f.put(4, farCall{since: -1})
	if p := f.pages[3]; len(p) != 2 || len(p[0]) != pageSize || len(p[1]) != 1 || cap(p[1]) != pageSize {
		t.Errorf("%d pages, want one that is full and one with room for as many", len(p))
	}
	if p := f.pages[4]; cap(p[0]) != 1 {
		t.Errorf("a single call has room for %d", cap(p[0]))
	}
	if taken := f.take(3); len(taken) != 0 {
		t.Errorf("%d pages of slots before the first", len(taken))
	}
	n := 0
	for _, page := range f.take(4) {
		n += len(page)
	}
	if n != pageSize+1 || len(f.pages) != 1 || len(f.pages[4]) != 1 {
		t.Errorf("%d calls taken, %d slots left; want all of the first slot and the second left", n, len(f.pages))
	}
}

// A far call comes near between 10 s and the horizon before something is due, and is looked
// at after five minutes at the latest. One without a timer is in no slot.
func TestPutFar(t *testing.T) {
	for _, c := range []struct {
		due  time.Duration // after base
		slot int64
	}{
		{horizon + slot - 1, 0},
		{horizon + slot, 1},
		{horizon + longest, int64(longest / slot)},
		{time.Hour, int64(longest / slot)},
	} {
		s := New()
		s.clock = s.base
		session := sessiontimer.Session{Interval: 2 * c.due, Refresher: sessiontimer.Local, Since: s.base}
		s.putFar(dialogstore.ID{CallID: "far"}, session, s.base.Add(c.due))
		if len(s.far.pages) != 1 || len(s.far.pages[c.slot]) != 1 || s.far.pages[c.slot][0][0].since != s.base.UnixNano() {
			t.Errorf("due after %v: %v, want the call in slot %d", c.due, s.far.pages, c.slot)
		}
		if at := s.alarm.at.Sub(s.base); at != slot {
			t.Errorf("due after %v: the alarm is set to %v, want the end of the slot", c.due, at)
		}
		if s.Retire(); len(s.far.pages) != 0 {
			t.Errorf("due after %v: a retired scheduler keeps %v", c.due, s.far.pages)
		}
		s.Close()
	}
	s := New()
	defer s.Close()
	s.clock = s.base
	if s.putFar(dialogstore.ID{}, sessiontimer.Session{}, time.Time{}); len(s.far.pages) != 0 || !s.alarm.at.IsZero() {
		t.Errorf("without a timer: %v, the alarm is at %v; want none", s.far.pages, s.alarm.at)
	}
}
