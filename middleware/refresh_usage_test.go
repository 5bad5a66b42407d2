package middleware_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// answersAll makes u accept requests of the methods, as an application would.
func answersAll(u *sipua.UA, methods ...sip.RequestMethod) {
	for _, method := range methods {
		u.Server.OnRequest(method, func(req *sip.Request, tx sip.ServerTransaction) {
			_ = tx.Respond(sip.NewResponseFromRequest(req, map[bool]int{true: 202, false: 200}[method == sip.REFER], "OK", nil))
		})
	}
}

// J-02: requests other than INVITE and UPDATE refresh nothing, however many come from either
// side.
func TestPingsDoNotRefresh(t *testing.T) {
	for _, method := range []sip.RequestMethod{sip.OPTIONS, sip.INFO, sip.MESSAGE, sip.NOTIFY, sip.REFER} {
		t.Run("J-02 "+string(method), func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				answersAll(bob, method)
				d, _ := l.peerCalls(p, bob, timerHeader, allow, "Session-Expires: 300;refresher=uac")
				for at := 30 * time.Second; at < 268*time.Second; at += 30 * time.Second {
					l.at(at)
					p.Request(method, timerHeader, "Session-Expires: 300;refresher=uac", "Event: talk", "Refer-To: <sip:x@10.0.0.3>")
					if msg, ok := p.Recv(time.Second); !ok || !msg.(*sip.Response).IsSuccess() || field(msg, "Session-Expires") != "" {
						l.Fatalf("the %s at %v gets %v, want a 2xx without Session-Expires", method, at, msg)
					}
					go func() { _, _ = bob.Send(d, peerAddr, method, "") }()
					p.Reply(p.ExpectRequest(l, method), 200, "OK", "Session-Expires: 300;refresher=uac")
				}
				l.at(268 * time.Second)
				l.wantSent(bobAddr, sip.BYE, 268*time.Second)
				l.wantEnded("bob", d)
			})
		})
	}
}

// J-01: the peer's hold, resume and change of codec refresh, and so do ours, by
// either request.
func TestHoldRefreshes(t *testing.T) {
	for _, method := range []sip.RequestMethod{sip.INVITE, sip.UPDATE} {
		for _, ours := range []bool{true, false} {
			t.Run(fmt.Sprintf("J-01 %s, ours=%v", method, ours), func(t *testing.T) {
				inLab(t, func(l *lab) {
					bob, p := l.bob(), l.peer()
					d, _ := l.peerCalls(p, bob, timerHeader, allow, "Session-Expires: 1800;refresher=uac")
					bob.Server.OnUpdate(answerAfter(bob, 0, 200))
					for i := range 5 { // hold and resume in turn, 1500 s apart
						l.at(time.Duration(i+1) * 1500 * time.Second)
						sdp := []string{hold, sipnet.SDP}[i%2]
						switch {
						case !ours:
							p.Request(method, timerHeader, "Session-Expires: 1800;refresher=uac", sdp)
							if res := wantStatus(l, p, "the hold", 200); method == sip.INVITE {
								p.Ack(res)
							}
							continue
						default:
							go func() { _, _ = bob.Send(d, peerAddr, method, sdp) }()
						}
						req := p.ExpectRequest(l, method)
						if got := field(req, "Session-Expires"); got != "1800;refresher=uas" {
							l.Errorf("D-03: the hold says %q, want the peer to go on refreshing", got)
						}
						p.Reply(req, 200, "OK", "Session-Expires: 1800;refresher=uas")
						if method == sip.INVITE {
							p.ExpectRequest(l, sip.ACK)
						}
					}
					l.wantAlive("bob", d)
					l.at((7500 + 1768) * time.Second)
					l.wantSent(bobAddr, sip.BYE, (7500+1768)*time.Second)
				})
			})
		}
	}
}

// J-04: five minutes of early media, with a reliable 183 and its PRACK, in a call of 90 s:
// the timer does not exist before the 2xx.
func TestLongEarlyMedia(t *testing.T) {
	t.Run("J-04 callee", func(t *testing.T) {
		inLab(t, func(l *lab) {
			bob, p := l.bob(), l.peer()
			answersAll(bob, sip.PRACK)
			answer := make(chan struct{})
			bob.Accept = func(d *sipgo.DialogServerSession) {
				_ = d.Respond(183, "Session Progress", []byte(bob.SDP), sip.NewHeader("Require", "100rel"), sip.NewHeader("RSeq", "1"))
				<-answer
				_ = d.RespondSDP([]byte(bob.SDP))
			}
			p.Invite(bob.Addr, timerHeader, allow, "Session-Expires: 90;refresher=uas")
			early := p.ExpectResponse(l, 183)
			p.Request(sip.PRACK, "RAck: 1 1 INVITE")
			prack := wantStatus(l, p, "the PRACK", 200)
			for _, res := range []*sip.Response{early, prack} {
				if sipnet.Timers(res) != "" || strings.Contains(field(res, "Require"), "timer") {
					l.Errorf("%s says %q, Require %q, want nothing of timers", sipnet.Label(res), sipnet.Timers(res), field(res, "Require"))
				}
			}
			p.Quiet(l, 300*time.Second-l.net.Elapsed())
			close(answer)
			p.Ack(p.ExpectResponse(l, 200))
			l.at(345 * time.Second)
			l.refreshed(p, sip.UPDATE)
			l.wantSent(bobAddr, sip.UPDATE, 345*time.Second)
			l.wantAlive("bob", bob.Answered())
		})
	})
	t.Run("J-04 caller", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(middleware.WithSessionExpires(90*time.Second)), l.peer()
			_, outcome := l.dial(alice)
			invite := p.ExpectRequest(l, sip.INVITE)
			p.Reply(invite, 183, "Session Progress", "Session-Expires: 90;refresher=uac", "Require: timer", sipnet.SDP)
			p.Quiet(l, 300*time.Second)
			p.Reply(invite, 200, "OK", allow, "Session-Expires: 90;refresher=uac")
			p.ExpectRequest(l, sip.ACK)
			if err := <-outcome; err != nil {
				l.Fatal(err)
			}
			l.at(345 * time.Second)
			l.refreshed(p, sip.UPDATE)
			l.wantSent(aliceAddr, sip.UPDATE, 345*time.Second)
		})
	})
}

// J-10: an UPDATE that crosses the refusal of our re-INVITE: each counts for
// itself, in the order in which they arrive.
func TestUpdateCrossesRefusal(t *testing.T) {
	for _, updateFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("J-10 update first=%v", updateFirst), func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				moved := l.net.Peer("10.0.0.9:6000")
				d := l.callPeer(alice, p, allow, timerHeader, se1800)
				l.at(500 * time.Second)
				go func() { _, _ = alice.Send(d, peerAddr, sip.INVITE, hold) }()
				req := p.ExpectRequest(l, sip.INVITE)
				refuse := func() { p.Reply(req, 488, "No", "Contact: <sip:peer@10.0.0.9:7000>"); p.ExpectRequest(l, sip.ACK) }
				if !updateFirst {
					refuse()
				}
				p.Request(sip.UPDATE, timerHeader, "Session-Expires: 600;refresher=uas", "Contact: <sip:peer@10.0.0.9:6000>")
				wantStatus(l, p, "the UPDATE", 200)
				if updateFirst {
					refuse()
				}
				l.at(800 * time.Second)
				update := moved.ExpectRequest(l, sip.UPDATE)
				if got := field(update, "Session-Expires"); got != "600;refresher=uac" {
					l.Errorf("the refresh says %q, want 600;refresher=uac", got)
				}
				moved.Reply(update, 200, "OK", "Session-Expires: 600;refresher=uac")
				synctest.Wait()
				l.wantSent(aliceAddr, sip.UPDATE, 800*time.Second)
				l.wantAlive("alice", d)
			})
		})
	}
}

// J-11: once our Contact has changed, by a request or answer of the application, refreshes
// and our own answers have the new one. A refused request changes nothing.
func TestOwnContactMoves(t *testing.T) {
	at := func(port int) *sip.ContactHeader {
		return &sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "alice", Host: "10.0.0.1", Port: port}}
	}
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE} {
		for _, way := range []string{"request", "refused request", "answer"} {
			t.Run(fmt.Sprintf("J-11 %s by %s", way, method), func(t *testing.T) {
				inLab(t, func(l *lab) {
					alice, p := l.alice(middleware.WithMethod(methodOf[method])), l.peer()
					go func() { _ = alice.Server.ServeUDP(l.net.PacketConn("10.0.0.1:7000")) }()
					d := l.callPeer(alice, p, allow, timerHeader, se1800)
					want := "<sip:alice@10.0.0.1:7000>"
					if way == "answer" {
						answer := func(req *sip.Request, tx sip.ServerTransaction) {
							res := sip.NewSDPResponseFromRequest(req, []byte(alice.SDP))
							res.AppendHeader(at(7000))
							_ = tx.Respond(res)
						}
						alice.ReInvite = answer
						alice.Server.OnUpdate(answer)
						p.Request(method, timerHeader, "Session-Expires: 1800;refresher=uas", sdp2)
						if res := wantStatus(l, p, "the peer's "+string(method), 200); method == sip.INVITE {
							p.Ack(res)
						}
					} else {
						req := sip.NewRequest(method, peerURI)
						req.AppendHeader(at(7000))
						req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
						req.SetBody([]byte(alice.SDP))
						go func() {
							if res, err := d.Do(context.Background(), req); err == nil && res.IsSuccess() && method == sip.INVITE {
								_ = d.WriteRequest(sip.NewRequest(sip.ACK, peerURI))
							}
						}()
						status := 200
						if way == "refused request" {
							status, want = 488, "<sip:alice@10.0.0.1:5060>"
						}
						p.Reply(p.ExpectRequest(l, method), status, "Well", se1800)
						if method == sip.INVITE {
							p.ExpectRequest(l, sip.ACK)
						}
					}
					synctest.Wait()
					l.at(900 * time.Second)
					if got := field(l.refreshed(p, method), "Contact"); got != want {
						l.Errorf("the refresh says Contact %q, want %q", got, want)
					}
					p.Request(sip.UPDATE, timerHeader, "Session-Expires: 1800;refresher=uas") // to the Contact
					if res := wantStatus(l, p, "the peer's UPDATE", 200); field(res, "Contact") != want {
						l.Errorf("our answer says Contact %q, want %q", field(res, "Contact"), want)
					}
					p.Request(sip.BYE)
					wantStatus(l, p, "the peer's BYE", 200)
					synctest.Wait()
					l.wantEnded("alice", d)
				})
			})
		}
	}
}

// J-20: a peer whose every re-INVITE raises the version of its session
// description, as browsers do, renegotiates with the application each time, and
// refreshes.
func TestRisingVersions(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithAnswerReInvite(true)), l.peer()
		asked := 0
		bob.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) {
			asked++
			bob.SDP = sipua.SDP("bob", fmt.Sprint(asked+1))
			answerAfter(bob, 0, 200)(req, tx)
		}
		d, _ := l.peerCalls(p, bob, timerHeader, "Session-Expires: 90;refresher=uac")
		for i := range 20 {
			l.at(time.Duration(i+1) * 45 * time.Second)
			p.Request(sip.INVITE, timerHeader, "Session-Expires: 90;refresher=uac", strings.Replace(sipnet.SDP, "o=- 1 1", fmt.Sprintf("o=- 1 %d", i+2), 1))
			res := wantStatus(l, p, "the re-INVITE", 200)
			p.Ack(res)
			if string(res.Body()) != sipua.SDP("bob", fmt.Sprint(i+2)) || field(res, "Session-Expires") != "90;refresher=uac" {
				l.Errorf("the answer says %q\n%s\nwant the timer, and what the application says", field(res, "Session-Expires"), res.Body())
			}
		}
		synctest.Wait()
		l.wantAlive("bob", d)
		l.wantSent(bobAddr, sip.BYE)
	})
}

// J-21: the interval does not limit a call: a refreshed call outlives it, and also the
// Expires of its INVITE.
func TestCallOutlivesInterval(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, bob := l.alice(middleware.WithSessionExpires(90*time.Second)), l.bob()
		d, err := alice.Try(bob, sip.NewHeader("Expires", "60"))
		if err != nil {
			l.Fatal(err)
		}
		l.at(24 * time.Hour)
		l.wantAlive("alice", d)
		l.wantAlive("bob", bob.Answered())
		if n := len(l.sent(aliceAddr, sip.UPDATE)); n != 24*3600/45 {
			l.Errorf("%d refreshes in a day, want one in 45 s", n)
		}
	})
}
