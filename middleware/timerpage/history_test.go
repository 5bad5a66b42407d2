package timerpage

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// A ring keeps the latest of what is added, however much it is.
func TestRing(t *testing.T) {
	const most = 5
	var r ring[int]
	if r.last() != nil {
		t.Errorf("an empty ring has %d", *r.last())
	}
	var all []int
	for i := range 3*most + 2 {
		r.add(i, most)
		all = append([]int{i}, all...)
		all = all[:min(len(all), most)]
		if got := slices.Collect(r.backwards); !slices.Equal(got, all) || *r.last() != i {
			t.Errorf("after %d: %v, %d last; want %v", i, got, *r.last(), all)
		}
	}
	for v := range r.backwards {
		if v != 16 {
			t.Errorf("%d first, and went on after the end", v)
		}
		break
	}
}

// What an operator should see.
func TestIsTrouble(t *testing.T) {
	ended := func(c sessiontimer.Cause) sessiontimer.Event {
		return sessiontimer.Ended{Reason: sessiontimer.Reason{Cause: c}}
	}
	for want, events := range map[bool][]sessiontimer.Event{
		true: {sessiontimer.RefreshFailed{}, sessiontimer.Expired{}, sessiontimer.TakenOver{}, sessiontimer.Released{}, sessiontimer.Unreachable{Err: errors.New("no")},
			ended(sessiontimer.CauseNoACK), ended(sessiontimer.CauseDialogClosed)},
		false: {sessiontimer.Negotiated{}, sessiontimer.Refreshed{}, sessiontimer.MediaChanged{}, gap{}, ended(sessiontimer.CauseExpired),
			ended(sessiontimer.CauseHungUp), ended(sessiontimer.CausePeerHungUp), ended(sessiontimer.CauseTakenOver)},
	} {
		for _, e := range events {
			if isTrouble(e) != want {
				t.Errorf("%T %+v is trouble: %v, want %v", e, e, !want, want)
			}
		}
	}
}

// The history has the events of a call in order, whatever kind they are, and tells where some
// are missing, but not before the first that is known.
func TestHistory(t *testing.T) {
	var h history
	about := func(id string) sessiontimer.Call { return sessiontimer.Call{CallID: id, LocalTag: "l", RemoteTag: "r"} }
	add := func(e sessiontimer.Event, lost int) { h.add(middleware.Notice{Event: e, Lost: lost}) }
	add(sessiontimer.Negotiated{Call: about("other")}, 3)
	add(sessiontimer.Negotiated{Call: about("one")}, 0)
	add(sessiontimer.RefreshFailed{Call: about("one")}, 0)
	add(sessiontimer.RefreshFailed{Call: about("other")}, 7)
	add(sessiontimer.Refreshed{Call: about("one")}, 0)
	names := func(events []sessiontimer.Event) string {
		var all []string
		for _, e := range events {
			name := fmt.Sprintf("%T", e)
			all = append(all, name[strings.LastIndexByte(name, '.')+1:])
		}
		return strings.Join(all, " ")
	}
	if got, want := names(h.of(dialogstore.ID{CallID: "one", LocalTag: "l", RemoteTag: "r"})), "Refreshed gap RefreshFailed Negotiated"; got != want {
		t.Errorf("one has %s, want %s", got, want)
	}
	if got, want := names(h.of(dialogstore.ID{CallID: "other", LocalTag: "l", RemoteTag: "r"})), "RefreshFailed gap Negotiated"; got != want {
		t.Errorf("the other has %s, want %s", got, want)
	}
	if got := h.of(dialogstore.ID{CallID: "one", LocalTag: "l"}); len(got) != 0 {
		t.Errorf("a call that is not known has %s", names(got))
	}
	if got, want := names(h.troubles()), "RefreshFailed gap RefreshFailed gap"; got != want {
		t.Errorf("trouble is %s, want %s", got, want)
	}
	for range 2 * newestEvents {
		add(sessiontimer.Expired{}, 0)
	}
	if got := h.troubles(); len(got) != newestEvents {
		t.Errorf("%d troubles are listed, want %d", len(got), newestEvents)
	}
	for want, g := range map[string]gap{
		"7 events came too fast for this page.":                                         {lost: 7},
		"1 events came too fast for this page.":                                         {lost: 1},
		"Nobody looked from 12:00:00 until now; the events of that time are not known.": {from: "12:00:00"},
	} {
		if got := g.String(); got != want {
			t.Errorf("a gap says %q, want %q", got, want)
		}
	}
}

// A time in which nobody looked is a gap in the history unless it was short, and there are no
// more samples than one in two seconds.
func TestHistoryOfGlances(t *testing.T) {
	begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return begin.Add(d) }
	var h history
	h.resume(at(0)) // the first to look
	h.pause(at(time.Minute))
	h.resume(at(time.Minute + toleratedGap))
	if got := h.troubles(); len(got) != 0 {
		t.Errorf("gaps %v, want none yet", got)
	}
	h.pause(at(2 * time.Minute))
	h.resume(at(2*time.Minute + toleratedGap + 1))
	const want = "Nobody looked from 12:02:00 until now; the events of that time are not known."
	if got := h.troubles(); len(got) != 1 || got[0].(gap).String() != want || !got[0].Info().Time.Equal(at(2*time.Minute+toleratedGap+1)) {
		t.Errorf("gaps %v, want one", got)
	}
	for _, d := range []time.Duration{0, 1999, 2000, 3000, 3999, 4000} {
		h.sample(sample{at: at(d * time.Millisecond)})
	}
	var got []time.Duration
	for _, s := range h.sampled() {
		got = append(got, s.at.Sub(begin))
	}
	if want := []time.Duration{0, 2 * time.Second, 4 * time.Second}; !slices.Equal(got, want) {
		t.Errorf("samples at %v, want %v", got, want)
	}
}

// A request is one by the first letter of its method, which may be the only one; a message
// that says nothing is none.
func TestIsRequest(t *testing.T) {
	for label, want := range map[string]bool{"INVITE": true, "X": true, "200 OK (INVITE)": false, "": false} {
		if got := (&message{Label: label}).request(); got != want {
			t.Errorf("%q is a request: %t", label, got)
		}
	}
}
