package middleware_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// wantRefresher checks who refreshes a call of 1800 s that began now with the
// silent peer: us, so that a request leaves at 900 s, or the peer, so that we
// hang up at 1768 s.
func (l *lab) wantRefresher(u *sipua.UA, p *sipnet.Peer, want sessiontimer.Refresher) {
	l.Helper()
	began := l.net.Elapsed()
	msg, ok := p.Recv(1769 * time.Second)
	got := "nothing"
	if ok {
		got = fmt.Sprintf("%s after %v", sipnet.Label(msg), l.net.Elapsed()-began)
	}
	wanted := "INVITE after 15m0s"
	if want == sessiontimer.Peer {
		wanted = "BYE after 29m28s"
	}
	if got != wanted {
		l.Errorf("%s sends %s, should send %s, as %s refreshes", u.Name, got, wanted, want)
	}
	if ok {
		if value := field(msg, "Session-Expires"); want == sessiontimer.Local && value != "1800;refresher=uac" {
			l.Errorf("D-02: the refresh carries %q, should say refresher=uac in the view of its own transaction", value)
		}
		p.Reply(msg.(*sip.Request), 481, "Gone")
		synctest.Wait()
	}
}

// Table 2 of RFC 4028 §9.
func TestTable2(t *testing.T) {
	for _, c := range []struct {
		row       string
		supported bool
		asked     string
		wish      sessiontimer.Refresher
		answer    string
		require   string
		refresher sessiontimer.Refresher
	}{
		{"E-01 no timer, open", false, "", sessiontimer.Auto, ";refresher=uas", "", sessiontimer.Local},
		{"E-01 no timer, open, against our wish", false, "", sessiontimer.Peer, ";refresher=uas", "", sessiontimer.Local},
		{"E-02 no timer, uac", false, ";refresher=uac", sessiontimer.Auto, ";refresher=uas", "", sessiontimer.Local},
		{"E-03 no timer, uas", false, ";refresher=uas", sessiontimer.Auto, ";refresher=uas", "", sessiontimer.Local},
		{"E-04 open, Auto", true, "", sessiontimer.Auto, ";refresher=uac", "timer", sessiontimer.Peer},
		{"E-04 open, Local", true, "", sessiontimer.Local, ";refresher=uas", "timer", sessiontimer.Local},
		{"E-04 open, Peer", true, "", sessiontimer.Peer, ";refresher=uac", "timer", sessiontimer.Peer},
		{"E-05 uac", true, ";refresher=uac", sessiontimer.Auto, ";refresher=uac", "timer", sessiontimer.Peer},
		{"E-05 uac, against our wish", true, ";refresher=uac", sessiontimer.Local, ";refresher=uac", "timer", sessiontimer.Peer},
		{"E-06 uas", true, ";refresher=uas", sessiontimer.Auto, ";refresher=uas", "timer", sessiontimer.Local},
		{"E-06 uas, against our wish", true, ";refresher=uas", sessiontimer.Peer, ";refresher=uas", "timer", sessiontimer.Local},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(middleware.WithRefresher(c.wish)), l.peer()
				headers := []string{"Session-Expires: 1800" + c.asked}
				if c.supported {
					headers = append(headers, "Supported: timer")
				}
				_, res := l.peerCalls(p, bob, headers...)
				if got := field(res, "Session-Expires"); got != "1800"+c.answer {
					l.Errorf("the 200 carries Session-Expires %q, should carry 1800%s", got, c.answer)
				}
				if got := field(res, "Require"); got != c.require {
					l.Errorf("E-10 E-11: the 200 carries Require %q, should carry %q", got, c.require)
				}
				if got := field(res, "Supported"); got != "timer" {
					l.Errorf("E-21: the 200 carries Supported %q, should list timer", got)
				}
				l.wantRefresher(bob, p, c.refresher)
			})
		})
	}
}

// As the caller: whatever was wished, the 2xx decides (C-03).
func TestCallerObeysAnswer(t *testing.T) {
	wishes := map[sessiontimer.Refresher]string{
		sessiontimer.Auto:  "1800", // B-07
		sessiontimer.Local: "1800;refresher=uac",
		sessiontimer.Peer:  "1800", // B-08
	}
	for wish, invite := range wishes {
		for _, c := range []struct {
			row, answer string
			refresher   sessiontimer.Refresher
		}{
			{"C-03 uac", "Session-Expires: 1800;refresher=uac\r\nRequire: timer", sessiontimer.Local},
			{"C-03 uas", "Session-Expires: 1800;refresher=uas\r\nRequire: timer", sessiontimer.Peer},
			{"C-04 uac without Require", "Session-Expires: 1800;refresher=uac", sessiontimer.Local},
			{"C-05 open", "Session-Expires: 1800", sessiontimer.Local},
			{"A-02 compact", "x: 1800;refresher=uas", sessiontimer.Peer},
		} {
			t.Run(fmt.Sprintf("%s, wish %v", c.row, wish), func(t *testing.T) {
				inLab(t, func(l *lab) {
					alice, p := l.alice(middleware.WithRefresher(wish)), l.peer()
					l.callPeer(alice, p, c.answer)
					if got := field(l.net.Messages()[0].SIP, "Session-Expires"); got != invite {
						l.Errorf("the INVITE carries Session-Expires %q, should carry %q", got, invite)
					}
					l.wantRefresher(alice, p, c.refresher)
				})
			})
		}
	}
}

// The role matrix I-11: two refreshes in a row by the right party, a hold of the
// other in between that moves no role, then silence and the end on time.
func TestRoleMatrix(t *testing.T) {
	for _, c := range []struct {
		refresher string
		method    sessiontimer.Method
		transport string
	}{
		{"alice", sessiontimer.MethodUpdate, "udp"},
		{"alice", sessiontimer.MethodReInvite, "udp"},
		{"bob", sessiontimer.MethodUpdate, "udp"},
		{"bob", sessiontimer.MethodReInvite, "udp"},
		{"alice", sessiontimer.MethodReInvite, "tcp"},
		{"bob", sessiontimer.MethodUpdate, "tcp"},
	} {
		t.Run(fmt.Sprintf("I-11 %s by %v over %s", c.refresher, c.method, c.transport), func(t *testing.T) {
			inLab(t, func(l *lab) {
				wish := sessiontimer.Auto
				if c.refresher == "bob" {
					wish = sessiontimer.Local
				}
				alice, bob := l.pair(c.transport, []middleware.Option{middleware.WithMethod(c.method)},
					[]middleware.Option{middleware.WithMethod(c.method), middleware.WithRefresher(wish)})
				call := alice.Call(bob)
				from, to := "alice", "bob"
				addr, other := aliceAddr, bobAddr
				var holder sipua.Dialog = bob.Answered()
				if c.refresher == "bob" {
					from, to, addr, other, holder = to, from, bobAddr, aliceAddr, call
				}
				l.at(2000 * time.Second)
				if res, err := alice.Send(holder, addr, sip.INVITE, hold); err != nil || !res.IsSuccess() {
					l.Fatalf("the hold gets %v %v, should be accepted", res, err)
				}
				l.at(3000 * time.Second)
				l.net.Silence(addr)
				l.at(5000 * time.Second)

				method := map[sessiontimer.Method]string{sessiontimer.MethodUpdate: "UPDATE", sessiontimer.MethodReInvite: "INVITE"}[c.method]
				refresh := func(at int) []string {
					return []string{
						fmt.Sprintf("%d.000s %s->%s %s | Session-Expires: 1800;refresher=uac", at, from, to, method),
						fmt.Sprintf("%d.000s %s->%s 200 OK (%s) | Session-Expires: 1800;refresher=uac", at, to, from, method),
					}
				}
				want := append(refresh(900), refresh(1800)...)
				want = append(want, // D-03, E-24
					fmt.Sprintf("2000.000s %s->%s INVITE | Session-Expires: 1800;refresher=uas", to, from),
					fmt.Sprintf("2000.000s %s->%s 200 OK (INVITE) | Session-Expires: 1800;refresher=uas", from, to))
				want = append(want, refresh(2900)...) // D-23: 900 s after the hold
				var got []string
				for _, row := range l.rows(time.Second) {
					if len(got) < len(want) {
						got = append(got, row)
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					l.Errorf("%s refreshes (-want +got):\n%s", c.refresher, diff)
				}
				l.wantSent(other, sip.BYE, (2900+1768)*time.Second)
			})
		})
	}
}
