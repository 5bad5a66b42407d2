package middleware_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// badWeather loses three of ten packets, duplicates one of ten and delays the rest by up to
// 200 ms, so that they overtake each other. A message is lost at most four times: with
// eleven transmissions one in two thousand would get no answer within 64*T1, which rightly
// ends a call. ACKs and refusals always arrive, because sipgo's transactions wait for them
// without end.
func badWeather(seed uint64) func(sipnet.Packet) sipnet.Verdict {
	random := rand.New(rand.NewPCG(seed, seed))
	lost := make(map[string]int)
	return func(p sipnet.Packet) sipnet.Verdict {
		v := sipnet.Verdict{Delay: time.Duration(random.IntN(200)) * time.Millisecond, Duplicate: random.IntN(10) == 0}
		msg, err := sip.ParseMessage(p.Data)
		if err != nil {
			return v
		}
		label := sipnet.Label(msg)
		if res, ok := msg.(*sip.Response); label == "ACK" || ok && res.StatusCode >= 300 {
			return sipnet.Verdict{Delay: v.Delay}
		}
		key := label + msg.Via().Params.GetOr("branch", "")
		if random.IntN(10) < 3 && lost[key] < 4 {
			lost[key]++
			return sipnet.Verdict{Drop: true}
		}
		return v
	}
}

// Calls of five hours survive loss, duplicates and reordering, and one side refreshes each.
func TestLoss(t *testing.T) {
	for _, c := range []struct {
		name      string
		method    sessiontimer.Method
		sent      sip.RequestMethod
		refresher sessiontimer.Refresher // alice's
	}{
		{"UPDATE by the caller", sessiontimer.MethodAuto, sip.UPDATE, sessiontimer.Local},
		{"UPDATE by the callee", sessiontimer.MethodAuto, sip.UPDATE, sessiontimer.Peer},
		{"re-INVITE by the caller", sessiontimer.MethodReInvite, sip.INVITE, sessiontimer.Local},
		{"re-INVITE by the callee", sessiontimer.MethodReInvite, sip.INVITE, sessiontimer.Peer},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				other := sessiontimer.Local + sessiontimer.Peer - c.refresher
				alice := l.alice(middleware.WithRefresher(c.refresher), middleware.WithMethod(c.method))
				bob := l.bob(middleware.WithRefresher(other), middleware.WithMethod(c.method))
				const calls = 10
				l.net.SetFilter(badWeather(7))
				var all []*sipgo.DialogClientSession
				for range calls {
					all = append(all, alice.Call(bob))
				}
				begun := l.net.Elapsed()
				l.at(5 * time.Hour)
				for _, d := range all {
					l.wantAlive("alice", d)
				}
				worker, idle := aliceAddr, bobAddr
				if c.refresher == sessiontimer.Peer {
					worker, idle = bobAddr, aliceAddr
				}
				first := 0
				if worker == aliceAddr && c.sent == sip.INVITE {
					first = calls
				}
				if n, want := len(l.sent(worker, c.sent))-first, calls*int((5*time.Hour-begun)/(905*time.Second)); n < want || n > want+2*calls {
					l.Errorf("%s refreshed %d times, want %d or a few more", names[worker], n, want)
				}
				if idle == bobAddr && len(l.sent(idle, c.sent)) > 0 || len(l.sent(idle, sip.UPDATE)) > 0 {
					l.Errorf("%s refreshed too, want one refresher", names[idle])
				}
				l.wantSent(aliceAddr, sip.BYE)
				l.wantSent(bobAddr, sip.BYE)
				for _, d := range all {
					if err := d.Bye(context.Background()); err != nil {
						l.Errorf("Bye: %v", err)
					}
				}
				l.wantNothingLeft(alice, bob)
			})
		})
	}
}

// A hundred calls at once, in both directions, for two hours.
func TestManyCalls(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, bob := l.alice(), l.bob()
		var mu sync.Mutex
		var all []*sipgo.DialogClientSession
		var wg sync.WaitGroup
		for i := range 100 {
			from, to := alice, bob
			if i%2 == 1 {
				from, to = bob, alice
			}
			wg.Go(func() {
				d, err := from.Try(to)
				if err != nil {
					l.Errorf("call %d: %v", i, err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, d)
			})
		}
		wg.Wait()
		l.at(2 * time.Hour)
		if n := len(l.sent(aliceAddr, sip.UPDATE)) + len(l.sent(bobAddr, sip.UPDATE)); n < 700 || n > 800 {
			l.Errorf("%d refreshes, want seven or eight for each call", n)
		}
		for _, d := range all {
			l.wantAlive("the caller", d)
			wg.Go(func() {
				if err := d.Bye(context.Background()); err != nil {
					l.Errorf("Bye: %v", err)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		l.wantNothingLeft(alice, bob)
	})
}
