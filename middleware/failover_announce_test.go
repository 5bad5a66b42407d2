package middleware_test

import (
	"slices"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// A peer that cannot answer for now is told again, five times altogether, after pauses that
// double or as long as it says. After that the call has its session timer (J-25).
func TestTakeoverAnnouncementPauses(t *testing.T) {
	for _, c := range []struct {
		name   string
		method sip.RequestMethod
		refuse string // header of the 503
		pauses []int  // in seconds
	}{
		{"the Contact", sip.UPDATE, "Subject: none", []int{1, 2, 4, 8}},
		{"the Contact, Retry-After", sip.UPDATE, "Retry-After: 3", []int{3, 3, 4, 8}},
		{"the description", sip.INVITE, "Subject: none", []int{1, 2, 4, 8}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCluster(t, func(l *cluster) {
				a, opts := l.alice(), []failover.Option{failover.WithAddress(bobAddr)}
				if c.method == sip.INVITE {
					opts = append(opts, failover.WithTakeover(func(dialogstore.Dialog) failover.Decision {
						return failover.Decision{SDP: []byte(hold)}
					}))
				}
				b := l.bob(opts...)
				l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
				l.at(100 * time.Second)
				a.crash()
				var refused time.Duration
				var pauses []int
				for i := range 1 + len(c.pauses) {
					req := l.peer.ExpectRequest(l, c.method)
					if i > 0 {
						pauses = append(pauses, int((l.net.Elapsed()-refused).Round(100*time.Millisecond)/time.Second))
					}
					refused = l.net.Elapsed()
					l.peer.Reply(req, 503, "Later", c.refuse)
					if req.IsInvite() {
						l.peer.ExpectRequest(l, sip.ACK)
					}
				}
				if !slices.Equal(pauses, c.pauses) {
					l.Errorf("pauses of %d s, want %d s", pauses, c.pauses)
				}
				l.peer.Quiet(l, 890*time.Second-l.net.Elapsed())
				l.at(910 * time.Second)
				l.answer(l.peer.ExpectRequest(l, sip.UPDATE), se1800)
				if !b.holds() {
					l.Error("the call has ended")
				}
			})
		})
	}
}

// An announcement under way is given up where the peer hangs up.
func TestTakeoverAnnouncementEndsWithTheCall(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a, b := l.alice(), l.bob(failover.WithAddress(bobAddr))
		l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		l.at(100 * time.Second)
		a.crash()
		l.peer.ExpectRequest(l, sip.UPDATE)
		l.asks(sip.BYE)
		hungUp := l.net.Elapsed()
		l.at(200 * time.Second)
		for _, m := range l.net.Messages() {
			if m.From == bobAddr && sipnet.Label(m.SIP) == "UPDATE" && m.At > hungUp {
				l.Errorf("the UPDATE was sent again at %v", m.At)
			}
		}
		l.wantNothingLeft(b.UA)
	})
}

// A session description that the peer does not accept is not sent again, and the call goes
// on as it is.
func TestTakeoverDescriptionRefused(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a := l.alice()
		b := l.bob(failover.WithTakeover(func(dialogstore.Dialog) failover.Decision {
			return failover.Decision{SDP: []byte(hold)}
		}))
		l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		l.at(100 * time.Second)
		a.crash()
		l.peer.Reply(l.peer.ExpectRequest(l, sip.INVITE), 488, "Not Acceptable Here")
		l.peer.ExpectRequest(l, sip.ACK)
		l.peer.Quiet(l, 10*time.Minute)
		if !b.holds() {
			l.Error("the call has ended")
		}
	})
}
