package dialogset

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// anOffer is a request in flight.
type anOffer string

func (o anOffer) Branch() string                                 { return string(o) }
func (anOffer) Cancel(ctx context.Context) (*sip.Request, error) { return nil, nil }

// An offer is found by its branch, in whichever dialog it is, until it is over.
func TestOfferByBranch(t *testing.T) {
	set := New().Open("call", "ours")
	calling := set.Invite(sessiontimer.Policy{Mode: sessiontimer.Always})
	within := set.Ring("theirs", 1, Told{})
	calling.Offering(anOffer("first"))
	within.Offering(anOffer("later"))
	for _, branch := range []string{"first", "later"} {
		if got := set.Offer(branch); got != anOffer(branch) {
			t.Errorf("%s: %v", branch, got)
		}
	}
	if got := set.Offer("other"); got != nil {
		t.Errorf("another branch: %v", got)
	}
	calling.Offered(anOffer("first"))
	within.Offered(anOffer("other")) // of another
	if set.Offer("first") != nil || set.Offer("later") == nil {
		t.Errorf("after the first is over: %v and %v are in flight", set.Offer("first"), set.Offer("later"))
	}
}

// A dialog that is there already is not added once more.
func TestRingTwice(t *testing.T) {
	set := New().Open("call", "ours")
	one := set.Ring("theirs", 1, Told{})
	if set.Ring("theirs", 2, Told{}) != one || set.Ring("other", 2, Told{}) == one {
		t.Error("the early dialog of an INVITE is another one the second time, or that of another INVITE")
	}
	var d dialogstore.Dialog
	d.RemoteTag = "theirs"
	if set.resume(&d) != one {
		t.Error("a dialog in the set is resumed as another")
	}
}

// Requests leave one after the other; whose context ends while it waits is not sent.
func TestInTurn(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var n Numbering
		failed := errors.New("not sent")
		go func() {
			_ = n.InTurn(context.Background(), func() error { time.Sleep(3 * time.Second); return failed })
		}()
		synctest.Wait()
		short, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := n.InTurn(short, func() error { t.Error("sent out of turn"); return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("out of turn: %v, want the end of the context", err)
		}
		begun := time.Now()
		if err := n.InTurn(context.Background(), func() error { return failed }); !errors.Is(err, failed) {
			t.Errorf("in turn: %v, want what sending returned", err)
		}
		if waited := time.Since(begun); waited != 2*time.Second {
			t.Errorf("it waited %v for the one before, want 2 s", waited)
		}
		if !n.plain() {
			t.Error("a turn is still taken")
		}
	})
}

// Our refresh lets others go first, up to T2, and is not sent beside a request of its kind.
func TestBeginOwn(t *testing.T) {
	const t2 = 4 * time.Second
	for _, c := range []struct {
		name   string
		begin  func(*Dialog)
		invite bool
		over   time.Duration // when what was begun is over; 0 if not in time
		want   error
		waited time.Duration
	}{
		{"alone", func(*Dialog) {}, false, 0, nil, 0},
		{"an UPDATE beside an UPDATE", func(d *Dialog) { d.Begin(context.Background(), sip.UPDATE) }, false, 0, ErrBusy, t2},
		{"a re-INVITE beside an UPDATE", func(d *Dialog) { d.Begin(context.Background(), sip.UPDATE) }, true, 0, nil, t2},
		{"an UPDATE beside an INFO", func(d *Dialog) { d.Begin(context.Background(), sip.INFO) }, false, 0, nil, t2},
		{"an UPDATE after an UPDATE", func(d *Dialog) { d.Begin(context.Background(), sip.UPDATE) }, false, time.Second, nil, time.Second},
		{"a re-INVITE beside an offer", func(d *Dialog) { d.Offering(anOffer("x")) }, true, 0, ErrBusy, 0},
		{"an UPDATE beside an offer", func(d *Dialog) { d.Offering(anOffer("x")) }, false, 0, nil, 0},
		{"a refresh beside another", func(d *Dialog) { _ = d.BeginOwn(context.Background(), func() {}, false) }, true, 0, ErrBusy, t2},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				var d Dialog
				c.begin(&d)
				if c.over > 0 {
					time.AfterFunc(c.over, func() { d.Finish(sip.UPDATE) })
				}
				begun := time.Now()
				err := d.BeginOwn(context.Background(), func() {}, c.invite)
				if waited := time.Since(begun); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || waited != c.waited {
					t.Errorf("%v after %v, want %v after %v", err, waited, c.want, c.waited)
				}
			})
		})
	}
	t.Run("given up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		var d Dialog
		if err := d.BeginOwn(ctx, func() {}, false); !errors.Is(err, context.Canceled) || d.inFlight() {
			t.Errorf("%v, in flight %t; want that there is no refresh", err, d.inFlight())
		}
	})
}

// A request of the application waits for our refresh: for T1, or for one of its own kind
// as long as a transaction lives.
func TestBeginAfterOurs(t *testing.T) {
	const t1 = 500 * time.Millisecond
	for _, c := range []struct {
		ours, theirs sip.RequestMethod
		over, want   time.Duration
	}{
		{sip.UPDATE, sip.UPDATE, 0, 64 * t1},
		{sip.UPDATE, sip.UPDATE, 10 * time.Second, 10 * time.Second},
		{sip.INVITE, sip.INVITE, 0, 64 * t1},
		{sip.UPDATE, sip.INVITE, 0, t1},
		{sip.INVITE, sip.UPDATE, 0, t1},
		{sip.INVITE, sip.INFO, 0, t1},
		{sip.UPDATE, sip.INFO, 100 * time.Millisecond, 100 * time.Millisecond},
	} {
		bubble.Test(t, func(t *testing.T) {
			var d Dialog
			if err := d.BeginOwn(context.Background(), func() {}, c.ours == sip.INVITE); err != nil {
				t.Fatal(err)
			}
			if c.over > 0 {
				time.AfterFunc(c.over, d.FinishOwn)
			}
			begun := time.Now()
			d.Begin(context.Background(), c.theirs)
			if waited := time.Since(begun); waited != c.want {
				t.Errorf("%s waits %v for our %s, want %v", c.theirs, waited, c.ours, c.want)
			}
			if d.FinishOwn(); !d.inFlight() {
				t.Errorf("%s is not in flight", c.theirs)
			}
			if d.Finish(c.theirs); d.inFlight() || d.updates != 0 {
				t.Errorf("%s is still in flight", c.theirs)
			}
		})
	}
}
