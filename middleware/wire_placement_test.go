package middleware_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

var modes = []sessiontimer.Mode{sessiontimer.Off, sessiontimer.Accept, sessiontimer.Offer, sessiontimer.Require, sessiontimer.Always}

// lists reports whether a header field of m has the option tag timer.
func lists(m sip.Message, name string) bool {
	for _, h := range m.GetHeaders(name) {
		if sessiontimer.HasToken(h.Value(), "timer") {
			return true
		}
	}
	return false
}

// wantPlacement checks the messages from the addresses: each header field is only where it
// belongs and once, and all requests except ACK list timer in Supported.
func (l *lab) wantPlacement(supported bool, from ...string) {
	l.Helper()
	for _, m := range l.net.Messages() {
		if !slices.Contains(from, m.From) {
			continue
		}
		res, isRes := m.SIP.(*sip.Response)
		label, method := sipnet.Label(m.SIP), m.SIP.CSeq().MethodName
		session := (method == sip.INVITE || method == sip.UPDATE) && label != "ACK"
		success := isRes && res.IsSuccess()
		for _, c := range []struct {
			row, name string
			may       bool
		}{
			{"A-15", "Session-Expires", session && (!isRes || success)},
			{"A-15", "x", false},
			{"A-16", "Min-SE", session && (!isRes || res.StatusCode == 422)},
			{"E-11", "Require", session && (!isRes || success || res.StatusCode == 421)},
			{"B-02", "Proxy-Require", false},
		} {
			if n := len(m.SIP.GetHeaders(c.name)); n > 1 || n == 1 && !c.may {
				l.Errorf("%s: %v %s of %s has %d %s", c.row, m.At, label, names[m.From], n, c.name)
			}
		}
		if isRes {
			continue
		}
		if got, want := lists(m.SIP, "Supported"), supported && label != "ACK"; got != want {
			l.Errorf("B-01: %v %s of %s lists timer: %v, should be %v", m.At, label, names[m.From], got, want)
		}
		if label == "ACK" && (field(m.SIP, "Require") != "" || field(m.SIP, "Supported") != "") {
			l.Errorf("C-25: %v ACK of %s has Require %q, Supported %q", m.At, names[m.From], field(m.SIP, "Require"), field(m.SIP, "Supported"))
		}
	}
}

// B-01, B-02, C-25: calls with requests of every kind, in every mode.
func TestPlacementOfEveryMessage(t *testing.T) {
	for _, mode := range modes {
		for _, method := range []sessiontimer.Method{sessiontimer.MethodUpdate, sessiontimer.MethodReInvite} {
			t.Run(fmt.Sprintf("A-15 B-01 %v by %v", mode, method), func(t *testing.T) {
				inLab(t, func(l *lab) {
					opts := []middleware.Option{middleware.WithMode(mode), middleware.WithMethod(method), middleware.WithMinSE(100 * time.Second)}
					alice := l.alice(opts...)
					bob := l.bob(append(opts, middleware.WithMinSE(2000*time.Second), middleware.WithSessionExpires(2000*time.Second))...)
					bob.Accept = func(d *sipgo.DialogServerSession) {
						_ = d.Respond(180, "Ringing", nil)
						_ = d.Respond(183, "Session Progress", []byte(bob.SDP))
						_ = d.RespondSDP([]byte(bob.SDP))
					}
					d := alice.Call(bob)
					for range 3 {
						time.Sleep(1500 * time.Second)
						for _, m := range []sip.RequestMethod{sip.INFO, sip.OPTIONS, sip.REFER, sip.MESSAGE, sip.SUBSCRIBE, sip.NOTIFY, sip.PRACK} {
							_, _ = alice.Send(d, bobAddr, m, "")
							_, _ = bob.Send(bob.Answered(), aliceAddr, m, "")
						}
						_, _ = alice.Send(d, bobAddr, sip.INVITE, hold)
						_, _ = bob.Send(bob.Answered(), aliceAddr, sip.INVITE, hold)
						_, _ = alice.Send(d, bobAddr, sip.UPDATE, "")
					}
					_ = d.Bye(context.Background())
					synctest.Wait()
					l.wantPlacement(mode != sessiontimer.Off, aliceAddr, bobAddr)
				})
			})
		}
	}
}

// B-01: CANCEL, the BYE of a session that expired, and the ACK of a refresh.
func TestPlacementAtTheEnd(t *testing.T) {
	t.Run("B-01 CANCEL", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(middleware.WithMode(sessiontimer.Require)), l.peer()
			stop, outcome := l.dial(alice)
			invite := p.ExpectRequest(l, sip.INVITE)
			p.Reply(invite, 180, "Ringing")
			synctest.Wait()
			stop()
			p.Reply(p.ExpectRequest(l, sip.CANCEL), 200, "OK")
			p.Reply(invite, 487, "Request Terminated")
			p.ExpectRequest(l, sip.ACK)
			<-outcome
			l.wantPlacement(true, aliceAddr)
			l.wantNothingLeft(alice)
		})
	})
	for _, mode := range modes[1:] {
		t.Run(fmt.Sprintf("B-01 C-25 refreshes and BYE of ours, %v", mode), func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(middleware.WithMode(mode), middleware.WithMethod(sessiontimer.MethodReInvite)), l.peer()
				l.callPeer(alice, p, ours, "Require: timer")
				l.at(900 * time.Second)
				l.refreshed(p, sip.INVITE)
				l.at(1800 * time.Second)
				p.Reply(p.ExpectRequest(l, sip.INVITE), 481, "Gone", "Session-Expires: 90", "Min-SE: 5000")
				p.ExpectRequest(l, sip.ACK)
				p.ExpectRequest(l, sip.BYE)
				l.wantPlacement(true, aliceAddr)
			})
		})
	}
	// Our refusals are no 2xx either.
	for _, c := range []struct {
		mode    sessiontimer.Mode
		headers []string
		status  int
	}{
		{sessiontimer.Off, []string{"Require: timer", "Session-Expires: 1800"}, 420},
		{sessiontimer.Require, []string{"Session-Expires: 1800"}, 421},
		{sessiontimer.Offer, []string{timerHeader, "Session-Expires: 60"}, 422},
	} {
		t.Run(fmt.Sprintf("A-15 %d", c.status), func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(middleware.WithMode(c.mode)), l.peer()
				p.Invite(bob.Addr, c.headers...)
				p.Ack(p.ExpectResponse(l, c.status))
				l.wantPlacement(true, bobAddr)
			})
		})
	}
}

// header fields are ignored where they do not belong.
func TestPlacementFaultsOfPeer(t *testing.T) {
	misplaced := []string{"Session-Expires: 90;refresher=uas", "Min-SE: 5000", "Require: timer", timerHeader}
	t.Run("A-17 in ACK and requests of other methods", func(t *testing.T) {
		inLab(t, func(l *lab) {
			bob, p := l.bob(), l.peer()
			p.Invite(bob.Addr, timerHeader, allow, se1800)
			p.Ack(p.ExpectResponse(l, 200), misplaced...)
			for _, m := range []sip.RequestMethod{sip.INFO, sip.PRACK, sip.OPTIONS, sip.MESSAGE} {
				p.Request(m, misplaced...)
				if _, ok := p.Recv(time.Second); !ok {
					l.Errorf("%s gets no answer", m)
				}
			}
			synctest.Wait()
			l.at(1769 * time.Second)
			l.wantSent(bobAddr, sip.UPDATE)
			l.wantSent(bobAddr, sip.BYE, 1768*time.Second)
			l.wantPlacement(true, bobAddr)
		})
	})
	t.Run("A-17 in CANCEL, too late", func(t *testing.T) {
		inLab(t, func(l *lab) {
			bob, p := l.bob(), l.peer()
			p.Invite(bob.Addr, timerHeader, allow, se1800)
			p.Ack(p.ExpectResponse(l, 200))
			p.Cancel(misplaced...)
			l.at(1769 * time.Second)
			l.wantSent(bobAddr, sip.BYE, 1768*time.Second)
		})
	})
	t.Run("A-17 in responses to other methods", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			d := l.callPeer(alice, p, ours, allow)
			for _, m := range []sip.RequestMethod{sip.INFO, sip.PRACK, sip.OPTIONS} {
				go l.send(alice, d, peerAddr, m, "")
				p.Reply(p.ExpectRequest(l, m), 200, "OK", misplaced...)
				synctest.Wait()
			}
			if got, want := l.next(p, time.Hour), "UPDATE at 15m0s, Session-Expires: 1800;refresher=uac"; got != want {
				l.Errorf("Alice sends %s, should send %s", got, want)
			}
		})
	})
	t.Run("A-17 Min-SE in a 2xx", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			l.callPeer(alice, p, ours, allow, "Min-SE: 5000")
			l.at(900 * time.Second)
			p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", ours, "Min-SE: 5000")
			if got, want := l.next(p, time.Hour), "UPDATE at 30m0s, Session-Expires: 1800;refresher=uac"; got != want {
				l.Errorf("D-08: Alice sends %s, should send %s", got, want)
			}
		})
	})
	for _, status := range []int{180, 183, 422} {
		t.Run(fmt.Sprintf("A-17 Session-Expires in a %d", status), func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				_, outcome := l.dial(alice)
				invite := p.ExpectRequest(l, sip.INVITE)
				p.Reply(invite, status, "Whatever", "Session-Expires: 90;refresher=uac", "Require: timer", "Min-SE: 2000")
				if status == 422 {
					p.ExpectRequest(l, sip.ACK)
					invite = p.ExpectRequest(l, sip.INVITE)
					p.Reply(invite, 180, "Ringing")
				}
				l.at(200 * time.Second) // B-11
				p.Reply(invite, 200, "OK", allow)
				p.ExpectRequest(l, sip.ACK)
				<-outcome
				if got := l.next(p, 24*time.Hour); got != "nothing" {
					l.Errorf("C-07: Alice sends %s, should send nothing as the 200 has no timer", got)
				}
			})
		})
	}
}

// B-12, B-08, B-07: the fields of the first INVITE; the peer's requests reach us at its
// Contact.
func TestPlacementInFirstInvite(t *testing.T) {
	for wish, want := range map[sessiontimer.Refresher]string{sessiontimer.Auto: "1800", sessiontimer.Local: "1800;refresher=uac", sessiontimer.Peer: "1800"} {
		t.Run(fmt.Sprintf("B-05 B-07 B-08 %v", wish), func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(middleware.WithRefresher(wish)), l.peer()
				d := l.callPeer(alice, p, ours, allow)
				invite := l.requests(aliceAddr, "INVITE")[0].SIP
				if got := field(invite, "Session-Expires"); got != want {
					l.Errorf("the INVITE carries Session-Expires %q, should carry %q", got, want)
				}
				if !strings.Contains(field(invite, "Allow"), "UPDATE") || field(invite, "Require") != "" || field(invite, "Min-SE") != "" {
					l.Errorf("B-02 B-09: the INVITE has Allow %q, Require %q, Min-SE %q; should allow UPDATE and require nothing",
						field(invite, "Allow"), field(invite, "Require"), field(invite, "Min-SE"))
				}
				p.Request(sip.UPDATE, timerHeader, "Session-Expires: 1800;refresher=uac") // to the Contact
				if res := p.ExpectResponse(l, 200); field(res, "Contact") == "" {
					l.Errorf("B-12: the 200 has no Contact")
				}
				l.wantAlive("alice", d)
			})
		})
	}
}
