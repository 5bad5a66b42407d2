package middleware_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// E-22: a 2xx that is sent again for want of an ACK is the same to the byte. The
// caller counts from the one that it saw, at the latest when it sends the ACK.
func TestUnconfirmedAnswerSentAgain(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		p.Invite(bob.Addr, timerHeader, allow, se1800)
		res := p.ExpectResponse(l, 200)
		l.at(10 * time.Second)
		p.Ack(res)
		l.at(20 * time.Second)
		var first []byte
		n := 0
		for _, m := range l.net.Messages() {
			if m.From != bobAddr || sipnet.Label(m.SIP) != "200 OK (INVITE)" {
				continue
			}
			if n++; first == nil {
				first = m.Raw
			}
			if !bytes.Equal(m.Raw, first) {
				l.Errorf("the 200 sent again at %v is\n%s, want the first one:\n%s", m.At, m.Raw, first)
			}
		}
		if n < 3 {
			l.Errorf("the 200 was sent %d times in 10 s, want several", n)
		}
		l.wantNext(p, sip.BYE, 1778*time.Second)
	})
}

// E-22: the 2xx to a re-INVITE that nobody acknowledges comes again after 0.5 s, 1 s,
// 2 s and then every 4 s (RFC 3261 §13.3.1.4), whether it is answered here or by an
// application that sends it once. After 64*T1 the call is over (§14.2) where it is
// ours to decide.
func TestReInviteAnswerSentAgain(t *testing.T) {
	for _, c := range []struct {
		name string
		body string
		bye  []time.Duration
	}{
		{"E-22 answered here", "", []time.Duration{132 * time.Second}},
		{"E-22 answered by the application", hold, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				_, p := peersCall(l)
				l.at(100 * time.Second)
				p.Request(sip.INVITE, timerHeader, se1800, c.body)
				l.at(200 * time.Second)
				var got []time.Duration
				for _, m := range l.net.Messages() {
					if m.From == bobAddr && m.At >= 100*time.Second && sipnet.Label(m.SIP) == "200 OK (INVITE)" {
						got = append(got, m.At-100*time.Second)
					}
				}
				want := []time.Duration{0}
				for _, at := range []float64{0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5} {
					want = append(want, seconds(at))
				}
				if !slices.Equal(got, want) {
					l.Errorf("the 200 is sent %v after the re-INVITE, should be %v", got, want)
				}
				l.wantSent(bobAddr, sip.BYE, c.bye...)
			})
		})
	}
}

// E-23: with intervals so short that the session expires first, the BYE waits for
// the ACK of our 2xx, or for the time in which it may come.
func TestNoByeBeforeAck(t *testing.T) {
	short := []middleware.Option{middleware.WithUnsafeIntervals(), middleware.WithSessionExpires(3 * time.Second)}
	const se3 = "Session-Expires: 3;refresher=uac"
	for _, c := range []struct {
		name string
		ack  float64 // 0: never
		bye  float64 // 0: never
	}{
		{"E-23 ACK at once", 0.001, 2},
		{"E-23 ACK after the end", 10.5, 12.5},
		{"E-23 no ACK", 0, 0}, // nobody may be there: TestUnprovedPeer
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(short...), l.peer()
				p.Invite(bob.Addr, timerHeader, se3)
				res := p.ExpectResponse(l, 200)
				if c.ack > 0 {
					l.at(seconds(c.ack))
					p.Ack(res)
				}
				l.at(40 * time.Second)
				l.wantEnded("bob", bob.Answered())
				var want []time.Duration
				if c.bye > 0 {
					want = append(want, seconds(c.bye))
				}
				l.wantSent(bobAddr, sip.BYE, want...)
				l.wantNothingLeft(bob)
			})
		})
	}
	t.Run("E-23 re-INVITE, ACK after the end", func(t *testing.T) {
		inLab(t, func(l *lab) {
			bob, p := l.bob(short...), l.peer()
			l.peerCalls(p, bob, timerHeader, se3)
			l.at(time.Second)
			p.Request(sip.INVITE, timerHeader, se3)
			res := wantStatus(l, p, "the re-INVITE", 200)
			l.at(seconds(10.5))
			p.Ack(res)
			l.at(20 * time.Second)
			l.wantSent(bobAddr, sip.BYE, seconds(12.5))
		})
	})
}

// E-36, D-21: gaps in the peer's numbers are allowed, steps back are not.
func TestPeersNumbersWithGaps(t *testing.T) {
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE} {
		inLab(t, func(l *lab) {
			l.badPeer = true
			_, p := peersCall(l)
			send := func(cseq int, want int) {
				l.Helper()
				p.Request(method, fmt.Sprintf("CSeq: %d %s", cseq, method), timerHeader, se1800, "")
				res := wantStatus(l, p, fmt.Sprintf("%s %d", method, cseq), want)
				if method == sip.INVITE {
					p.Ack(res)
					synctest.Wait()
				}
			}
			send(6, 200)
			send(5, 500)
			l.at(900 * time.Second)
			send(1000, 200)
			l.at(1000 * time.Second)
			send(999, 500)
			l.wantNext(p, sip.BYE, 2668*time.Second)
		})
	}
}

// E-30: an accepted request moves the target of what we send next, be it by the
// timers or the application, and our 2xx says where we are.
func TestAcceptedContactIsTarget(t *testing.T) {
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE} {
		for _, byApplication := range []bool{true, false} {
			inLab(t, func(l *lab) {
				bob, p := peersCall(l)
				moved := l.net.Peer("10.0.0.9:6000")
				l.at(100 * time.Second)
				p.Request(method, timerHeader, se1800, "Contact: <sip:peer@10.0.0.9:6000>", "")
				res := wantStatus(l, p, string(method), 200)
				if method == sip.INVITE {
					p.Ack(res)
				}
				synctest.Wait() // taken, and not only answered
				if got := field(res, "Contact"); got != "<sip:bob@10.0.0.2:5060>" {
					l.Errorf("the 200 to the %s has Contact %q, want bob's", method, got)
				}
				if byApplication {
					synctest.Wait() // the 200 counts when it is out
					go func() { _ = bob.Answered().Bye(context.Background()) }()
				}
				l.at(1867 * time.Second)
				bye := moved.ExpectRequest(l, sip.BYE)
				if bye.Recipient.Port != 6000 {
					l.Errorf("the BYE has Request-URI %s, want port 6000", bye.Recipient.String())
				}
				moved.Reply(bye, 200, "OK")
				synctest.Wait()
			})
		}
	}
}

// D-20, J-05: UPDATEs of either side in the early dialog of a call that we made settle
// nothing; the 2xx to the INVITE does.
func TestEarlyUpdatesOfCaller(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		d, err := alice.Invite(context.Background(), peerURI)
		if err != nil {
			l.Fatal(err)
		}
		rings, done := make(chan struct{}, 1), make(chan error, 1)
		go func() {
			done <- d.WaitAnswer(context.Background(), sipgo.AnswerOptions{OnResponse: func(res *sip.Response) error {
				if res.IsProvisional() {
					rings <- struct{}{}
				}
				return nil
			}})
		}()
		invite := p.ExpectRequest(l, sip.INVITE)
		p.Reply(invite, 180, "Ringing", allow)
		<-rings

		go func() { l.send(alice, d, peerAddr, sip.UPDATE, "") }()
		early := p.ExpectRequest(l, sip.UPDATE)
		if got := sipnet.Timers(early) + field(early, "Supported"); got != "timer" {
			l.Errorf("the early UPDATE carries %q, want Supported: timer alone", got)
		}
		p.Reply(early, 200, "OK", timerHeader, "Session-Expires: 90;refresher=uac")
		synctest.Wait()
		p.Request(sip.UPDATE, timerHeader, "Session-Expires: 90;refresher=uas")
		res := wantStatus(l, p, "the peer's early UPDATE", 200)
		if field(res, "Contact") == "" || field(res, "Supported") != "timer" {
			l.Errorf("the 200 to it has Contact %q, Supported %q, want both", field(res, "Contact"), field(res, "Supported"))
		}
		if got := sipnet.Timers(res) + field(res, "Require"); got != "" {
			l.Errorf("J-05: the 200 to it carries %q, want no timer before the INVITE is answered", got)
		}

		l.at(200 * time.Second)
		before := len(l.net.Messages())
		p.Reply(invite, 200, "OK", timerHeader, "Session-Expires: 1800;refresher=uas")
		if err := <-done; err != nil {
			l.Fatal(err)
		}
		_ = d.Ack(context.Background())
		p.ExpectRequest(l, sip.ACK)
		if before != 6 {
			l.Errorf("%d messages before the answer, want the INVITE, 180, and two UPDATEs with their 200", before)
		}
		l.wantNext(p, sip.BYE, 1968*time.Second)
	})
}

// J-22: until its 2xx is acknowledged the callee sends no re-INVITE, not even as refresher.
func TestNoReInviteBeforeAck(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithUnsafeIntervals(), middleware.WithSessionExpires(20*time.Second)), l.peer()
		p.Invite(bob.Addr, timerHeader, "Allow: INVITE", "Session-Expires: 20;refresher=uas")
		res := p.ExpectResponse(l, 200)
		l.at(13 * time.Second)
		l.wantSent(bobAddr, sip.INVITE)
		p.Ack(res)
		l.at(15 * time.Second)
		if req := p.ExpectRequest(l, sip.INVITE); string(req.Body()) != bob.SDP {
			l.Errorf("the refresh after the ACK offers %q, want %q", req.Body(), bob.SDP)
		}
	})
}
