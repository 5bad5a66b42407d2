package client

import (
	"context"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// A CANCEL waits until the INVITE, if that may be sent again, has a response (RFC 3261
// §9.1), but not longer than a transaction lives.
func TestCancelWaits(t *testing.T) {
	for _, c := range []struct {
		name      string
		retries   int
		happens   func(*offer) // after a second
		after     time.Duration
		cancelled bool
	}{
		{"not to be sent again", 0, nil, 0, true},
		{"a provisional response", 1, func(o *offer) { o.change(func() { o.provisional = true }) }, time.Second, true},
		{"it is over", 1, func(o *offer) { o.end(sip.NewResponse(200, "OK")) }, time.Second, true},
		{"no response", 1, nil, 32 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				o := &offer{exchange: exchange{req: sip.NewRequest(sip.INVITE, sip.Uri{}), proposal: sessiontimer.Proposal{Retries: c.retries}}}
				if c.happens != nil {
					time.AfterFunc(time.Second, func() { c.happens(o) })
				}
				begun := time.Now()
				req, err := o.Cancel(context.Background())
				if after := time.Since(begun); after != c.after || (err == nil) != c.cancelled || (req == o.req) != c.cancelled || o.isCancelled() != c.cancelled {
					t.Errorf("%v after %v, cancelled: %t; want %t after %v", err, after, o.isCancelled(), c.cancelled, c.after)
				}
				if !o.guard.TryLock() {
					t.Error("it stays locked")
				}
			})
		})
	}
}

// A request that may carry an offer is in flight until it is over, and clashes with those of the
// peer: an INVITE always (RFC 3261 §14.1), an UPDATE with a session description (RFC 3311 §5.1).
// A refresh waits for any.
func TestOfferInFlight(t *testing.T) {
	for _, c := range []struct {
		method sip.RequestMethod
		body   string
		offers bool
	}{
		{sip.INVITE, "", true}, {sip.INVITE, "v=0", true}, {sip.UPDATE, "v=0", true}, {sip.UPDATE, "", false}, {sip.PRACK, "v=0", false},
	} {
		inCall(t, nil, func(t *testing.T, call *call) {
			req := call.request(t, c.method, 3)
			if c.body != "" {
				req.AppendHeader(sip.NewHeader("Content-Type", offeranswer.SDP))
				req.SetBody([]byte(c.body))
			}
			branch := req.Via().Params.GetOr("branch", "")
			l := call.r.newLaterOffer(call.set, call.dialog, req, false)
			tx, err := l.begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var want dialogset.Offer
			if c.offers {
				want = &l.offer
			}
			if got := call.set.Offer(branch); got != want {
				t.Errorf("%s %q: %v is in flight, want it there: %t", c.method, c.body, got, c.offers)
			}
			time.AfterFunc(time.Second, tx.Terminate)
			begun := time.Now()
			if err := call.dialog.BeginOwn(t.Context(), func() {}, false); err != nil || time.Since(begun) != time.Second {
				t.Errorf("%s: a refresh waits %v for it: %v; want a second", c.method, time.Since(begun), err)
			}
			if call.set.Offer(branch) != nil {
				t.Errorf("%s: it is still in flight", c.method)
			}
		})
	}
}

// What was not sent is in flight no longer.
func TestOfferNotSent(t *testing.T) {
	inCall(t, nil, func(t *testing.T, c *call) {
		req := c.request(t, sip.INVITE, 3)
		req.SetTransport("NONE")
		tx, err := c.r.newLaterOffer(c.set, c.dialog, req, false).begin(t.Context())
		if err == nil || tx != nil {
			t.Errorf("%v, %v; want an error", tx, err)
		}
		begun := time.Now()
		if err := c.dialog.BeginOwn(t.Context(), func() {}, true); err != nil || time.Since(begun) != 0 {
			t.Errorf("a re-INVITE of ours waits %v: %v", time.Since(begun), err)
		}
	})
}

// The CSeq of an INVITE on the wire is remembered for its ACK; those of others are not.
func TestOfferNumber(t *testing.T) {
	for method, wire := range map[sip.RequestMethod]uint32{sip.INVITE: 11, sip.UPDATE: 3} {
		inCall(t, nil, func(t *testing.T, c *call) {
			l := c.r.newLaterOffer(c.set, c.dialog, c.request(t, method, 3), false)
			if n := l.number(); n != 11 || c.dialog.Count.WireCSeq(3) != wire {
				t.Errorf("%s: CSeq %d, its ACK gets %d; want 11 and %d", method, n, c.dialog.Count.WireCSeq(3), wire)
			}
			if n := c.r.newLaterOffer(c.set, c.dialog, c.request(t, method, 20), false).number(); n != 20 {
				t.Errorf("%s: CSeq %d, want that of the application, which is higher", method, n)
			}
			if err := l.permitted(t.Context()); err != nil {
				t.Errorf("%s: the application may not send it: %v", method, err)
			}
		})
	}
}

// A set is kept for another while from the end of each request.
func TestFinishKeepsSet(t *testing.T) {
	inCall(t, nil, func(t *testing.T, c *call) {
		l := c.r.newLaterOffer(c.set, c.dialog, c.request(t, sip.UPDATE, 3), false)
		c.dialog.Begin(t.Context(), sip.UPDATE)
		time.Sleep(dialogset.Life() - time.Second)
		l.finish()
		if time.Sleep(dialogset.Life() - time.Second); c.calls.Sets.Len() != 1 {
			t.Error("the set is dropped")
		}
	})
}
