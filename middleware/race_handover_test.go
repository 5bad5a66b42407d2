package middleware_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// slowWrite is a transaction that has sent a 2xx long before its Respond returns.
func slowWrite(tx sip.ServerTransaction, res *sip.Response) error {
	err := tx.Respond(res)
	if res.IsSuccess() {
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// E-30: a request that the peer sends as soon as it has our 2xx finds the state of that 2xx,
// even if the transaction has not returned yet.
func TestPeerIsFasterThanCommit(t *testing.T) {
	type follow struct {
		name   string
		method sip.RequestMethod
		body   string
		status int
	}
	follows := []follow{{"UPDATE", sip.UPDATE, "", 200}, {"UPDATE with the same offer", sip.UPDATE, sipnet.SDP, 200},
		{"re-INVITE", sip.INVITE, sipnet.SDP, 200}, {"BYE", sip.BYE, "", 200}}
	for _, answered := range []sip.RequestMethod{"first INVITE", sip.INVITE, sip.UPDATE} {
		for _, f := range follows {
			t.Run(fmt.Sprintf("E-30 %s behind the 2xx to %s", f.name, answered), func(t *testing.T) {
				inLab(t, func(l *lab) {
					bob, p := l.bob(), l.peer()
					accept := answers200(bob, nil, bob.SDP)
					bob.Server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) {
						_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
					})
					if answered == "first INVITE" {
						below(bob, sip.INVITE, accept, slowWrite)
						p.Invite(bob.Addr, timerHeader, allow, ourRefresh)
					} else {
						l.peerCalls(p, bob, timerHeader, allow, se1800)
						below(bob, answered, accept, slowWrite)
						p.Request(answered, timerHeader, ourRefresh, sipnet.SDP)
					}
					res := wantStatus(l, p, string(answered), 200)
					if answered != sip.UPDATE {
						p.Ack(res)
					}
					p.Request(f.method, timerHeader, ourRefresh, f.body)
					res = wantStatus(l, p, f.name, f.status)
					if f.method == sip.INVITE {
						p.Ack(res)
					}
					at := l.net.Elapsed()
					if f.method == sip.BYE {
						l.at(time.Hour)
						l.wantSent(bobAddr, sip.UPDATE)
						l.wantNothingLeft(bob)
						return
					}
					l.at(at + 899*time.Second)
					l.refreshed(p, sip.UPDATE)
				})
			})
		}
	}
}

// A 2xx of the peer that arrives while ours goes out is the later one here, and may be the
// earlier one there: we refresh in time for both.
func TestAnswersCross(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		d, _ := l.peerCalls(p, bob, timerHeader, allow, ourRefresh)
		h := bob.Timers.Handler(nil)
		bob.Server.Server.OnRequest(sip.UPDATE, func(req *sip.Request, tx sip.ServerTransaction) {
			h(req, belowTx{tx, func(res *sip.Response) error { return slowWrite(tx, res) }})
		})
		l.at(100 * time.Second)
		go func() { _, _ = d.Do(context.Background(), sip.NewRequest(sip.UPDATE, peerURI)) }()
		update := p.ExpectRequest(l, sip.UPDATE)
		p.Request(sip.UPDATE, timerHeader, "Session-Expires: 600;refresher=uas")
		wantStatus(l, p, "the peer's UPDATE", 200)
		time.Sleep(50 * time.Millisecond)
		p.Reply(update, 200, "OK", "Session-Expires: 1800;refresher=uac")
		l.at(300 * time.Second)
		if got := stored(bob); len(got) != 1 || got[0].Session.Interval != 1800*time.Second {
			l.Errorf("the session is %+v, want that of the 2xx which came last", got)
		}
		l.wantNext(p, sip.UPDATE, seconds(100.05)+300*time.Second)
	})
}

// E-22: a caller counts from the 2xx that it saw. If its ACK is more than a second late, a
// session that it refreshes counts from the ACK. That is no refresh, and causes no event.
func TestLateAckIsSignOfLife(t *testing.T) {
	for _, c := range []struct {
		name  string
		again string // the INVITE after the first: none, here or application
		se    string
		ack   float64
		want  float64 // BYE, counted from the 2xx
	}{
		{"first INVITE, in time", "none", se1800, 1, 1768},
		{"first INVITE, late", "none", se1800, 1.1, 1769.1},
		{"first INVITE, very late", "none", se1800, 31.5, 1799.5},
		{"first INVITE, shortest interval", "none", "Session-Expires: 90;refresher=uac", 31.5, 91.5},
		{"re-INVITE answered here, in time", "here", se1800, 1, 1768},
		{"re-INVITE answered here, late", "here", se1800, 20, 1788},
		{"re-INVITE of the application, in time", "application", se1800, 0.2, 1768},
		{"re-INVITE of the application, late", "application", se1800, 4.5, 1772.5},
		{"we refresh", "none", ourRefresh, 20, 900},
	} {
		t.Run("E-22 "+c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				if c.again == "none" {
					p.Invite(bob.Addr, timerHeader, allow, c.se)
				} else {
					l.peerCalls(p, bob, timerHeader, allow, c.se)
					l.at(100 * time.Second)
					body := sipnet.SDP
					if c.again == "application" {
						body = sdp2
					}
					p.Request(sip.INVITE, timerHeader, c.se, body)
				}
				start := l.net.Elapsed()
				res := wantStatus(l, p, "the INVITE", 200)
				synctest.Wait()
				told := len(bob.Events())
				l.at(start + seconds(c.ack))
				p.Ack(res)
				p.Ack(res) // and once more, which counts for nothing
				l.at(start + 60*time.Second)
				p.Ack(res)
				l.at(start + 61*time.Second)
				if got := events(bob)[told:]; len(got) > 0 {
					l.Errorf("events %v after the 2xx, want none", got)
				}
				method := sip.BYE
				if c.se == ourRefresh {
					method = sip.UPDATE
				}
				l.wantNext(p, method, start+seconds(c.want))
			})
		})
	}
}

// E-22: an ACK that arrives after the next 2xx says nothing about that one.
func TestLateAckOfEarlierAnswer(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		p.Invite(bob.Addr, timerHeader, allow, se1800)
		res := p.ExpectResponse(l, 200)
		l.at(2 * time.Second)
		p.Request(sip.UPDATE, timerHeader, "Session-Expires: 600;refresher=uac")
		wantStatus(l, p, "the UPDATE", 200)
		l.at(10 * time.Second)
		p.Ack(res)
		l.wantNext(p, sip.BYE, (2+568)*time.Second)
	})
}
