package calls

import (
	"context"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Each change of a session is counted, logged and told; a quiet one is only counted. A change
// of anything else is no news.
func TestDialogChanged(t *testing.T) {
	why := sessiontimer.Reason{Cause: sessiontimer.CauseExpired}
	begun := ofPeer()
	begun.Version, begun.LastMethod = 1, "INVITE"
	begun.Session = sessiontimer.Session{Interval: time.Minute, Refresher: sessiontimer.Local, Since: at(0)}
	renewed, numbered := begun, begun
	renewed.Version, renewed.LastMethod = 2, "UPDATE"
	renewed.Session.Since, renewed.Session.Interval = at(30), 90*time.Second
	numbered.Version, numbered.LocalCSeq = 2, 41
	named := func(d dialogstore.Dialog) (c sessiontimer.Call) { c = d.Call(time.Time{}); return c }
	for _, c := range []struct {
		name, line    string
		before, after dialogstore.Dialog
		want          sessiontimer.Event // nil for none
		negotiated    uint64
		dialogs       int64 // added
	}{
		{"begins", "session timer negotiated", dialogstore.Dialog{}, begun, sessiontimer.Negotiated{Call: named(begun)}, 1, 1},
		{"is refreshed", "session refreshed", begun, renewed, sessiontimer.Refreshed{Call: named(renewed), Method: "UPDATE"}, 0, 0},
		{"ends", "session ended", renewed, dialogstore.Dialog{}, sessiontimer.Ended{Call: named(renewed), Reason: why}, 0, -1},
		{"gets another number", "", begun, numbered, nil, 0, 0},
	} {
		for _, quiet := range []bool{false, true} {
			var events []sessiontimer.Event
			calls, logs := observed(context.Background(), Config{OnEvent: func(e sessiontimer.Event) { events = append(events, e) }})
			calls.Count(&dialogstore.Change{After: begun}) // so that one may end
			calls.Expect(begun.ID, "a", false)
			ctx := context.Background()
			if quiet {
				ctx = Quietly
			}
			ctx = context.WithValue(ctx, reasonKey{}, why)
			change := dialogstore.Change{Before: c.before, After: c.after}
			calls.Observer().DialogChanged(ctx, &change)

			counts := calls.Figures.Read()[""]
			negotiated := counts.Negotiated[Incoming][sessiontimer.Local]
			if counts.Dialogs[sessiontimer.Local] != 1+c.dialogs || !quiet && negotiated != c.negotiated || quiet && negotiated != 0 {
				t.Errorf("a dialog %s, quietly: %t: %d dialogs, %d negotiated", c.name, quiet, counts.Dialogs[sessiontimer.Local], negotiated)
			}
			if calls.Orphan(begun.ID) == change.Deleted() {
				t.Errorf("a dialog %s, quietly: %t: that it was taken over is known: %t", c.name, quiet, calls.Orphan(begun.ID))
			}
			if quiet || c.want == nil {
				if len(events) != 0 || logs.String() != "" {
					t.Errorf("a dialog %s, quietly: %t: events %v, logged %q; want none", c.name, quiet, events, logs)
				}
				continue
			}
			if diff := cmp.Diff([]sessiontimer.Event{c.want}, events, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Time" }, cmp.Ignore())); diff != "" {
				t.Errorf("a dialog %s (-want +got):\n%s", c.name, diff)
			}
			d := c.after
			if change.Deleted() {
				d = c.before
			}
			wantLine(t, "a dialog "+c.name, logs, c.line, "level=DEBUG", "interval="+d.Session.Interval.String(), "refresher=local", "method="+d.LastMethod)
		}
	}
}

// A dialog that was created quietly is told of, logged and counted once its 2xx has left.
func TestNegotiated(t *testing.T) {
	var events []sessiontimer.Event
	calls, logs := observed(context.Background(), Config{OnEvent: func(e sessiontimer.Event) { events = append(events, e) }})
	d := ofPeer()
	d.Session, d.OwnsCallID, d.LastMethod = session(sessiontimer.Peer, at(0), 0), true, string(sip.INVITE)
	calls.Negotiated(&d)
	if e, ok := append(events, nil)[0].(sessiontimer.Negotiated); !ok || len(events) != 1 || e.CallID != "call" || e.Interval != 90*time.Second || e.Time.IsZero() {
		t.Errorf("events %+v, want one of the call with its interval and time", events)
	}
	if n := calls.Figures.Read()[""].Negotiated[Outgoing][sessiontimer.Peer]; n != 1 {
		t.Errorf("%d calls were negotiated, want 1", n)
	}
	wantLine(t, "negotiated", logs, "session timer negotiated", "interval=1m30s refresher=peer method=INVITE")
}

// A subscriber hears of changes even if there is no event handler; if there is neither, no
// event is made.
func TestHeard(t *testing.T) {
	calls, _ := observed(context.Background(), Config{})
	if calls.heard() {
		t.Error("somebody hears, and there is nobody")
	}
	told := 0
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	calls.Subscribe(ctx, Listener{Tell: func(sessiontimer.Event, int) bool { told++; return true }, End: func() {}})
	if err := calls.Store.Create(context.Background(), ofPeer()); err != nil {
		t.Fatal(err)
	}
	d := ofPeer()
	if calls.Negotiated(&d); told != 2 {
		t.Errorf("a subscriber is told %d times of two calls", told)
	}
}
