package middleware_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// numbers are method and CSeq, counted from the first request, of what addr sent.
func (l *lab) numbers(addr string) []string {
	var out []string
	first, seen := uint32(0), make(map[string]bool)
	for _, m := range l.net.Messages() {
		req, ok := m.SIP.(*sip.Request)
		if !ok || m.From != addr {
			continue
		}
		key := string(req.Method) + req.Via().Params.GetOr("branch", "")
		if seen[key] {
			continue
		}
		seen[key] = true
		if first == 0 {
			first = req.CSeq().SeqNo
		}
		out = append(out, fmt.Sprintf("%s %d", req.Method, req.CSeq().SeqNo-first))
	}
	return out
}

func (l *lab) send(u *sipua.UA, d sipua.Dialog, to string, method sip.RequestMethod, body string) {
	l.Helper()
	res, err := u.Send(d, to, method, body)
	if err != nil || !res.IsSuccess() {
		l.Errorf("%s of %s gets %v %v, should get a 2xx", method, u.Name, res, err)
	}
}

// J-13, trap: sipgo's dialogs count their own requests and know nothing of the
// refreshes in between; on the wire the numbers rise all the same.
func TestNumbersRise(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		for _, method := range []sessiontimer.Method{sessiontimer.MethodUpdate, sessiontimer.MethodReInvite} {
			for _, refresher := range []string{"alice", "bob"} {
				t.Run(fmt.Sprintf("J-13 %s, %v by %s", transport, method, refresher), func(t *testing.T) {
					inLab(t, func(l *lab) { interleave(l, transport, method, refresher) })
				})
			}
		}
	}
}

// interleave has the refresher's application send one of each between refreshes.
func interleave(l *lab, transport string, method sessiontimer.Method, refresher string) {
	wish := sessiontimer.Auto
	if refresher == "bob" {
		wish = sessiontimer.Local
	}
	alice, bob := l.pair(transport, []middleware.Option{middleware.WithMethod(method)},
		[]middleware.Option{middleware.WithMethod(method), middleware.WithRefresher(wish)})
	for _, u := range []*sipua.UA{alice, bob} {
		u.Server.OnRequest(sip.REFER, func(req *sip.Request, tx sip.ServerTransaction) {
			_ = tx.Respond(sip.NewResponseFromRequest(req, 202, "Accepted", nil))
		})
		u.Server.OnUpdate(func(req *sip.Request, tx sip.ServerTransaction) {
			_ = tx.Respond(sip.NewSDPResponseFromRequest(req, []byte(u.SDP)))
		})
	}
	call := alice.Call(bob)
	us, addr, to := alice, aliceAddr, bobAddr
	var d interface {
		sipua.Dialog
		Bye(context.Context) error
	} = call
	if refresher == "bob" {
		us, addr, to, d = bob, bobAddr, aliceAddr, bob.Answered()
	}
	l.at(950 * time.Second)
	l.send(us, d, to, sip.INFO, "")
	l.send(us, d, to, sip.INVITE, hold)
	l.at(1900 * time.Second)
	l.send(us, d, to, sip.REFER, "")
	l.send(us, d, to, sip.UPDATE, us.SDP)
	l.at(2900 * time.Second)
	if err := d.Bye(context.Background()); err != nil {
		l.Errorf("BYE after refreshes: %v, should be accepted", err)
	}

	refresh := func(n int) []string {
		if method == sessiontimer.MethodUpdate {
			return []string{fmt.Sprintf("UPDATE %d", n)}
		}
		return []string{fmt.Sprintf("INVITE %d", n), fmt.Sprintf("ACK %d", n)}
	}
	want, next := []string{"INVITE 0", "ACK 0"}, 1
	if refresher == "bob" {
		want, next = nil, 0
	}
	add := func(rows ...string) { want = append(want, rows...); next++ }
	add(refresh(next)...) // 900 s
	add(fmt.Sprintf("INFO %d", next))
	add(fmt.Sprintf("INVITE %d", next), fmt.Sprintf("ACK %d", next))
	add(refresh(next)...) // 1850 s
	add(fmt.Sprintf("REFER %d", next))
	add(fmt.Sprintf("UPDATE %d", next))
	add(refresh(next)...) // 2800 s
	add(fmt.Sprintf("BYE %d", next))
	if diff := cmp.Diff(want, l.numbers(addr)); diff != "" {
		l.Errorf("CSeq on the wire, counted from the first (-want +got):\n%s", diff)
	}
}

// D-24: an ACK has the number that its INVITE got on the wire, and so have the
// replays when the peer sends its 200 again.
func TestAckOfRenumberedInvite(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		done := make(chan *sipgo.DialogClientSession, 1)
		go func() {
			d, err := alice.Try(&sipua.UA{Addr: peerAddr})
			if err != nil {
				t.Errorf("the call fails: %v", err)
			}
			done <- d
		}()
		first := p.ExpectRequest(l, sip.INVITE)
		p.Reply(first, 422, "Session Interval Too Small", "Min-SE: 3600")
		p.ExpectRequest(l, sip.ACK)
		second := p.ExpectRequest(l, sip.INVITE)
		ok := p.Reply(second, 200, "OK", "Session-Expires: 3600;refresher=uac")
		<-done
		for _, which := range []string{"first", "replayed"} {
			msg, received := p.RecvAny(time.Second)
			ack, isRequest := msg.(*sip.Request)
			if !received || !isRequest || !ack.IsAck() || ack.CSeq().SeqNo != first.CSeq().SeqNo+1 {
				l.Errorf("the %s ACK is %v, should have CSeq %d as the second INVITE", which, msg, first.CSeq().SeqNo+1)
			}
			p.Send(aliceAddr, ok.String())
		}
	})
}

// E-30: where an ACK went says nothing about where later requests go: the peer
// may move, and the refresh follows it.
func TestRefreshFollowsContact(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		moved := l.net.Peer("10.0.0.9:6000")
		call := l.callPeer(alice, p, ours, "Allow: UPDATE")
		p.Send(aliceAddr, string(l.net.Messages()[1].Raw)) // replays the ACK
		_, _ = p.RecvAny(time.Second)
		l.at(900 * time.Second)
		l.refreshed(p, sip.UPDATE)
		l.at(1000 * time.Second) // an ACK that is renumbered
		go l.send(alice, call, peerAddr, sip.INVITE, hold)
		l.refreshed(p, sip.INVITE)
		l.at(1100 * time.Second)
		p.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 1800;refresher=uas", "Contact: <sip:peer@10.0.0.9:6000>")
		p.ExpectResponse(l, 200)
		l.at(2000 * time.Second)
		if req := moved.ExpectRequest(l, sip.UPDATE); req != nil {
			moved.Reply(req, 200, "OK", ours)
		}
	})
}

// E-30: so does the ACK of the application's own re-INVITE.
func TestAckFollowsContact(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		moved := l.net.Peer("10.0.0.9:6000")
		call := l.callPeer(alice, p, ours, "Allow: UPDATE")
		l.at(100 * time.Second)
		p.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 1800;refresher=uas", "Contact: <sip:peer@10.0.0.9:6000>")
		p.ExpectResponse(l, 200)
		l.at(200 * time.Second)
		go l.send(alice, call, peerAddr, sip.INVITE, hold)
		moved.Reply(moved.ExpectRequest(l, sip.INVITE), 200, "OK", ours)
		moved.ExpectRequest(l, sip.ACK)
	})
}

// J-13: many INFOs at once, while refreshes run; none is refused.
func TestConcurrentRequests(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run("J-13 "+transport, func(t *testing.T) {
			inLab(t, func(l *lab) {
				short := []middleware.Option{middleware.WithSessionExpires(4 * time.Second), middleware.WithMinSE(time.Second),
					middleware.WithUnsafeIntervals()}
				alice, bob := l.pair(transport, short, short)
				d := alice.Call(bob)
				var wg sync.WaitGroup
				for i := range 20 {
					wg.Go(func() {
						for range 20 {
							time.Sleep(time.Duration(i+1) * 37 * time.Millisecond)
							req := sip.NewRequest(sip.INFO, bobURI)
							res, err := d.Do(context.Background(), req)
							if err != nil || res.StatusCode != 200 {
								l.Errorf("an INFO gets %v %v, should get 200", res, err)
							}
						}
					})
				}
				wg.Wait()
				time.Sleep(time.Minute)
				if n := len(l.sent(aliceAddr, sip.UPDATE)); n < 3 {
					l.Errorf("%d refreshes meanwhile, should be 3 at least", n)
				}
				l.wantAlive("alice", d)
			})
		})
	}
}

// An own refresh waits for a request of the application under way, and the other
// way round, the application for T1 at most.
func TestRequestsTakeTurns(t *testing.T) {
	const allow = "Allow: UPDATE"
	t.Run("the refresh waits", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			call := l.callPeer(alice, p, ours, allow)
			l.at(899 * time.Second)
			go l.send(alice, call, peerAddr, sip.INFO, "")
			info := p.ExpectRequest(l, sip.INFO)
			l.at(902 * time.Second)
			l.wantSent(aliceAddr, sip.UPDATE)
			p.Reply(info, 200, "OK")
			l.refreshed(p, sip.UPDATE)
			l.wantSent(aliceAddr, sip.UPDATE, 902*time.Second)
		})
	})
	t.Run("D-17 J-15 a hold under way makes the refresh unnecessary", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			call := l.callPeer(alice, p, ours)
			l.at(890 * time.Second)
			go l.send(alice, call, peerAddr, sip.INVITE, hold)
			req := p.ExpectRequest(l, sip.INVITE)
			p.Reply(req, 180, "Ringing")
			l.at(950 * time.Second)
			p.Reply(req, 200, "OK", ours)
			p.ExpectRequest(l, sip.ACK)
			l.at(1849 * time.Second)
			l.wantSent(aliceAddr, sip.INVITE, 0, 890*time.Second)
			l.at(1850 * time.Second)
			l.refreshed(p, sip.INVITE)
		})
	})
	t.Run("the application waits for a refresh that is answered soon", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			call := l.callPeer(alice, p, ours, allow)
			l.at(900 * time.Second)
			update := p.ExpectRequest(l, sip.UPDATE)
			go l.send(alice, call, peerAddr, sip.INFO, "")
			l.at(seconds(900.2))
			l.wantSent(aliceAddr, sip.INFO)
			p.Reply(update, 200, "OK", ours)
			p.Reply(p.ExpectRequest(l, sip.INFO), 200, "OK")
			synctest.Wait()
			l.wantSent(aliceAddr, sip.INFO, seconds(900.2))
		})
	})
	t.Run("but not longer than T1", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			call := l.callPeer(alice, p, ours, allow)
			l.at(900 * time.Second)
			update := p.ExpectRequest(l, sip.UPDATE)
			go l.send(alice, call, peerAddr, sip.INFO, "")
			p.Reply(p.ExpectRequest(l, sip.INFO), 200, "OK")
			l.wantSent(aliceAddr, sip.INFO, 900*time.Second+sip.T1)
			p.Reply(update, 200, "OK", ours)
			synctest.Wait()
		})
	})
}
