package server

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/stall"
)

// unproved is the call after its 2xx, to which nobody has said anything yet.
func unproved(d *desk) *dialogset.Dialog {
	dialog := d.calls.Sets.Open("call", "ours").Ring("theirs", 1, dialogset.Told{})
	dialog.Accepted()
	dialog.ExpectAck(1, time.Now(), d.forgetUnlessProved(callID, dialog))
	return dialog
}

// RFC 3261 §13.3.1.4: a call whose peer has not proved within 64*T1 that it is there is
// forgotten, without a word to the peer: its INVITE may have been forged. If its session has
// expired by then, the application gets a BYE.
func TestForgetUnlessProved(t *testing.T) {
	for _, c := range []struct {
		name             string
		interval         time.Duration // of the session; 0 for none
		proves           time.Duration // when the peer does; 0 for never
		closes           time.Duration // when the timers end; 0 for never
		forgotten, ended bool          // ended: the application gets a BYE
	}{
		{name: "not proved", interval: time.Hour, forgotten: true},
		{name: "not proved, no session", forgotten: true},
		{name: "not proved, the session has expired", interval: 40 * time.Second, forgotten: true, ended: true},
		{name: "proved at the last moment", interval: time.Hour, proves: 64*sip.T1 - 1},
		{name: "the timers have ended", interval: time.Hour, closes: time.Second},
	} {
		bubble.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			d, byes := newDesk(ctx), 0
			d.calls.SetApplication(calls.Application{Bye: func(*sip.Request, sip.ServerTransaction) { byes++ }})
			call := aCall()
			call.Session = sessiontimer.Session{}
			if c.interval > 0 {
				call.Session = sessiontimer.Session{Interval: c.interval, Refresher: sessiontimer.Peer, Since: time.Now()}
			}
			d.keep(t, call)
			unproved(d)
			if c.proves > 0 {
				time.AfterFunc(c.proves, func() { d.heard(callID) })
			}
			if c.closes > 0 {
				time.AfterFunc(c.closes, cancel)
			}
			time.Sleep(64*sip.T1 - 1)
			synctest.Wait()
			if early := d.logs.String(); early != "" {
				t.Errorf("%s: too early: %s", c.name, early)
			}
			time.Sleep(2*sip.T1 + 1)
			synctest.Wait()
			_, err := d.calls.Store.Load(context.Background(), callID)
			if (err != nil) != c.forgotten || (byes == 1) != c.ended || byes > 1 || len(d.hungUp) != 0 {
				t.Errorf("%s: %v, %d BYEs to the application; want it forgotten: %t, the application told: %t", c.name, err, byes, c.forgotten, c.ended)
			}
			if c.forgotten {
				d.wantLine(t, c.name, "no ACK for the 2xx", "level=INFO")
				if last, ok := d.events[len(d.events)-1].(sessiontimer.Ended); !ok || last.Reason.Cause != sessiontimer.CauseNoACK {
					t.Errorf("%s: events %+v, want the end for want of an ACK", c.name, d.events)
				}
			} else if d.logs.String() != "" {
				t.Errorf("%s: logged %q", c.name, d.logs)
			}
			if (d.calls.Sets.Len() == 0) != c.forgotten {
				t.Errorf("%s: %d sets left", c.name, d.calls.Sets.Len())
			}
			d.calls.Workers.Stop()
			d.calls.Workers.Wait()
		})
	}
}

// A process that stood still when the proof was due reads first what came meanwhile. A proof
// that comes while the timer fires still counts.
func TestForgetPatiently(t *testing.T) {
	for _, c := range []struct {
		name   string
		stall  time.Duration
		proved bool
		want   time.Duration // when it is forgotten, unless it is proved
	}{
		{"a busy machine", stall.Least, false, 64 * sip.T1},
		{"stopped", time.Hour, false, 64*sip.T1 + stall.Settling},
		{"proved", 0, true, 64 * sip.T1},
	} {
		bubble.Test(t, func(t *testing.T) {
			d := newDesk(t.Context())
			_, dialog := d.resumed(t, aCall())
			forget := d.forgetUnlessProved(callID, dialog)
			if !c.proved {
				// The clock of a bubble goes on while the process stands still: the 2xx moves
				// back instead.
				dialog.ExpectAck(1, time.Now().Add(-c.stall), forget)
			}
			forgotten := func(after time.Duration) bool {
				time.Sleep(after)
				synctest.Wait()
				return d.logs.Count("no ACK") > 0
			}
			if early, then := forgotten(c.want-1), forgotten(1); early || then == c.proved {
				t.Errorf("%s: forgotten before %v: %t, then: %t", c.name, c.want, early, then)
			}
		})
	}
}

// A call that has ended before is not forgotten once more.
func TestForgetTwice(t *testing.T) {
	d := newDesk(t.Context())
	if d.forget(t.Context(), callID); d.logs.String() != "" || len(d.events) != 0 || d.calls.Sets.Len() != 0 {
		t.Errorf("logged %q, events %v, %d sets; want nothing", d.logs, d.events, d.calls.Sets.Len())
	}
}

// One call of several with our tag is forgotten, and the others go on.
func TestForgetOne(t *testing.T) {
	d, other := newDesk(t.Context()), aCall()
	other.RemoteTag = "others"
	d.keep(t, aCall())
	d.keep(t, other)
	d.calls.Sets.Resume(&other)
	d.forget(t.Context(), callID)
	if set := d.calls.Sets.Find("call", "ours"); set == nil || set.Lives("theirs") || !set.Lives("others") {
		t.Errorf("the set is %+v, want it with the other call alone", set)
	}
}

// The peer proves itself once, with a request in a dialog that is known, and not before our
// latest message is committed: the request may be its answer to that.
func TestHeardOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t.Context())
		others, nobodys := callID, callID
		others.RemoteTag, nobodys.LocalTag = "others", "nobody's"
		dialog := unproved(d)
		d.heard(others)
		if d.heard(nobodys); len(d.proved) != 0 || !dialog.Unproved() {
			t.Errorf("requests of other dialogs prove %v", d.proved)
		}
		dialog.HandOver()
		time.AfterFunc(time.Second, dialog.HandedOver)
		begun := time.Now()
		d.heard(callID)
		if waited := time.Since(begun); waited != time.Second {
			t.Errorf("it waits %v for our message, want 1 s", waited)
		}
		if d.heard(callID); len(d.proved) != 1 || d.proved[0] != callID || dialog.Unproved() {
			t.Errorf("proved are %v, want the call once", d.proved)
		}
	})
}
