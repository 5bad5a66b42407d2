package middleware_test

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

const (
	timerHeader = "Supported: timer"
	se1800      = "Session-Expires: 1800;refresher=uac"
)

// sdp2 is another offer of the peer.
var sdp2 = strings.Replace(sipnet.SDP, "o=- 1 1", "o=- 1 2", 1)

// peersCall is a call that the scripted peer made to bob and refreshes.
func peersCall(l *lab, opts ...middleware.Option) (*sipua.UA, *sipnet.Peer) {
	bob, p := l.bob(opts...), l.peer()
	l.peerCalls(p, bob, timerHeader, allow, se1800)
	return bob, p
}

// wantStatus returns the next final response to the peer, which must have the status.
func wantStatus(l *lab, p *sipnet.Peer, what string, want int) *sip.Response {
	l.Helper()
	for {
		msg, ok := p.Recv(2 * time.Second)
		res, isRes := msg.(*sip.Response)
		switch {
		case !ok || !isRes:
			l.Fatalf("%s got no answer (%v), want %d", what, msg, want)
			return nil
		case res.IsProvisional():
			continue
		case res.StatusCode != want:
			l.Errorf("%s got %s, want %d", what, res.StartLine(), want)
		}
		synctest.Wait() // until the sender has finished with it
		return res
	}
}

// E-21, E-30, E-31, J-01: an UPDATE without a body is answered at once, without
// the application, and restarts the timer.
func TestIncomingBodilessUpdate(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := peersCall(l)
		l.at(900 * time.Second)
		p.Request(sip.UPDATE, timerHeader, se1800)
		res := wantStatus(l, p, "the UPDATE", 200)
		for name, want := range map[string]string{
			"Session-Expires": "1800;refresher=uac", "Require": "timer", "Contact": "sip:bob@10.0.0.2:5060", "Content-Length": "0",
		} {
			if got := field(res, name); !strings.Contains(got, want) {
				l.Errorf("the 200 says %s: %q, want %q", name, got, want)
			}
		}
		if !strings.Contains(field(res, "Allow"), "UPDATE") || !strings.Contains(field(res, "Supported"), "timer") {
			l.Errorf("E-21: the 200 says Allow %q, Supported %q, want UPDATE and timer", field(res, "Allow"), field(res, "Supported"))
		}
		l.at(2700 * time.Second)
		l.wantSent(bobAddr, sip.BYE, 2668*time.Second)
		if n := bob.Taken(); n != 1 {
			l.Errorf("the INVITE handler was called %d times, want once", n)
		}
	})
}

// E-33 ff.: what happens to an UPDATE with a session description.
func TestIncomingUpdateWithOffer(t *testing.T) {
	own := func(handled *int) func(*sipua.UA) {
		return func(bob *sipua.UA) {
			bob.Server.OnUpdate(func(req *sip.Request, tx sip.ServerTransaction) {
				*handled++
				res := sip.NewSDPResponseFromRequest(req, []byte(sipua.SDP("bob", "7")))
				res.AppendHeader(&sip.ContactHeader{Address: bobURI})
				_ = tx.Respond(res)
			})
		}
	}
	var handled int
	for _, c := range []struct {
		name    string
		body    string
		opts    []middleware.Option
		prepare func(*sipua.UA)
		status  int
		answer  string // in the SDP of the 200
		taken   int
	}{
		{name: "D-14 unchanged", body: sipnet.SDP, status: 200, answer: "o=bob 1 1", taken: 1},
		{name: "changed", body: sdp2, status: 488, taken: 1},
		{name: "changed, offered as re-INVITE", body: sdp2, opts: []middleware.Option{middleware.WithOfferUpdate(true)}, status: 200, answer: "o=bob 1 9", taken: 1},
		{name: "changed, own handler", body: sdp2, prepare: own(&handled), status: 200, answer: "o=bob 1 7", taken: 1},
		{name: "unchanged, own handler", body: sipnet.SDP, prepare: own(&handled), status: 200, answer: "o=bob 1 7", taken: 1},
		{name: "no body, own handler", prepare: own(&handled), status: 200, answer: "o=bob 1 7", taken: 1},
		{name: "no body, WithAnswerUpdate(false), own handler", prepare: own(&handled), opts: []middleware.Option{middleware.WithAnswerUpdate(false)}, status: 200, answer: "o=bob 1 7", taken: 1},
		{name: "no body, WithAnswerUpdate(true), own handler", prepare: own(&handled), opts: []middleware.Option{middleware.WithAnswerUpdate(true)}, status: 200, taken: 1},
		{name: "no body, WithAnswerUpdate(false), no handler", opts: []middleware.Option{middleware.WithAnswerUpdate(false)}, status: 200, taken: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := peersCall(l, c.opts...)
				if c.prepare != nil {
					c.prepare(bob)
				} else {
					bob.Server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
						if req.Method != sip.INVITE || req.CSeq().MethodName != sip.INVITE {
							l.Errorf("the handler for INVITE gets a %s with CSeq %v", req.Method, req.CSeq())
						}
						res := sip.NewSDPResponseFromRequest(req, []byte(sipua.SDP("bob", "9")))
						res.AppendHeader(&sip.ContactHeader{Address: bobURI})
						_ = tx.Respond(sip.NewResponseFromRequest(req, 180, "Ringing", nil))
						_ = tx.Respond(res)
					})
				}
				l.at(900 * time.Second)
				p.Request(sip.UPDATE, timerHeader, se1800, c.body)
				res := wantStatus(l, p, "the UPDATE", c.status)
				if got := string(res.Body()); (c.answer == "") != (got == "") || !strings.Contains(got, c.answer) {
					l.Errorf("the answer is %q, want it to have %q", got, c.answer)
				}
				if want := res.IsSuccess(); (field(res, "Session-Expires") != "") != want {
					l.Errorf("Session-Expires is %q in a %d", field(res, "Session-Expires"), res.StatusCode)
				}
				if bob.Taken() != c.taken {
					l.Errorf("the application took %d calls, want %d", bob.Taken(), c.taken)
				}
				end := 2668 * time.Second
				if !res.IsSuccess() {
					end = 1768 * time.Second // E-29: a refused refresh changes nothing
				}
				l.at(2700 * time.Second)
				l.wantSent(bobAddr, sip.BYE, end)
			})
		})
	}
}

// D-14, D-15, E-22: a re-INVITE that changes nothing is answered here with the session
// description in force, and the application does not see it.
func TestIncomingReInviteAnsweredHere(t *testing.T) {
	for _, c := range []struct{ name, body string }{{"D-14 unchanged SDP", sipnet.SDP}, {"D-15 no SDP", ""}} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := peersCall(l)
				l.at(900 * time.Second)
				p.Request(sip.INVITE, timerHeader, se1800, c.body)
				res := wantStatus(l, p, "the re-INVITE", 200)
				if string(res.Body()) != bob.SDP {
					l.Errorf("the answer is %q, want bob's SDP as before %q", res.Body(), bob.SDP)
				}
				if got := field(res, "Session-Expires"); got != "1800;refresher=uac" || field(res, "Contact") == "" {
					l.Errorf("Session-Expires %q, Contact %q, want both", got, field(res, "Contact"))
				}
				// E-22: retransmitted until the ACK, always the same.
				l.at(903 * time.Second)
				if n := l.count(bobAddr, "200 OK (INVITE)"); n != 1+3 {
					l.Errorf("the 200 was sent %d times by 903 s, want 3 after 900, 900.5 and 901.5 s", n-1)
				}
				p.Ack(res)
				p.Ack(res)
				l.at(930 * time.Second)
				if n := l.count(bobAddr, "200 OK (INVITE)"); n != 1+3 {
					l.Errorf("the 200 was sent on after the ACK, %d times", n-1)
				}
				if bob.Taken() != 1 {
					l.Errorf("the application took %d calls, want one", bob.Taken())
				}
				l.wantAlive("bob", bob.Answered())
				l.at(2700 * time.Second)
				l.wantSent(bobAddr, sip.BYE, 2671*time.Second) // it counts from the late ACK
				l.wantNothingLeft(bob)
			})
		})
	}
}

// E-39: without an ACK the call ends after 64*T1.
func TestIncomingReInviteWithoutAck(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := peersCall(l)
		l.at(900 * time.Second)
		p.Request(sip.INVITE, timerHeader, se1800)
		l.at(940 * time.Second)
		l.wantSent(bobAddr, sip.BYE, 932*time.Second)
		l.wantEnded("bob", bob.Answered())
		l.wantNothingLeft(bob)
	})
}

// D-17, J-22: while the peer's re-INVITE has no ACK, we send no re-INVITE.
func TestIncomingReInviteHoldsOursBack(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithMethod(sessiontimer.MethodReInvite)), l.peer()
		l.peerCalls(p, bob, timerHeader, "Allow: INVITE", "Session-Expires: 1800;refresher=uas")
		l.at(899 * time.Second)
		p.Request(sip.INVITE, timerHeader, "Session-Expires: 1800;refresher=uas")
		res := wantStatus(l, p, "the re-INVITE", 200)
		l.at(925 * time.Second)
		p.Ack(res)
		l.at(1790 * time.Second)
		l.wantSent(bobAddr, sip.INVITE)
		l.wantAlive("bob", bob.Answered())
		l.at(1800 * time.Second)
		l.wantSent(bobAddr, sip.INVITE, 1799*time.Second)
	})
}

// A re-INVITE that changes something goes to the application, or any if the option says
// so.
func TestIncomingReInviteForTheApplication(t *testing.T) {
	for _, c := range []struct {
		name, body string
		opts       []middleware.Option
	}{
		{"changed", sdp2, nil},
		{"unchanged, WithAnswerReInvite(false)", sipnet.SDP, []middleware.Option{middleware.WithAnswerReInvite(false)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := peersCall(l, c.opts...)
				calls := 0
				bob.Server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
					calls++
					res := sip.NewSDPResponseFromRequest(req, []byte(sipua.SDP("bob", "2")))
					res.AppendHeader(&sip.ContactHeader{Address: bobURI})
					_ = tx.Respond(res)
				})
				l.at(900 * time.Second)
				p.Request(sip.INVITE, timerHeader, se1800, c.body)
				res := wantStatus(l, p, "the re-INVITE", 200)
				p.Ack(res)
				if calls != 1 || !strings.Contains(string(res.Body()), "o=bob 1 2") || field(res, "Session-Expires") == "" {
					l.Errorf("the application was called %d times and the answer is\n%s", calls, res)
				}
				l.at(2700 * time.Second)
				l.wantSent(bobAddr, sip.BYE, 2668*time.Second)
			})
		})
	}
}

// wantRetryAfter checks the pause that a 500 asks for.
func wantRetryAfter(l *lab, row string, res *sip.Response) {
	l.Helper()
	if n, err := strconv.Atoi(field(res, "Retry-After")); err != nil || n < 0 || n > 10 {
		l.Errorf("%s: Retry-After is %q, want 0 to 10", row, field(res, "Retry-After"))
	}
}

// slowly answers after a second, like a handler that has to ask another server.
func slowly(bob *sipua.UA) sipgo.RequestHandler {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		time.Sleep(time.Second)
		res := sip.NewSDPResponseFromRequest(req, []byte(bob.SDP))
		res.AppendHeader(&sip.ContactHeader{Address: bobURI})
		_ = tx.Respond(res)
	}
}

// E-36: a refused request has used up its number too.
func TestIncomingOldAfterRefused(t *testing.T) {
	inLab(t, func(l *lab) {
		l.badPeer = true
		_, p := peersCall(l)
		p.Request(sip.UPDATE, timerHeader, se1800, sdp2) // CSeq 2
		wantStatus(l, p, "the UPDATE with an offer", 488)
		p.Request(sip.UPDATE, "CSeq: 1 UPDATE", timerHeader, se1800)
		wantStatus(l, p, "an UPDATE older than the one refused", 500)
	})
}

// A 2xx that fits a datagram only without the timer means that there is none, for both
// sides.
func TestIncomingReInviteTooLarge(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		l.peerCalls(p, bob, allow)
		d := bob.Answered()
		bob.Server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
			res := sip.NewSDPResponseFromRequest(req, []byte(bob.SDP+"a=fill:"+strings.Repeat("x", 820)+"\r\n"))
			res.AppendHeader(&sip.ContactHeader{Address: bobURI})
			_ = tx.Respond(res)
		})
		p.Request(sip.INVITE, timerHeader, se1800, sdp2)
		res := wantStatus(l, p, "the re-INVITE", 200)
		p.Ack(res)
		if len(res.String()) > 1300 || len(res.String()) < 1250 {
			l.Fatalf("the 200 has %d bytes, want it to be just too large for the timer", len(res.String()))
		}
		if field(res, "Session-Expires") != "" {
			l.Fatal("the 200 has Session-Expires, want none where it does not fit")
		}
		l.at(2 * time.Hour)
		l.wantAlive("bob", d)
		l.wantSent(bobAddr, sip.BYE)
	})
}
