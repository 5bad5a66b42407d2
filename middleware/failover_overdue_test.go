package middleware_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// F-27: a call that has expired, by what is stored, may have been refreshed while the registry
// was out of reach: the peer is asked before the call ends, once, and whoever refreshes.
func TestOverdueTakeover(t *testing.T) {
	for _, c := range []struct {
		name    string
		who     sessiontimer.Refresher
		answers []int // to UPDATE and re-INVITE; none for no answer
		ends    bool
	}{
		{"we refresh, it lives", sessiontimer.Local, []int{200}, false},
		{"the peer refreshes, it lives", sessiontimer.Peer, []int{200}, false},
		{"it knows no UPDATE, and lives", sessiontimer.Local, []int{501, 200}, false},
		{"it has no such call", sessiontimer.Local, []int{481}, true},
		{"it does not answer", sessiontimer.Local, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				l.callPeer(alice, p, allow, timerHeader, se1800)
				var rows []dialogstore.Dialog
				for d := range alice.Timers.Store().All(t.Context()) {
					d.Session.Refresher = c.who
					d.Session.Since = time.Now().Add(-50 * time.Minute)
					rows = append(rows, d)
				}
				l.restart(alice, time.Second, on(leftBehind(l, rows...)), middleware.WithJitter(0))
				for i, status := range c.answers {
					method := []sip.RequestMethod{sip.UPDATE, sip.INVITE}[i]
					p.Reply(p.ExpectRequest(l, method), status, "", timerHeader, se1800)
					if method == sip.INVITE {
						p.ExpectRequest(l, sip.ACK)
					}
				}
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if ended := len(l.sent(aliceAddr, sip.BYE)) > 0; ended != c.ends {
					l.Errorf("the call ended: %v, want %v", ended, c.ends)
				}
				if c.answers != nil && len(l.requests(aliceAddr, "UPDATE")) != 1 {
					l.Errorf("%d UPDATEs, want one", len(l.requests(aliceAddr, "UPDATE")))
				}
			})
		})
	}
}

// F-27: if the peer's refresh was due when its call was taken over, the former owner may have
// accepted one that it could not write. So the peer is asked before its call is hung up, once.
func TestTakerAsksBeforeHangup(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int           // of the answer; 0 for none
		bye    time.Duration // 0 for none
	}{
		{"it lives", 200, 0},
		{"it has no such call", 481, 1768 * time.Second},
		{"it refuses for now", 491, 1800 * time.Second},
		{"it does not answer", 0, 1800 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCluster(t, func(l *cluster) {
				a, b := l.alice(), l.bob()
				l.callPeer(a.UA, l.peer, allow, timerHeader, "Session-Expires: 1800;refresher=uas")
				l.at(898 * time.Second)
				a.cutOff()
				l.at(900 * time.Second)
				l.asks(sip.UPDATE, timerHeader, "Session-Expires: 1800;refresher=uac")
				a.crash()
				l.at(900*time.Second + takenBy)
				b.wantSaw(0, "TakenOver")
				l.wantSent(bobAddr, sip.UPDATE)
				l.at(1768 * time.Second)
				update := l.peer.ExpectRequest(l, sip.UPDATE)
				if c.status > 0 {
					l.peer.Reply(update, c.status, "", timerHeader, se1800)
				}
				l.at(1820 * time.Second)
				if c.bye == 0 {
					l.wantSent(bobAddr, sip.BYE)
					l.at(2768 * time.Second)
					l.wantSent(bobAddr, sip.UPDATE, 1768*time.Second, 2668*time.Second)
					return
				}
				if byes := l.sent(bobAddr, sip.BYE); len(byes) == 0 || byes[0] != c.bye {
					l.Errorf("BYEs at %v, want one at %v", byes, c.bye)
				}
				l.wantOwner("")
			})
		})
	}
}
