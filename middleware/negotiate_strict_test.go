package middleware_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// What a strict reading changes for the caller, beside what it does not.
func TestStrictCaller(t *testing.T) {
	const silence = "nothing"
	for _, c := range []struct {
		row              string
		answer           string
		tolerant, strict string
	}{
		{"C-03 right, ours", "Session-Expires: 600;refresher=uac", "UPDATE at 5m0s, Session-Expires: 600;refresher=uac", "UPDATE at 5m0s, Session-Expires: 600;refresher=uac"},
		{"C-03 right, the peer's", "Session-Expires: 600;refresher=uas", "BYE at 9m28s", "BYE at 9m28s"},
		{"C-05 no refresher", "Session-Expires: 600", "UPDATE at 5m0s, Session-Expires: 600;refresher=uac", silence},
		{"C-06 nothing", "X-None: 1", silence, silence},
		{"A-11 malformed, the number is there", "Session-Expires: 600.0;refresher=uac", "UPDATE at 5m0s, Session-Expires: 600;refresher=uac", silence},
		{"A-11 malformed, semicolon and nothing", "Session-Expires: 600;", "UPDATE at 5m0s, Session-Expires: 600;refresher=uac", silence},
		{"C-08 Require alone", "Require: timer", "UPDATE at 5m0s, Session-Expires: 600;refresher=uac", silence},
		{"C-12 raised, ours", "Session-Expires: 3600;refresher=uac", "UPDATE at 5m0s, Session-Expires: 3600;refresher=uac",
			"UPDATE at 5m0s, Session-Expires: 600;refresher=uac"},
		{"C-12 raised, the peer's", "Session-Expires: 3600;refresher=uas", "BYE at 59m28s", "BYE at 9m28s"},
		{"C-13 below the floor, ours", "Session-Expires: 5;refresher=uac", "UPDATE at 10s, Session-Expires: 90;refresher=uac", silence},
		{"C-13 below the floor, the peer's", "Session-Expires: 5;refresher=uas", "BYE at 1m0s", silence},
	} {
		for name, opts := range map[string][]middleware.Option{"tolerant": nil, "strict": {middleware.WithStrict()}} {
			t.Run(c.row+", "+name, func(t *testing.T) {
				inLab(t, func(l *lab) {
					want := c.tolerant
					if opts != nil {
						want = c.strict
					}
					alice, p := l.alice(append(opts, middleware.WithSessionExpires(600*time.Second))...), l.peer()
					l.callPeer(alice, p, c.answer, "Allow: UPDATE")
					if got := l.next(p, 24*time.Hour); got != want {
						l.Errorf("Alice sends %s, should send %s", got, want)
					}
					l.wantFloor()
				})
			})
		}
	}
}

// C-09, E-26, E-27: what a refresh without Session-Expires means, in a request of
// the peer and in the answer to one of ours.
func TestStrictRefresh(t *testing.T) {
	for _, c := range []struct {
		row              string
		ask              string // Session-Expires of the peer's INVITE
		headers          []string
		own              bool   // the request is ours, and headers are those of its 200
		tolerant, strict string // Session-Expires of the 200, and what follows
	}{
		{"E-26 we refresh", "Session-Expires: 1800;refresher=uas", []string{timerHeader}, false,
			"Session-Expires: 1800;refresher=uas, then UPDATE at 23m20s, Session-Expires: 1800;refresher=uac", ", then nothing"},
		{"E-26 the peer refreshes", se1800, []string{timerHeader}, false,
			"Session-Expires: 1800;refresher=uac, then BYE at 37m48s", ", then nothing"},
		{"E-27 the peer refreshes, no Supported", se1800, nil, false,
			"Session-Expires: 1800;refresher=uas, then UPDATE at 23m20s, Session-Expires: 1800;refresher=uac", ", then nothing"},
		{"C-09 we refresh", "Session-Expires: 1800;refresher=uas", nil, true,
			", then UPDATE at 23m20s, Session-Expires: 1800;refresher=uac", ", then nothing"},
		{"C-09 the peer refreshes", se1800, nil, true, ", then nothing", ", then nothing"},
	} {
		for name, opts := range map[string][]middleware.Option{"tolerant": nil, "strict": {middleware.WithStrict()}} {
			t.Run(c.row+", "+name, func(t *testing.T) {
				inLab(t, func(l *lab) {
					want := c.tolerant
					if opts != nil {
						want = c.strict
					}
					bob, p := l.bob(opts...), l.peer()
					l.peerCalls(p, bob, timerHeader, allow, c.ask)
					l.at(500 * time.Second)
					var res *sip.Response
					if c.own {
						go l.send(bob, bob.Answered(), peerAddr, sip.UPDATE, "")
						res = p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", c.headers...)
					} else {
						p.Request(sip.UPDATE, c.headers...)
						res = wantStatus(l, p, "the UPDATE", 200)
					}
					synctest.Wait()
					if got := sipnet.Timers(res) + ", then " + l.next(p, 24*time.Hour); got != want {
						l.Errorf("%s, should be %s", got, want)
					}
				})
			})
		}
	}
}

// The tolerant reading is the default of policies that are made call by call, too.
func TestStrictByCall(t *testing.T) {
	for _, strict := range []bool{false, true} {
		inLab(t, func(l *lab) {
			alice := l.alice(middleware.WithPolicyFunc(func(_ *sip.Request, _ bool, base sessiontimer.Policy) sessiontimer.Policy {
				base.Strict = strict
				return base
			}))
			p := l.peer()
			l.callPeer(alice, p, "Session-Expires: 1800", "Allow: UPDATE")
			if got := l.next(p, 24*time.Hour); (got == "nothing") != strict {
				l.Errorf("C-05: strict %v, Alice sends %s", strict, got)
			}
		})
	}
}

// H-01: what lies below 90 s is for labs, and then the default of WithMinSE is one
// second.
func TestUnsafeIntervals(t *testing.T) {
	unsafe := middleware.WithUnsafeIntervals()
	for _, c := range []struct {
		row     string
		opts    []middleware.Option
		headers []string
		status  int
		want    string
		next    string
	}{
		{"H-01 5 s", []middleware.Option{unsafe}, []string{timerHeader, "Session-Expires: 6;refresher=uac"}, 200, "Session-Expires: 6;refresher=uac", "BYE at 4s"},
		{"H-01 one second", []middleware.Option{unsafe}, []string{timerHeader, "Session-Expires: 1;refresher=uas"}, 200, "Session-Expires: 1;refresher=uas",
			"INVITE at 500ms, Session-Expires: 1;refresher=uac"},
		{"H-01 nothing", []middleware.Option{unsafe}, []string{timerHeader, "Session-Expires: 0"}, 422, "Min-SE: 1", "nothing"},
		{"H-01 WithMinSE", []middleware.Option{unsafe, middleware.WithMinSE(10 * time.Second)}, []string{timerHeader, "Session-Expires: 5"}, 422, "Min-SE: 10", "nothing"},
		{"H-01 WithMinSE before", []middleware.Option{middleware.WithMinSE(10 * time.Second), unsafe}, []string{timerHeader, "Session-Expires: 5"}, 422, "Min-SE: 10", "nothing"},
		{"H-01 safe", nil, []string{timerHeader, "Session-Expires: 89"}, 422, "Min-SE: 90", "nothing"},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(c.opts...), l.peer()
				p.Invite(bob.Addr, c.headers...)
				res := p.ExpectResponse(l, c.status)
				p.Ack(res)
				synctest.Wait()
				if got := sipnet.Timers(res); got != c.want {
					l.Errorf("the %d carries %q, should carry %q", c.status, got, c.want)
				}
				if got := l.next(p, time.Hour); got != c.next {
					l.Errorf("Bob sends %s, should send %s", got, c.next)
				}
			})
		})
	}
	t.Run("H-01 as the caller", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(unsafe, middleware.WithSessionExpires(4*time.Second)), l.peer()
			l.callPeer(alice, p, "Session-Expires: 4;refresher=uac", "Allow: UPDATE")
			if got := sipnet.Timers(l.requests(aliceAddr, "INVITE")[0].SIP); got != "Session-Expires: 4" {
				l.Errorf("the INVITE carries %q, should carry Session-Expires: 4 and no Min-SE", got)
			}
			if got, want := l.next(p, time.Hour), "UPDATE at 2s, Session-Expires: 4;refresher=uac"; got != want {
				l.Errorf("Alice sends %s, should send %s", got, want)
			}
		})
	})
}
