package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// tries are the session-timer header fields of the INVITEs that addr sent.
func (l *lab) tries(addr string) []string {
	var out []string
	for _, m := range l.requests(addr, "INVITE") {
		out = append(out, sipnet.Timers(m.SIP))
	}
	return out
}

// C-14 to C-20: what a refused first INVITE leads to.
func TestRetryAfter422(t *testing.T) {
	for _, c := range []struct {
		row    string
		opts   []middleware.Option
		min    []string // Min-SE header fields of the 422s, then 200; empty: none
		always bool     // the last 422 for ever
		want   []string
		status int
	}{
		{"C-14 once", nil, []string{"Min-SE: 3600"}, false,
			[]string{"Session-Expires: 1800", "Session-Expires: 3600, Min-SE: 3600"}, 200},
		{"C-17 growing", nil, []string{"Min-SE: 2000", "Min-SE: 3000", "Min-SE: 4000"}, false,
			[]string{"Session-Expires: 1800", "Session-Expires: 2000, Min-SE: 2000", "Session-Expires: 3000, Min-SE: 3000",
				"Session-Expires: 4000, Min-SE: 4000"}, 200},
		{"C-15 the largest counts", nil, []string{"Min-SE: 3600", "Min-SE: 1000"}, false,
			[]string{"Session-Expires: 1800", "Session-Expires: 3600, Min-SE: 3600"}, 422},
		{"C-18 heeded, but not yet said", nil, []string{"Min-SE: 1800"}, false,
			[]string{"Session-Expires: 1800", "Session-Expires: 1800, Min-SE: 1800"}, 200},
		{"C-19 not growing", nil, []string{"Min-SE: 1800"}, true,
			[]string{"Session-Expires: 1800", "Session-Expires: 1800, Min-SE: 1800"}, 422},
		{"C-20 no Min-SE", nil, []string{"X-Min-SE: 3600"}, true, []string{"Session-Expires: 1800"}, 422},
		{"C-20 unusable Min-SE", nil, []string{"Min-SE: soon"}, true, []string{"Session-Expires: 1800"}, 422},
		{"H-04 above WithMaxMinSE", []middleware.Option{middleware.WithMaxMinSE(time.Hour)}, []string{"Min-SE: 3601"}, true,
			[]string{"Session-Expires: 1800"}, 422},
		{"H-04 at WithMaxMinSE", []middleware.Option{middleware.WithMaxMinSE(time.Hour)}, []string{"Min-SE: 3600"}, false,
			[]string{"Session-Expires: 1800", "Session-Expires: 3600, Min-SE: 3600"}, 200},
		{"H-05 growing for ever", nil, []string{"Min-SE: 2000", "Min-SE: 2001", "Min-SE: 2002", "Min-SE: 2003", "Min-SE: 2004",
			"Min-SE: 2005", "Min-SE: 2006"}, false,
			[]string{"Session-Expires: 1800", "Session-Expires: 2000, Min-SE: 2000", "Session-Expires: 2001, Min-SE: 2001",
				"Session-Expires: 2002, Min-SE: 2002", "Session-Expires: 2003, Min-SE: 2003", "Session-Expires: 2004, Min-SE: 2004"}, 422},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(c.opts...), l.peer()
				_, outcome := l.dial(alice)
				refusals := c.min
				for range c.want {
					req := p.ExpectRequest(l, sip.INVITE)
					if len(refusals) == 0 {
						p.Reply(req, 200, "OK")
						p.ExpectRequest(l, sip.ACK)
						break
					}
					p.Reply(req, 422, "Session Timer Too Small", refusals[0])
					p.ExpectRequest(l, sip.ACK)
					if len(refusals) > 1 || !c.always {
						refusals = refusals[1:]
					}
				}
				status := 200
				var refused *sipgo.ErrDialogResponse
				if err := <-outcome; errors.As(err, &refused) {
					status = refused.Res.StatusCode
				} else if err != nil {
					l.Errorf("the call fails: %v", err)
				}
				if status != c.status {
					l.Errorf("the application gets %d, should get %d", status, c.status)
				}
				if diff := cmp.Diff(c.want, l.tries(aliceAddr)); diff != "" {
					l.Errorf("the INVITEs (-want +got):\n%s", diff)
				}
				if status == 422 {
					l.wantNothingLeft(alice)
				}
			})
		})
	}
}

// The retried INVITE is the application's but for what RFC 4028 §7.3 and a new
// transaction change.
func TestRetryKeepsRequest(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		go func() {
			_, _ = alice.TryURI(context.Background(), peerURI, sip.NewHeader("Subject", "lunch"), sip.NewHeader("Supported", "100rel, replaces"),
				sip.NewHeader("Allow", "INVITE, ACK, BYE"), sip.NewHeader("X-Custom", "a;b=c, d"))
		}()
		first := p.ExpectRequest(l, sip.INVITE)
		p.Reply(first, 422, "Session Interval Too Small", "Min-SE: 3600")
		p.ExpectRequest(l, sip.ACK)
		second := p.ExpectRequest(l, sip.INVITE)
		p.Reply(second, 486, "Busy Here")
		p.ExpectRequest(l, sip.ACK)
		if got := field(first, "Supported"); got != "100rel, replaces, timer" {
			l.Errorf("Supported is %q, should be the application's with timer added", got)
		}
		if got := field(first, "Allow"); got != "INVITE, ACK, BYE, UPDATE" {
			l.Errorf("B-09: Allow is %q, should be the application's with UPDATE added", got)
		}
		changes := map[string]bool{"Via": true, "CSeq": true, "Session-Expires": true, "Min-SE": true}
		same := func(req *sip.Request) (out []string) {
			for _, h := range req.Headers() {
				if !changes[h.Name()] {
					out = append(out, h.Name()+": "+h.Value())
				}
			}
			return append(out, string(req.Body()))
		}
		if diff := cmp.Diff(same(first), same(second)); diff != "" {
			l.Errorf("C-14 C-16: the retry differs in more than it may (-first +second):\n%s", diff)
		}
		if got, want := second.CSeq().SeqNo, first.CSeq().SeqNo+1; got != want {
			l.Errorf("C-14: the retry has CSeq %d, should have %d", got, want)
		}
		if first.Via().Params.GetOr("branch", "") == second.Via().Params.GetOr("branch", "") {
			l.Errorf("C-14: the retry has the branch of the first INVITE, should have one of its own")
		}
		time.Sleep(40 * time.Second)
	})
}

// B-10, trap 18: digest works as without timers, and nothing stands twice in the
// INVITE that is sent again.
func TestRetryAndDigest(t *testing.T) {
	const c401, c407 = "401", "407"
	for _, c := range []struct {
		name string
		path []string // 401, 407, or the Min-SE of a 422
		want []string
	}{
		{"401", []string{c401}, []string{"Session-Expires: 1800", "Session-Expires: 1800"}},
		{"407", []string{c407}, []string{"Session-Expires: 1800", "Session-Expires: 1800"}},
		{"407 and 401", []string{c407, c401}, []string{"Session-Expires: 1800", "Session-Expires: 1800", "Session-Expires: 1800"}},
		{"422 then 401", []string{"3600", c401},
			[]string{"Session-Expires: 1800", "Session-Expires: 3600, Min-SE: 3600", "Session-Expires: 3600, Min-SE: 3600"}},
		{"401 then 422", []string{c401, "3600"},
			[]string{"Session-Expires: 1800", "Session-Expires: 1800", "Session-Expires: 3600, Min-SE: 3600"}},
		{"422, 407, 422", []string{"2000", c407, "3000"},
			[]string{"Session-Expires: 1800", "Session-Expires: 2000, Min-SE: 2000", "Session-Expires: 2000, Min-SE: 2000",
				"Session-Expires: 3000, Min-SE: 3000"}},
	} {
		t.Run("B-10 "+c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				alice.Password = "secret"
				_, outcome := l.dial(alice)
				authorized := 0
				for _, step := range c.path {
					if step == c401 || step == c407 {
						status, _ := strconv.Atoi(step)
						l.challenge(p, status)
						authorized++
					} else {
						l.tooSmall(p, step)
					}
				}
				last := p.ExpectRequest(l, sip.INVITE)
				p.Reply(last, 200, "OK", ours, "Allow: UPDATE")
				p.ExpectRequest(l, sip.ACK)
				if err := <-outcome; err != nil {
					l.Errorf("the call fails: %v", err)
				}
				if diff := cmp.Diff(c.want, l.tries(aliceAddr)); diff != "" {
					l.Errorf("the INVITEs (-want +got):\n%s", diff)
				}
				if n := len(last.GetHeaders("Authorization")) + len(last.GetHeaders("Proxy-Authorization")); n != authorized {
					l.Errorf("%d credentials in the last INVITE, should be %d", n, authorized)
				}
				for _, name := range []string{"Session-Expires", "Supported", "Allow", "Content-Length", "Contact"} {
					if n := len(last.GetHeaders(name)); n != 1 {
						l.Errorf("trap 18: %s stands %d times in the last INVITE, should stand once", name, n)
					}
				}
				if string(last.Body()) != alice.SDP {
					l.Errorf("the last INVITE has body %q, should have the application's", last.Body())
				}
				l.at(900 * time.Second)
				l.refreshed(p, sip.UPDATE)
			})
		})
	}
}

// Two user agents of ours, over both transports, also where packets get lost.
func TestRetryBetweenUserAgents(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run("E-13 "+transport, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, bob := l.pair(transport, nil, []middleware.Option{middleware.WithMinSE(time.Hour), middleware.WithSessionExpires(2 * time.Hour)})
				call := alice.Call(bob)
				want := []string{"Session-Expires: 1800", "Session-Expires: 3600, Min-SE: 3600"}
				if diff := cmp.Diff(want, l.tries(aliceAddr)); diff != "" {
					l.Errorf("the INVITEs (-want +got):\n%s", diff)
				}
				if bob.Taken() != 1 {
					l.Errorf("Bob's application sees %d calls, should see the one that is not refused", bob.Taken())
				}
				l.at(1801 * time.Second)
				l.wantSent(aliceAddr, sip.UPDATE, 1800*time.Second)
				l.wantAlive("alice", call)
			})
		})
	}
	t.Run("with a quarter of the packets lost", func(t *testing.T) {
		for seed := range 40 {
			t.Run(fmt.Sprint(seed), func(t *testing.T) { inLab(t, func(l *lab) { lossyRetry(l, uint32(seed)) }) })
		}
	})
}

func lossyRetry(l *lab, seed uint32) {
	alice, bob := l.pair("udp", nil, []middleware.Option{middleware.WithMinSE(time.Hour), middleware.WithSessionExpires(2 * time.Hour)})
	n := seed
	l.net.SetFilter(func(p sipnet.Packet) sipnet.Verdict {
		n = n*1664525 + 1013904223
		first, _, _ := strings.Cut(string(p.Data), "\r\n")
		// sipgo holds a lock over the network for the ACK of a refusal that
		// comes again, which a bubble cannot see through: those get through.
		safe := strings.HasPrefix(first, "ACK") || strings.Contains(first, " 422 ")
		return sipnet.Verdict{Drop: !safe && n>>30 == 0}
	})
	call := alice.Call(bob)
	l.net.SetFilter(nil)
	synctest.Wait()
	if tries := l.tries(aliceAddr); len(tries) != 2 || tries[1] != "Session-Expires: 3600, Min-SE: 3600" {
		l.Errorf("the INVITEs are %q, should be one and one more", tries)
	}
	time.Sleep(4 * time.Hour)
	l.wantAlive("alice", call)
	l.wantAlive("bob", bob.Answered())
}
