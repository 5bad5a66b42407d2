package middleware_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/failovertest"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// G3: no message waits for the registry. A whole call with one that takes five seconds
// for each answer, or none, is the same to the millisecond as a call without: but for the
// refreshes of a node whose lease is not good, which ask it, for 200 ms at most.
func TestSlowRegistryDelaysNothing(t *testing.T) {
	whole := func(fault *failovertest.Fault, late time.Duration) (rows []string) {
		inNodes(t, func(l *cluster) {
			var alice, bob *sipua.UA
			if fault == nil {
				alice, bob = l.lab.alice(), l.lab.bob()
			} else {
				a, b := l.alice(), l.bob()
				a.way.Set(failovertest.Always(*fault))
				b.way.Set(failovertest.Always(*fault))
				alice, bob = a.UA, b.UA
			}
			l.at(20 * time.Second)
			d := alice.Call(bob)
			l.at(30 * time.Second)
			say := func(method sip.RequestMethod, body string) {
				if res, err := alice.Send(d, bobAddr, method, body); err != nil || res.StatusCode != 200 {
					l.Errorf("%s: %v, %v", method, res, err)
				}
			}
			say(sip.INFO, "")
			say(sip.INVITE, hold)
			l.at(930*time.Second + late)
			rows = sipnet.Rows(names, l.net.Messages())
			if got := l.sent(aliceAddr, sip.UPDATE); len(got) != 1 || got[0] < 930*time.Second || got[0] > 930*time.Second+late {
				l.Errorf("refreshed at %v, want %v late at most", got, late)
			}
			// What follows on a refresh that waits for the registry does not.
			l.at(931 * time.Second)
			if err := d.Bye(context.Background()); err != nil {
				l.Errorf("BYE: %v", err)
			}
			l.wantSent(aliceAddr, sip.BYE, 931*time.Second)
			l.at(1000 * time.Second)
			l.wantEnded("bob", bob.Answered())
		})
		var others []string
		for _, row := range rows {
			if !strings.Contains(row, "UPDATE") {
				others = append(others, row)
			}
		}
		return others
	}
	want := whole(nil, 0)
	for name, f := range map[string]failovertest.Fault{
		"five seconds there":     {Delay: 5 * time.Second},
		"five seconds and back":  {Reply: 5 * time.Second},
		"nobody there":           {Down: true},
		"never":                  {Delay: time.Hour},
		"a second for an answer": {Reply: time.Second},
	} {
		if diff := cmp.Diff(want, whole(&f, 200*time.Millisecond)); diff != "" {
			t.Errorf("%s (-without +with):\n%s", name, diff)
		}
	}
}

// What the application sends while a refresh asks the registry goes out at once, and the
// refresh does not follow on a BYE.
func TestNobodyWaitsBehindTheQuestion(t *testing.T) {
	for _, method := range []sip.RequestMethod{sip.INFO, sip.BYE} {
		inCluster(t, func(l *cluster) {
			a := l.alice()
			d := l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
			l.at(20 * time.Second)
			a.way.Set(failovertest.Always(failovertest.Fault{Delay: 5 * time.Second}))
			l.at(900*time.Second + 100*time.Millisecond)
			l.wantSent(aliceAddr, sip.UPDATE) // it asks
			go func() {
				if method == sip.BYE {
					_ = d.Bye(context.Background())
				} else {
					_, _ = d.Do(context.Background(), sip.NewRequest(method, peerURI))
				}
			}()
			l.peer.Reply(l.peer.ExpectRequest(l, method), 200, "OK")
			l.wantSent(aliceAddr, method, 900*time.Second+100*time.Millisecond)
			l.at(905 * time.Second)
			if got := l.count(aliceAddr, "UPDATE") > 0; got != (method == sip.INFO) {
				l.Errorf("after the %s a refresh was sent: %v", method, got)
			}
		})
	}
}

// Nor does anything wait where a refresh is sent again after a challenge.
func TestNobodyWaitsBehindTheSecondQuestion(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a := l.node("alice", aliceAddr, nil, middleware.WithCredentials("lab", "alice", "secret"))
		d := l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		l.at(20 * time.Second)
		a.way.Set(failovertest.Always(failovertest.Fault{Delay: 5 * time.Second}))
		l.at(900 * time.Second)
		update := l.peer.ExpectRequest(l, sip.UPDATE)
		l.at(903 * time.Second)
		l.peer.Reply(update, 401, "Unauthorized", `WWW-Authenticate: Digest realm="lab", nonce="n1", algorithm=MD5`)
		l.at(903*time.Second + 100*time.Millisecond)
		go func() { _ = d.Bye(context.Background()) }()
		l.peer.Reply(l.peer.ExpectRequest(l, sip.BYE), 200, "OK")
		l.wantSent(aliceAddr, sip.BYE, 903*time.Second+100*time.Millisecond)
	})
}
