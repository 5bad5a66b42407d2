package dialogset

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

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
