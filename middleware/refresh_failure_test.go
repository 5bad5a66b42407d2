package middleware_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// refreshing is a call between u, which refreshes it by the method, and the scripted peer,
// which would accept the other method too.
type refreshing struct {
	*lab
	u      *sipua.UA
	p      *sipnet.Peer
	d      dialog
	method sip.RequestMethod
	half   time.Duration
}

// inRefreshing runs f for a caller and for a callee, each refreshing by UPDATE
// and by re-INVITE.
func inRefreshing(t *testing.T, row string, interval int, f func(c refreshing), opts ...middleware.Option) {
	t.Helper()
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE} {
		for _, caller := range []bool{true, false} {
			who := map[bool]string{true: "caller", false: "callee"}[caller]
			t.Run(fmt.Sprintf("%s, %s by the %s", row, method, who), func(t *testing.T) {
				inLab(t, func(l *lab) {
					opts := append([]middleware.Option{middleware.WithMethod(methodOf[method])}, opts...)
					c := refreshing{lab: l, p: l.peer(), method: method, half: time.Duration(interval) * time.Second / 2}
					if caller {
						c.u = l.alice(opts...)
						c.d = l.callPeer(c.u, c.p, allow, timerHeader, fmt.Sprintf("Session-Expires: %d;refresher=uac", interval))
					} else {
						c.u = l.bob(opts...)
						c.d, _ = l.peerCalls(c.p, c.u, allow, timerHeader, fmt.Sprintf("Session-Expires: %d;refresher=uas", interval))
					}
					f(c)
				})
			})
		}
	}
}

var methodOf = map[sip.RequestMethod]sessiontimer.Method{sip.UPDATE: sessiontimer.MethodUpdate, sip.INVITE: sessiontimer.MethodReInvite}

// other returns the method that we do not use at first.
func (c refreshing) other() sip.RequestMethod {
	if c.method == sip.UPDATE {
		return sip.INVITE
	}
	return sip.UPDATE
}

// refuse refuses a refresh and reads the ACK of an INVITE.
func (c refreshing) refuse(req *sip.Request, code int, headers ...string) {
	c.Helper()
	c.p.Reply(req, code, "No", headers...)
	if req.IsInvite() {
		c.p.ExpectRequest(c, sip.ACK)
	}
	synctest.Wait()
}

// wantRefresh checks what a refresh that follows another carries.
func (c refreshing) wantRefresh(before, req *sip.Request) {
	c.Helper()
	if got, want := req.CSeq().SeqNo, before.CSeq().SeqNo+1; got != want {
		c.Errorf("the next %s has CSeq %d, want %d", req.Method, got, want)
	}
	if got, want := sipnet.Timers(req), sipnet.Timers(before); got != want {
		c.Errorf("the next %s says %s, want the same as before: %s", req.Method, got, want)
	}
	body := ""
	if req.IsInvite() {
		body = c.u.SDP
	}
	if string(req.Body()) != body || (field(req, "Content-Type") == "") != (body == "") {
		c.Errorf("the next %s has Content-Type %q and body %q, want %q", req.Method, field(req, "Content-Type"), req.Body(), body)
	}
}

// What each answer to a refresh leads to (RFC 4028 §10, RFC 3261 §12.2.1.2,
// RFC 5057 §5.3).
func TestFailedRefresh(t *testing.T) {
	const (
		same  = "the same again"
		other = "the other method"
		bye   = "BYE"
		none  = "nothing until expiry"
	)
	for _, row := range []struct {
		id     string
		codes  []int
		header string
		update string // what follows a refused UPDATE
		invite string // and a refused re-INVITE
		wait   time.Duration
	}{
		{id: "F-04", codes: []int{408}, update: bye, invite: bye},
		{id: "F-05", codes: []int{481}, update: bye, invite: bye},
		{id: "F-07 without credentials", codes: []int{401, 407}, header: `WWW-Authenticate: Digest realm="r", nonce="n"`, update: none, invite: none},
		{id: "F-08 without Min-SE", codes: []int{422}, update: none, invite: none},
		{id: "F-10", codes: []int{500, 599}, update: same, invite: same, wait: 5 * time.Second},
		{id: "F-10 Retry-After", codes: []int{500, 599}, header: "Retry-After: 7 (soon);duration=60", update: same, invite: same, wait: 7 * time.Second},
		{id: "F-10 D-26 beyond the window", codes: []int{500}, header: "Retry-After: 100000", update: same, invite: same,
			wait: (1800 - 32 - 3.2 - 900) * 1e9},
		{id: "F-11", codes: []int{503}, update: same, invite: same, wait: 5 * time.Second},
		{id: "F-11 Retry-After", codes: []int{503}, header: "Retry-After: 10", update: same, invite: same, wait: 10 * time.Second},
		{id: "F-12 F-13", codes: []int{405, 501}, update: other, invite: bye},
		{id: "F-14", codes: []int{400, 406, 413, 415, 488, 606}, update: other, invite: other},
		{id: "F-15", codes: []int{420, 421}, header: "Require: foo", update: same, invite: same, wait: 5 * time.Second},
		{id: "F-16", codes: []int{300, 301, 302, 305, 380}, header: "Contact: <sip:elsewhere@10.0.0.7>", update: same, invite: same, wait: 5 * time.Second},
		{id: "F-17", codes: []int{404, 410, 416, 482, 483, 484, 485, 502, 604}, update: bye, invite: bye},
		{id: "F-18", codes: []int{480}, header: "Retry-After: 10", update: bye, invite: bye},
		{id: "F-19", codes: []int{402, 403, 412, 414, 417, 428, 436, 437, 438, 486, 487, 493, 494, 499, 504, 505, 513, 580, 600, 603, 699},
			update: same, invite: same, wait: 5 * time.Second},
		{id: "F-19 Retry-After", codes: []int{486, 600, 603}, header: "Retry-After: 60", update: same, invite: same, wait: time.Minute},
	} {
		for _, code := range row.codes {
			inRefreshing(t, fmt.Sprintf("%s, %d", row.id, code), 1800, func(c refreshing) {
				c.at(c.half)
				first := c.p.ExpectRequest(c, c.method)
				headers := []string{"Session-Expires: 90;refresher=uas"} // means nothing here
				if row.header != "" {
					headers = append(headers, row.header)
				}
				c.refuse(first, code, headers...)
				follows := row.update
				if first.IsInvite() {
					follows = row.invite
				}
				next := c.method
				switch follows {
				case bye:
					c.wantSent(c.u.Addr, sip.BYE, c.half)
					c.p.Reply(c.p.ExpectRequest(c, sip.BYE), 481, "Gone already")
					synctest.Wait()
					c.wantEnded(c.u.Name, c.d)
					c.wantNothingLeft(c.u)
					return
				case none:
					c.p.Quiet(c, 899*time.Second)
					c.wantAlive(c.u.Name, c.d)
					c.at(1800 * time.Second)
					c.wantSent(c.u.Addr, sip.BYE, 1800*time.Second) // F-21
					return
				case other:
					next = c.other()
				}
				c.at(c.half + row.wait)
				second := c.p.ExpectRequest(c, next)
				if got := c.sent(c.u.Addr, next); got[len(got)-1] != c.half+row.wait {
					c.Errorf("the next %s leaves at %v, want %v", next, got[len(got)-1], c.half+row.wait)
				}
				c.wantRefresh(first, second)
				c.p.Reply(second, 200, "OK", se1800)
				if second.IsInvite() {
					c.p.ExpectRequest(c, sip.ACK)
				}
				again := c.half + row.wait + c.half
				c.p.Quiet(c, again-time.Second-c.net.Elapsed()) // D-21: only now has the expiry moved
				c.wantAlive(c.u.Name, c.d)
				c.at(again)
				third := c.method
				if row.id[:4] == "F-12" {
					third = sip.INVITE // the UPDATE is withdrawn for good
				}
				c.wantRefresh(second, c.p.ExpectRequest(c, third))
			})
		}
	}
}

// F-03, F-22: an unanswered refresh, UPDATE or re-INVITE, proves after 64*T1 that the peer is
// gone. The BYE is sent once, even if it is not answered either.
func TestUnansweredRefresh(t *testing.T) {
	inRefreshing(t, "F-03 F-22", 1800, func(c refreshing) {
		c.net.Silence(peerAddr)
		c.at(c.half + 64*sip.T1 - time.Millisecond)
		c.wantAlive(c.u.Name, c.d)
		c.at(c.half + 64*sip.T1 + time.Millisecond)
		c.wantEnded(c.u.Name, c.d)
		c.wantNothingLeft(c.u)
		c.wantSent(c.u.Addr, sip.BYE, c.half+64*sip.T1)
	})
}

// F-03: if the peer gives up before our transaction does, its BYE ends the call.
func TestUnansweredRefreshOfShortSession(t *testing.T) {
	inRefreshing(t, "F-03", 90, func(c refreshing) {
		c.net.Silence(peerAddr)
		c.at(78 * time.Second)
		c.wantSent(c.u.Addr, sip.BYE, 77*time.Second)
		c.wantEnded(c.u.Name, c.d)
		c.wantNothingLeft(c.u)
	})
}

// F-20, F-21, D-26: the same refusal for ever gets three refreshes, the last by the
// other method, all before the peer gives up, and a BYE at expiry.
func TestRefusedForEver(t *testing.T) {
	for _, row := range []struct {
		code, interval int
		header         string
		at             []float64
	}{
		{500, 90, "", []float64{45, 50, 53.5}},
		{503, 96, "", []float64{48, 53, 56.9}},
		{503, 90, "Retry-After: 3600", []float64{45, 57, 57}},
		{603, 1800, "", []float64{900, 905, 1334.9}},
		{500, 1800, "Retry-After: 1", []float64{900, 901, 1332.9}},
		{302, 600, "", []float64{300, 305, 434.9}},
	} {
		inRefreshing(t, fmt.Sprintf("F-20 F-21, %d, %d s %s", row.code, row.interval, row.header), row.interval, func(c refreshing) {
			var headers []string
			if row.header != "" {
				headers = append(headers, row.header)
			}
			var sent []time.Duration
			methods := []sip.RequestMethod{c.method, c.method, c.other()}
			for i, at := range row.at {
				c.at(seconds(at))
				c.refuse(c.p.ExpectRequest(c, methods[i]), row.code, headers...)
				sent = append(sent, seconds(at))
			}
			expiry := 2 * c.half
			c.p.Quiet(c, expiry-time.Millisecond-c.net.Elapsed())
			c.wantAlive(c.u.Name, c.d)
			c.at(expiry)
			bye := c.p.ExpectRequest(c, sip.BYE)
			c.p.Reply(bye, 200, "OK")
			synctest.Wait()
			if got, want := field(bye, "Reason"), `SIP;cause=408;text="Session timer expired"`; got != want {
				c.Errorf("F-23: the BYE says Reason %q, want %q", got, want)
			}
			first, then := c.sent(c.u.Addr, c.method), c.sent(c.u.Addr, c.other())
			if got := append(first[len(first)-2:], then[len(then)-1]); !slices.Equal(got, sent) {
				c.Errorf("refreshes at %v, should be at %v", got, sent)
			}
			c.wantEnded(c.u.Name, c.d)
			failed := strings.Count(strings.Join(events(c.u), " "), "RefreshFailed")
			if failed != 3 {
				c.Errorf("%d failures told, want 3", failed)
			}
			c.wantNothingLeft(c.u)
		})
	}
}

// F-20: if a peer or a middlebox refuses every UPDATE, for whatever reason, the call lives:
// the re-INVITE is tried before the call expires, and first from then on.
func TestRefusedUntilReInvite(t *testing.T) {
	for _, code := range []int{403, 500, 503, 603} {
		for _, interval := range []int{90, 1800} {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				d := l.callPeer(alice, p, allow, timerHeader, fmt.Sprintf("Session-Expires: %d;refresher=uac", interval))
				for l.net.Elapsed() < time.Duration(5*interval)*time.Second {
					msg, ok := p.Recv(time.Duration(interval) * time.Second)
					if !ok {
						break
					}
					switch req := msg.(*sip.Request); req.Method {
					case sip.UPDATE:
						p.Reply(req, code, "No")
					case sip.INVITE:
						p.Reply(req, 200, "OK", fmt.Sprintf("Session-Expires: %d;refresher=uac", interval))
					}
				}
				l.wantAlive("alice", d)
				if n := len(l.sent(aliceAddr, sip.UPDATE)); n != 2 {
					l.Errorf("%d, %d s: %d UPDATEs in five intervals, should be 2", code, interval, n)
				}
			})
		}
	}
}

// F-14: a peer without UPDATE that refuses a re-INVITE keeps its call until it
// expires, and so does one that refuses both.
func TestRefusedByBothMethods(t *testing.T) {
	t.Run("F-14 no UPDATE", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			c := refreshing{lab: l, u: alice, p: p, d: l.callPeer(alice, p, "Allow: INVITE", timerHeader, se1800)}
			l.at(900 * time.Second)
			c.refuse(p.ExpectRequest(l, sip.INVITE), 488)
			p.Quiet(l, 899*time.Second)
			l.wantAlive("alice", c.d)
			l.at(1800 * time.Second)
			l.wantSent(aliceAddr, sip.BYE, 1800*time.Second)
		})
	})
	inRefreshing(t, "F-14 F-20 both refused", 1800, func(c refreshing) {
		c.at(c.half)
		for _, method := range []sip.RequestMethod{c.method, c.other(), c.method} {
			c.refuse(c.p.ExpectRequest(c, method), 488)
		}
		c.p.Quiet(c, 899*time.Second)
		c.wantAlive(c.u.Name, c.d)
	})
}

// F-15: a 420 within the dialog is answered by a refresh that does not require
// timers.
func TestRefreshRefusedWith420(t *testing.T) {
	inRefreshing(t, "F-15", 1800, func(c refreshing) {
		c.at(c.half)
		first := c.p.ExpectRequest(c, c.method)
		if got := field(first, "Require"); got != "timer" {
			c.Fatalf("the refresh requires %q, want timer", got)
		}
		c.refuse(first, 420, "Unsupported: timer")
		second := c.p.ExpectRequest(c, c.method)
		if got := field(second, "Require"); got != "" {
			c.Errorf("the refresh after the 420 requires %q, want nothing", got)
		}
		c.wantRefresh(first, second)
		c.wantSent(c.u.Addr, c.method, append(c.sent(c.u.Addr, c.method)[:len(c.sent(c.u.Addr, c.method))-2], c.half, c.half)...)
		c.p.Reply(second, 200, "OK", se1800)
		synctest.Wait()
		c.wantAlive(c.u.Name, c.d)
	}, middleware.WithMode(sessiontimer.Require))
}

// F-09: after 491 the owner of the Call-ID waits 2.1 to 4 s, the other side up to
// 2 s, in steps of 10 ms; a refresh of the peer meanwhile makes the second try
// unnecessary.
func TestRefreshPending(t *testing.T) {
	for i := range 10 {
		inRefreshing(t, "F-09 pause "+strconv.Itoa(i), 1800, func(c refreshing) {
			c.at(c.half)
			first := c.p.ExpectRequest(c, c.method)
			c.refuse(first, 491)
			second := c.p.ExpectRequest(c, c.method)
			c.wantRefresh(first, second)
			wait := c.net.Elapsed() - c.half
			least, most := time.Duration(0), 2*time.Second
			if c.u.Addr == aliceAddr {
				least, most = 2100*time.Millisecond, 4*time.Second
			}
			if wait < least || wait > most || wait%(10*time.Millisecond) != 0 {
				c.Errorf("tried again after %v, want %v to %v in steps of 10 ms", wait, least, most)
			}
			c.p.Reply(second, 200, "OK", se1800)
			synctest.Wait()
			c.wantAlive(c.u.Name, c.d)
		})
	}
	inRefreshing(t, "F-09 the peer refreshed", 1800, func(c refreshing) {
		if c.u.Addr != aliceAddr {
			return // it may try again at once
		}
		c.at(c.half)
		c.refuse(c.p.ExpectRequest(c, c.method), 491)
		c.at(c.half + time.Second)
		c.p.Request(sip.UPDATE, timerHeader, "Session-Expires: 1800;refresher=uas")
		wantStatus(c.lab, c.p, "the peer's UPDATE", 200)
		c.p.Quiet(c, 899*time.Second)
		c.at(2*c.half + time.Second)
		c.p.ExpectRequest(c, c.method)
		c.wantAlive(c.u.Name, c.d)
	})
}
