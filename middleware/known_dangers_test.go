package middleware_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Behaviour of providers that ends calls, the most dangerous first. Each has cost real
// calls; docs/providers.md names the providers.

const noUpdate = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS"

// plays answers for the peer until the given time: 200 with the header fields that answer
// returns, or the status of a first element "code phrase". Nil means no answer.
func (l *lab) plays(p *sipnet.Peer, until time.Duration, answer func(*sip.Request) []string) {
	l.Helper()
	for {
		msg, ok := p.Recv(until - l.net.Elapsed())
		if !ok {
			synctest.Wait()
			return
		}
		req, is := msg.(*sip.Request)
		if !is || req.IsAck() {
			continue
		}
		headers := answer(req)
		if headers == nil {
			continue
		}
		code, reason := 200, "OK"
		if n, err := fmt.Sscanf(headers[0], "%d", &code); err == nil && n == 1 {
			_, reason, _ = strings.Cut(headers[0], " ")
			headers = headers[1:]
		}
		p.Reply(req, code, reason, headers...)
		synctest.Wait()
	}
}

// accepts returns a peer that accepts everything with the same header fields.
func accepts(headers ...string) func(*sip.Request) []string {
	return func(*sip.Request) []string { return append([]string{"200 OK"}, headers...) }
}

// refreshes returns how often alice has refreshed her call by the method.
func (l *lab) refreshes(method sip.RequestMethod) int {
	n := len(l.sent(aliceAddr, method))
	if method == sip.INVITE {
		n-- // the call itself
	}
	return n
}

// gaps returns the times between successive requests of the method.
func (l *lab) gaps(addr string, method sip.RequestMethod) (gaps []time.Duration) {
	at := l.sent(addr, method)
	for i := range at {
		if i > 0 {
			gaps = append(gaps, at[i]-at[i-1])
		}
	}
	return gaps
}

// D-16, J-14: the edge answers 481 to requests without its Route, and names another port in
// the Record-Route of each later 2xx. In calls either way, refreshes and the BYE follow the
// route set of the first 2xx.
func TestDanger1RefreshOffItsPath(t *testing.T) {
	const route = "<sip:10.0.0.9:5060;lr;twnat=sip:10.0.0.1:5060>"
	for _, r := range refreshes {
		for _, caller := range []bool{true, false} {
			inLab(t, func(l *lab) {
				u, p := l.alice(), l.peer()
				contact := "Contact: <sip:+172.25.0.5:5060>" // reached by nobody
				var d dialog
				if caller {
					d = l.callPeer(u, p, "Record-Route: "+route, contact, r.allow, ours)
				} else {
					p.Invite(u.Addr, "Record-Route: "+route, contact, timerHeader, r.allow, "Session-Expires: 1800;refresher=uas")
					p.Ack(p.ExpectResponse(l, 200))
					pass(p, u) // the edge is the peer itself
					d = u.Answered()
				}
				n := 0
				edge := func(req *sip.Request) []string {
					if field(req, "Route") != route {
						return []string{"481 Call/Transaction Does Not Exist"}
					}
					n++
					return []string{ours, r.allow, contact, fmt.Sprintf("Record-Route: <sip:10.0.0.9:%d;lr>", 6000+n)}
				}
				l.plays(p, 5*900*time.Second+time.Second, edge)
				l.wantAlive(u.Name, d)
				if got := len(l.sent(u.Addr, r.method)); got < 5 {
					l.Errorf("%d refreshes in five halves, want one each", got)
				}
				go func() { _ = d.Bye(context.Background()) }()
				l.plays(p, l.net.Elapsed()+time.Second, edge)
				if n := l.count(peerAddr, "481 Call/Transaction Does Not Exist (BYE)"); n != 0 {
					l.Errorf("the BYE lacks the Route of the first 2xx")
				}
			})
		}
	}
}

// C-13, H-01, H-03: a peer that answers with 30 s ends the call 30 s after each 2xx. It is
// refreshed at half of that, and asked for 90 s. Whatever its interval and the jitter, there
// are never two refreshes within 10 s.
func TestDanger2ExpiresIn30(t *testing.T) {
	for _, c := range []struct {
		row  string
		se   int
		opts []middleware.Option
		want time.Duration // 0: no refresh
	}{
		{"C-13 30", 30, nil, 15 * time.Second},
		{"C-13 60", 60, nil, 30 * time.Second},
		{"C-13 20", 20, nil, 10 * time.Second},
		{"H-03 1", 1, nil, 10 * time.Second},
		{"H-03 1 and the largest jitter", 1, []middleware.Option{middleware.WithJitter(0.5)}, 10 * time.Second},
		{"C-13 Accept", 30, []middleware.Option{middleware.WithMode(sessiontimer.Accept)}, 15 * time.Second},
		{"C-13 strict", 30, []middleware.Option{middleware.WithStrict()}, 0},
	} {
		for _, r := range refreshes {
			t.Run(fmt.Sprintf("%s, %s", c.row, r.method), func(t *testing.T) {
				inLab(t, func(l *lab) {
					alice, p := l.alice(c.opts...), l.peer()
					answer := fmt.Sprintf("Session-Expires: %d;refresher=uac", c.se)
					d := l.callPeer(alice, p, answer, r.allow)
					l.plays(p, 301*time.Second, accepts(answer, r.allow))
					l.wantAlive("alice", d)
					l.wantFloor()
					at := l.sent(aliceAddr, r.method)
					if r.method == sip.INVITE {
						at = at[1:] // the call's own
					}
					if c.want == 0 && len(at) > 0 || c.want > 0 && (len(at) != int(300*time.Second/c.want) || at[0] != c.want) {
						l.Errorf("refreshes at %v, want one each %v (0: none)", at, c.want)
					}
				})
			})
		}
	}
	inLab(t, func(l *lab) { // to whom it is given, too
		alice, p := l.alice(middleware.WithJitter(0.5)), l.peer()
		l.callPeer(alice, p, "Session-Expires: 44;refresher=uac", allow)
		l.plays(p, 1000*time.Second, accepts("Session-Expires: 44;refresher=uac", allow))
		for _, gap := range l.gaps(aliceAddr, sip.UPDATE) {
			if gap < 10*time.Second || gap > 22*time.Second {
				l.Errorf("a refresh %v after the one before, want 11 to 22 s of 44", gap)
			}
		}
	})
}

// C-02, C-04: a timer in the 2xx counts even if we did not ask, without Require and without
// timer in Supported.
func TestDanger3ImposedTimer(t *testing.T) {
	for _, c := range []struct {
		row  string
		mode sessiontimer.Mode
	}{{"C-02 not asked", sessiontimer.Accept}, {"C-04 asked", sessiontimer.Offer}} {
		for _, headers := range [][]string{
			{"Session-Expires: 1800;refresher=uac"},
			{"Session-Expires: 1800;refresher=uac", "Supported: replaces"},
			{"Session-Expires: 1800", "Supported:"},
		} {
			t.Run(c.row+" "+strings.Join(headers, " "), func(t *testing.T) {
				inLab(t, func(l *lab) {
					alice, p := l.alice(middleware.WithMode(c.mode)), l.peer()
					d := l.callPeer(alice, p, append(headers, noUpdate)...)
					l.plays(p, 5401*time.Second, accepts(append(headers, noUpdate)...))
					l.wantAlive("alice", d)
					l.wantSent(aliceAddr, sip.INVITE, 0, 900*time.Second, 1800*time.Second, 2700*time.Second, 3600*time.Second,
						4500*time.Second, 5400*time.Second)
				})
			})
		}
		// The peer names itself as refresher, and does not refresh.
		t.Run(c.row+", the peer's", func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(middleware.WithMode(c.mode)), l.peer()
				d := l.callPeer(alice, p, "Session-Expires: 1800;refresher=uas", noUpdate)
				l.at(1769 * time.Second)
				l.wantSent(aliceAddr, sip.BYE, 1768*time.Second)
				l.wantEnded("alice", d)
			})
		})
	}
}

// D-11, F-03, F-12, F-13, I-12: UPDATE is not in Allow, is refused without Allow, or is
// never answered whatever Allow says. The re-INVITE comes while the peer still waits for
// it, and UPDATE is not tried again.
func TestDanger4UpdateNotPossible(t *testing.T) {
	forced := []middleware.Option{middleware.WithMethod(sessiontimer.MethodUpdate)}
	for _, c := range []struct {
		row    string
		allow  string
		opts   []middleware.Option
		answer []string // to UPDATE; nil: none at all
		tried  int      // UPDATEs that are to be seen
	}{
		{"D-11 not allowed", noUpdate, nil, nil, 0},
		{"F-12 405 without Allow", allow, nil, []string{"405 Method Not Allowed"}, 1},
		{"F-13 501", allow, nil, []string{"501 Not Implemented"}, 1},
		{"F-03 allowed and silent", allow, nil, nil, 1},
		{"F-03 not allowed, forced and silent", noUpdate, forced, nil, 1},
	} {
		for _, interval := range []int{90, 120, 600, 1800} {
			for _, caller := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, %d s, caller %v", c.row, interval, caller), func(t *testing.T) {
					inLab(t, func(l *lab) { l.withoutUpdate(interval, caller, c.allow, c.answer, c.tried, c.opts) })
				})
			}
		}
	}
}

func (l *lab) withoutUpdate(interval int, caller bool, allow string, answer []string, tried int, opts []middleware.Option) {
	u, p := l.alice(opts...), l.peer()
	var d dialog
	if caller {
		d = l.callPeer(u, p, allow, fmt.Sprintf("Session-Expires: %d;refresher=uac", interval))
	} else {
		d, _ = l.peerCalls(p, u, allow, timerHeader, fmt.Sprintf("Session-Expires: %d;refresher=uas", interval))
	}
	se := time.Duration(interval) * time.Second
	session := sessiontimer.Session{Interval: se, Refresher: sessiontimer.Peer, Since: time.Now()}
	l.plays(p, 3*se, func(req *sip.Request) []string {
		if req.Method == sip.UPDATE {
			return answer
		}
		if !time.Now().Before(session.HangupAt()) {
			l.Errorf("%s at %v: by then the peer has hung up", req.Method, l.net.Elapsed())
		}
		session.Since = time.Now()
		return []string{allow, fmt.Sprintf("Session-Expires: %d;refresher=uac", interval)}
	})
	l.wantAlive(u.Name, d)
	if n := len(l.sent(u.Addr, sip.UPDATE)); n != tried {
		l.Errorf("%d UPDATEs, want %d", n, tried)
	}
	if n := len(l.sent(u.Addr, sip.INVITE)); n < 5 {
		l.Errorf("%d INVITEs in three intervals, want the refreshes", n)
	}
}

// F-03: a late answer to an abandoned UPDATE counts, and UPDATE stays possible for the
// peer.
func TestLateAnswerToUpdate(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		d := l.callPeer(alice, p, allow, ours)
		l.at(900 * time.Second)
		update := p.ExpectRequest(l, sip.UPDATE)
		l.at(924 * time.Second)
		p.ExpectRequest(l, sip.INVITE) // answered by nobody
		l.at(931 * time.Second)
		p.Reply(update, 200, "OK", ours)
		l.plays(p, 1801*time.Second, accepts(ours))
		l.wantAlive("alice", d)
		l.wantSent(aliceAddr, sip.UPDATE, 900*time.Second, 1800*time.Second)
	})
}

// F-03: a provisional response to the re-INVITE says that the peer is there: it may
// take its time.
func TestRingingAfterSilence(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		d := l.callPeer(alice, p, allow, ours)
		l.at(924 * time.Second)
		p.ExpectRequest(l, sip.UPDATE)
		invite := p.ExpectRequest(l, sip.INVITE)
		p.Reply(invite, 100, "Trying")
		l.at(1000 * time.Second)
		l.wantAlive("alice", d)
		p.Reply(invite, 200, "OK", ours)
		p.ExpectRequest(l, sip.ACK)
		l.at(1001 * time.Second)
		l.wantAlive("alice", d)
		l.wantSent(aliceAddr, sip.BYE)
	})
}

// C-05, C-08, D-03: the refresher is rewritten or lost on the way. If each side believes
// that it is the refresher, both refresh; they never both wait.
func TestDanger5RolesRewritten(t *testing.T) {
	for _, c := range []struct {
		row  string
		sees string // what arrives of the peer's 1800;refresher=uas
	}{
		{"C-03 as it was sent", "Session-Expires: 1800;refresher=uas"},
		{"C-03 uas made uac", "Session-Expires: 1800;refresher=uac"},
		{"C-05 stripped of the refresher", "Session-Expires: 1800"},
		{"C-08 Require without Session-Expires", "Require: timer"},
	} {
		for _, r := range refreshes {
			t.Run(fmt.Sprintf("%s, %s", c.row, r.method), func(t *testing.T) {
				inLab(t, func(l *lab) {
					alice, p := l.alice(), l.peer()
					d := l.callPeer(alice, p, r.allow, c.sees)
					p.Request(sip.OPTIONS) // takes up a number of the peer's
					for i := range 6 {     // it refreshes, since it said that it would
						if got := l.refreshes(r.method); i == 1 && got != map[bool]int{true: 0, false: 1}[c.row == "C-03 as it was sent"] {
							l.Errorf("%d refreshes of ours before its first, want one where uas did not arrive", got)
						}
						l.plays(p, time.Duration(i+1)*900*time.Second+450*time.Second, accepts(c.sees, r.allow))
						p.Request(r.method, timerHeader, r.allow, "Session-Expires: 1800;refresher=uac")
						res := wantStatus(l, p, "its refresh", 200)
						if r.method == sip.INVITE {
							p.Ack(res)
						}
						synctest.Wait()
					}
					l.wantAlive("alice", d)
				})
			})
		}
	}
	// The same for a peer's INVITE, if its middlebox rewrites uas in our answer.
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		d, res := l.peerCalls(p, bob, timerHeader, allow, "Session-Expires: 1800;refresher=uas")
		if got := field(res, "Session-Expires"); got != "1800;refresher=uas" {
			l.Errorf("the 200 says %q, want 1800;refresher=uas", got)
		}
		for range 4 { // the peer reads uac and refreshes; so do we, where it is late
			l.plays(p, l.net.Elapsed()+901*time.Second, accepts(ours, allow))
			p.Request(sip.UPDATE, timerHeader, "Session-Expires: 1800;refresher=uac")
			wantStatus(l, p, "its refresh", 200)
		}
		l.wantAlive("bob", d)
	})
}
