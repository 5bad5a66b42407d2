package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

const ourRefresh = "Session-Expires: 1800;refresher=uas" // in a request of the peer

// belowTx is the transaction below the timers, with a Respond of the test's own.
type belowTx struct {
	sip.ServerTransaction
	respond func(*sip.Response) error
}

func (b belowTx) Respond(res *sip.Response) error { return b.respond(res) }

// below has the requests of a method pass through respond on their way down.
func below(u *sipua.UA, method sip.RequestMethod, app func(*sip.Request, sip.ServerTransaction),
	respond func(sip.ServerTransaction, *sip.Response) error) {
	h := u.Timers.Handler(app)
	u.Server.Server.OnRequest(method, func(req *sip.Request, tx sip.ServerTransaction) {
		h(req, belowTx{tx, func(res *sip.Response) error { return respond(tx, res) }})
	})
}

// answers200 answers as an application does that has a new description.
func answers200(u *sipua.UA, outcome *error, body string) func(*sip.Request, sip.ServerTransaction) {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		res := sip.NewSDPResponseFromRequest(req, []byte(body))
		res.AppendHeader(&sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "moved", Host: "10.0.0.2", Port: 5060}})
		if err := tx.Respond(res); outcome != nil {
			*outcome = err
		}
	}
}

// stored are the dialogs of a user agent.
func stored(u *sipua.UA) (all []dialogstore.Dialog) {
	for d := range u.Timers.Store().All(context.Background()) {
		all = append(all, d)
	}
	return all
}

// wantAsBefore checks that a user agent's dialogs are what they were, but for the
// number of the peer's last request.
func (l *lab) wantAsBefore(u *sipua.UA, before []dialogstore.Dialog) {
	l.Helper()
	number := cmpopts.IgnoreFields(dialogstore.Dialog{}, "Version", "RemoteCSeq")
	if diff := cmp.Diff(before, stored(u), number); diff != "" {
		l.Errorf("the dialogs of %s (-before +now):\n%s", u.Name, diff)
	}
}

var tooLong = sipua.SDP("bob", "2") + strings.Repeat("a=fill\r\n", 200)

// moves is what a request of the peer carries that would change all that there is to
// change.
var moves = []string{timerHeader, "Session-Expires: 600;refresher=uac", "Min-SE: 500", "Allow: INVITE", "Contact: <sip:peer@10.0.0.8:5070>"}

// E-29: a 2xx that the peer was not sent changes nothing: neither the timer nor
// target, description or abilities. The refresh comes as if it had never been.
func TestAnswerNotSent(t *testing.T) {
	refuse := func(sip.ServerTransaction, *sip.Response) error { return errors.New("no route to host") }
	pass := func(tx sip.ServerTransaction, res *sip.Response) error { return tx.Respond(res) }
	for _, c := range []struct {
		name    string
		method  sip.RequestMethod
		body    string // of the peer's request
		answer  string
		respond func(sip.ServerTransaction, *sip.Response) error
		local   bool
	}{
		{"re-INVITE, refused by the transaction", sip.INVITE, sdp2, sipua.SDP("bob", "2"), refuse, false},
		{"re-INVITE, too long for a datagram", sip.INVITE, sdp2, tooLong, pass, false},
		{"re-INVITE answered here, refused by the transaction", sip.INVITE, sipnet.SDP, "", refuse, true},
		{"UPDATE, refused by the transaction", sip.UPDATE, sdp2, sipua.SDP("bob", "2"), refuse, false},
		{"UPDATE, too long for a datagram", sip.UPDATE, sdp2, tooLong, pass, false},
		{"UPDATE answered here, refused by the transaction", sip.UPDATE, "", "", refuse, true},
	} {
		t.Run("E-29 "+c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(middleware.WithAnswerUpdate(true)), l.peer()
				l.peerCalls(p, bob, timerHeader, allow, ourRefresh)
				var outcome error
				respond := c.respond
				below(bob, c.method, answers200(bob, &outcome, c.answer), func(tx sip.ServerTransaction, res *sip.Response) error {
					return respond(tx, res)
				})
				before, told := stored(bob), len(bob.Events())
				l.at(800 * time.Second)
				p.Request(c.method, append(moves, c.body)...)
				l.at(801 * time.Second)
				if n := l.count(bobAddr, "200 OK ("+string(c.method)+")"); c.method == sip.UPDATE && n > 0 || n > 1 {
					l.Fatalf("a 200 is on the wire, want none")
				}
				if outcome == nil && !c.local {
					l.Error("the application gets no error, want one")
				}
				l.wantAsBefore(bob, before)
				if got := events(bob)[told:]; len(got) > 0 {
					l.Errorf("events %v, want none", got)
				}
				l.at(899 * time.Second)
				l.refreshed(p, sip.UPDATE)
				l.wantAlive("bob", bob.Answered())
				// And nothing is left open: the next request is answered.
				respond = pass
				p.Request(sip.UPDATE, timerHeader, ourRefresh)
				wantStatus(l, p, "the next UPDATE", 200)
			})
		})
	}
}

// E-29: the 2xx of a first INVITE that is not sent makes no dialog.
func TestFirstAnswerNotSent(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		refuse       bool
	}{
		{"refused by the transaction", sipua.SDP("bob", "1"), true},
		{"too long for a datagram", tooLong, false},
	} {
		t.Run("E-29 "+c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				var outcome error
				below(bob, sip.INVITE, answers200(bob, &outcome, c.answer), func(tx sip.ServerTransaction, res *sip.Response) error {
					if c.refuse {
						return errors.New("no route to host")
					}
					return tx.Respond(res)
				})
				p.Invite(bob.Addr, timerHeader, allow, ourRefresh)
				l.at(10 * time.Second)
				if outcome == nil {
					l.Error("the application gets no error, want one")
				}
				if d, e := stored(bob), events(bob); len(d)+len(e) > 0 {
					l.Errorf("dialogs %v, events %v; want none", d, e)
				}
				l.wantNothingLeft(bob)
			})
		})
	}
}

// E-29: the peer has cancelled its re-INVITE and got the 487; the application answers
// all the same. That counts for nothing, and the 487 stays the answer: it is what
// comes again while the ACK is missing.
func TestAnswerAfterCancel(t *testing.T) {
	for _, c := range []struct {
		name   string
		ack    bool
		status int
	}{{"acknowledged", true, 200}, {"the ACK is late", false, 200}, {"only ringing", false, 180}} {
		t.Run("E-29 "+c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				l.peerCalls(p, bob, timerHeader, allow, ourRefresh)
				bob.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) {
					_ = tx.Respond(sip.NewResponseFromRequest(req, 180, "Ringing", nil))
					time.Sleep(400 * time.Millisecond)
					res := sip.NewSDPResponseFromRequest(req, []byte(bob.SDP))
					if c.status == 180 {
						res = sip.NewResponseFromRequest(req, 180, "Ringing", nil)
					}
					_ = tx.Respond(res)
				}
				l.at(898 * time.Second)
				p.Request(sip.INVITE, append(moves, sdp2)...)
				p.ExpectResponse(l, 180)
				p.Cancel()
				res := want487(l, p)
				if c.ack {
					p.Ack(res)
				}
				l.at(899 * time.Second)
				if n := l.count(bobAddr, "487 Request Terminated (INVITE)"); !c.ack && n != 2 {
					l.Errorf("the 487 was sent %d times by Timer G, want twice", n)
				}
				if !c.ack {
					p.Ack(res)
				}
				if n := l.count(bobAddr, "200 OK (INVITE)"); n != 1 {
					l.Fatalf("%d 200s to INVITEs, want the one that made the call", n)
				}
				l.wantNext(p, sip.UPDATE, 900*time.Second)
			})
		})
	}
}

// E-29: the same of a first INVITE makes no dialog.
func TestFirstAnswerAfterCancel(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		bob.Accept = func(d *sipgo.DialogServerSession) {
			_ = d.Respond(180, "Ringing", nil)
			time.Sleep(400 * time.Millisecond)
			if err := d.RespondSDP([]byte(bob.SDP)); err == nil {
				l.Error("the application gets no error, want one")
			}
		}
		p.Invite(bob.Addr, timerHeader, allow, ourRefresh)
		p.ExpectResponse(l, 180)
		p.Cancel()
		res := want487(l, p)
		l.at(time.Second)
		if n := l.count(bobAddr, "487 Request Terminated (INVITE)"); n != 2 {
			l.Errorf("the 487 was sent %d times by Timer G, want twice", n)
		}
		p.Ack(res)
		l.at(10 * time.Second)
		if n := l.count(bobAddr, "200 OK (INVITE)"); n > 0 {
			l.Errorf("%d 200s to the INVITE, want none", n)
		}
		if d, e := stored(bob), events(bob); len(d)+len(e) > 0 {
			l.Errorf("dialogs %v, events %v; want none", d, e)
		}
		l.wantNothingLeft(bob)
	})
}

// want487 passes the 200 to the CANCEL over.
func want487(l *lab, p *sipnet.Peer) *sip.Response {
	l.Helper()
	for {
		msg, ok := p.Recv(time.Second)
		if !ok {
			l.Fatal("no 487")
		}
		if res, is := msg.(*sip.Response); is && res.StatusCode == 487 {
			return res
		}
	}
}

// E-29: an INVITE that was refused is not accepted later. sipgo would say nothing, and
// send the 200 when the refusal comes again.
func TestAnswerAfterRefusal(t *testing.T) {
	for _, method := range []sip.RequestMethod{sip.INVITE, sip.UPDATE} {
		t.Run("E-29 "+string(method), func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				l.peerCalls(p, bob, timerHeader, allow, ourRefresh)
				var outcome error
				handler := func(req *sip.Request, tx sip.ServerTransaction) {
					_ = tx.Respond(sip.NewResponseFromRequest(req, 488, "Not Acceptable Here", nil))
					answers200(bob, &outcome, bob.SDP)(req, tx)
				}
				bob.ReInvite = handler
				bob.Server.OnUpdate(handler)
				l.at(898 * time.Second)
				p.Request(method, append(moves, sdp2)...)
				res := p.ExpectResponse(l, 488)
				l.at(899 * time.Second)
				if method == sip.INVITE {
					p.Ack(res)
				}
				if outcome == nil {
					l.Error("the 200 after the 488 gives no error, want one")
				}
				if n := l.count(bobAddr, "200 OK ("+string(method)+")"); n > 1 || n == 1 && method == sip.UPDATE {
					l.Error("a 200 is on the wire after the 488")
				}
				l.at(900*time.Second - 1)
				l.refreshed(p, sip.UPDATE)
			})
		})
	}
}

// E-30: what the peer was sent counts, whatever error the transaction still has.
func TestAnswerSentAllTheSame(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler func(*sipua.UA, *error) func(*sip.Request, sip.ServerTransaction)
	}{
		{"a shorter answer after one that is too long", func(bob *sipua.UA, outcome *error) func(*sip.Request, sip.ServerTransaction) {
			return func(req *sip.Request, tx sip.ServerTransaction) {
				if answers200(bob, outcome, tooLong)(req, tx); *outcome == nil {
					t.Error("no error for an answer that is too long")
				}
				answers200(bob, outcome, bob.SDP)(req, tx)
			}
		}},
		{"after the handler has returned", func(bob *sipua.UA, outcome *error) func(*sip.Request, sip.ServerTransaction) {
			return func(req *sip.Request, tx sip.ServerTransaction) {
				time.AfterFunc(time.Second, func() { answers200(bob, outcome, bob.SDP)(req, tx) })
			}
		}},
	} {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprintf("E-30 %s, first INVITE %v", c.name, first), func(t *testing.T) {
				inLab(t, func(l *lab) {
					bob, p := l.bob(), l.peer()
					var outcome error
					if first {
						bob.Server.OnInvite(c.handler(bob, &outcome))
						p.Invite(bob.Addr, timerHeader, allow, ourRefresh)
					} else {
						l.peerCalls(p, bob, timerHeader, allow, se1800)
						bob.ReInvite = c.handler(bob, &outcome)
						p.Request(sip.INVITE, timerHeader, allow, ourRefresh, sdp2)
					}
					res := wantStatus(l, p, "the INVITE", 200)
					p.Ack(res)
					synctest.Wait()
					if outcome != nil {
						l.Errorf("the application gets %v for an answer that was sent", outcome)
					}
					at := l.net.Elapsed()
					l.at(at + 899*time.Second)
					l.refreshed(p, sip.UPDATE)
				})
			})
		}
	}
}

// E-30: an application that keeps no dialogs has another tag for each response; that
// of the 2xx is the dialog's.
func TestAnswerWithAnotherTag(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		var outcome error
		bob.Server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
			for _, status := range []int{180, 183} {
				_ = tx.Respond(sip.NewResponseFromRequest(req, status, "Ringing", nil))
			}
			answers200(bob, &outcome, bob.SDP)(req, tx)
		})
		p.Invite(bob.Addr, timerHeader, allow, ourRefresh)
		p.ExpectResponse(l, 180)
		p.ExpectResponse(l, 183)
		res := p.ExpectResponse(l, 200)
		p.Ack(res)
		synctest.Wait()
		p.Request(sip.UPDATE, "To: "+res.To().Value(), timerHeader, ourRefresh)
		wantStatus(l, p, "an UPDATE", 200)
		if d := stored(bob); len(d) != 1 || d[0].LocalTag != res.To().Params.GetOr("tag", "") {
			l.Errorf("dialogs %+v, want the one of the 200:\n%s", d, res)
		}
		l.at(899 * time.Second)
		l.refreshed(p, sip.UPDATE)
	})
}

// A refresh that is answered here, and whose 200 fits no datagram, is answered 500:
// silence would end the call.
func TestOwnAnswerTooLong(t *testing.T) {
	inLab(t, func(l *lab) {
		_, p := peersCall(l)
		l.at(800 * time.Second)
		p.Request(sip.UPDATE, timerHeader, se1800, "Record-Route: <sip:"+strings.Repeat("x", 1100)+"@10.0.0.9;lr>")
		if res := wantStatus(l, p, "the UPDATE", 500); len(res.Body()) > 0 || sipnet.Timers(res) != "" {
			l.Errorf("the 500 is\n%s", res)
		}
		p.Request(sip.UPDATE, timerHeader, se1800)
		wantStatus(l, p, "the next one", 200)
		l.wantNext(p, sip.BYE, (800+1768)*time.Second)
	})
}

// D-13: an answer in an ACK that could not be sent is not repeated in a refresh.
func TestAckNotSent(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		d, _ := l.peerCalls(p, bob, timerHeader, "Allow: INVITE", ourRefresh)
		before := bob.SDP
		done := make(chan error, 1)
		go func() {
			_, err := d.Do(context.Background(), sip.NewRequest(sip.INVITE, peerURI))
			if err == nil {
				ack := sip.NewRequest(sip.ACK, peerURI)
				ack.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
				ack.SetBody([]byte(tooLong))
				err = d.WriteRequest(ack)
			}
			done <- err
		}()
		p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", ours)
		if err := <-done; err == nil {
			l.Error("the ACK that is too long gives no error, want one")
		}
		synctest.Wait()
		if d := stored(bob); len(d) != 1 || string(d[0].SDP) != before {
			l.Errorf("the description sent last is\n%s\nwant the one that the peer has", d[0].SDP)
		}
	})
}

// E-29: on a stream, where the transaction of a request is over when its handler
// returns, the answer that comes later finds the stream gone, or the INVITE cancelled.
func TestAnswerLateOnStream(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*lab, *sipua.UA, *sip.Request)
	}{
		{"gone", func(l *lab, alice *sipua.UA, _ *sip.Request) {
			conn, err := alice.UA.TransportLayer().GetConnection("tcp", bobAddr)
			if err != nil {
				l.Fatal(err)
			}
			_ = conn.Close()
		}},
		{"cancelled", func(l *lab, alice *sipua.UA, invite *sip.Request) {
			cancel := sip.NewRequest(sip.CANCEL, invite.Recipient)
			for _, h := range []sip.Header{invite.Via(), invite.From(), invite.To(), invite.CallID()} {
				cancel.AppendHeader(sip.HeaderClone(h))
			}
			cancel.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.CANCEL})
			cancel.SetTransport("TCP")
			if err := alice.Client.WriteRequest(cancel); err != nil {
				l.Fatal(err)
			}
		}},
	} {
		for _, returns := range []bool{false, true} {
			t.Run(fmt.Sprintf("E-29 %s, handler returns %v", c.name, returns), func(t *testing.T) {
				inLab(t, func(l *lab) {
					alice, bob := l.pair("tcp", nil, nil)
					d := alice.Call(bob)
					synctest.Wait()
					asked, outcome := false, error(nil)
					bob.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) {
						_ = tx.Respond(sip.NewResponseFromRequest(req, 180, "Ringing", nil))
						time.Sleep(time.Second)
						answer := func() {
							time.Sleep(time.Second)
							asked = true
							answers200(bob, &outcome, sipua.SDP("bob", "2"))(req, tx)
						}
						if returns {
							go answer()
							return
						}
						answer()
					}
					before, told := stored(bob), len(bob.Events())
					ctx, stop := context.WithCancel(context.Background())
					defer stop()
					invite := sip.NewRequest(sip.INVITE, bobURI)
					invite.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
					invite.SetBody([]byte(hold))
					go func() { _, _ = d.Do(ctx, invite) }()
					l.at(500 * time.Millisecond)
					c.end(l, alice, invite)
					l.at(3 * time.Second)
					if !asked || outcome == nil {
						l.Errorf("the application gets %v for its answer (asked: %v), want an error", outcome, asked)
					}
					l.wantAsBefore(bob, before)
					if got := events(bob)[told:]; len(got) > 0 {
						l.Errorf("events %v, want none", got)
					}
				})
			})
		}
	}
}

// D-13, E-30: what a late answer says is agreed: our next refresh offers it, and the peer's
// that repeats its offer gets it again.
func TestLateAnswerIsAgreed(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithMethod(sessiontimer.MethodReInvite)), l.peer()
		l.peerCalls(p, bob, timerHeader, allow, ourRefresh)
		bob.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) {
			time.AfterFunc(time.Second, func() { answers200(bob, nil, sipua.SDP("bob", "9"))(req, tx) })
		}
		p.Request(sip.INVITE, timerHeader, allow, ourRefresh, sdp2)
		p.Ack(wantStatus(l, p, "the INVITE", 200))
		p.Request(sip.UPDATE, timerHeader, allow, ourRefresh, sdp2)
		if got := string(wantStatus(l, p, "an UPDATE that repeats the offer", 200).Body()); !strings.Contains(got, "o=bob 1 9") {
			l.Errorf("the repeated offer is answered with %q, want the late answer", got)
		}
		l.at(l.net.Elapsed() + 899*time.Second)
		if got := string(l.refreshed(p, sip.INVITE).Body()); !strings.Contains(got, "o=bob 1 9") {
			l.Errorf("our refresh offers %q, want the late answer", got)
		}
	})
}
