package client

import (
	"context"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
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
