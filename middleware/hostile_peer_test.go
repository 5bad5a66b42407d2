package middleware_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// H-02, H-04, A-13: an INVITE meant to make us refresh all the time, or never.
func TestHostileCaller(t *testing.T) {
	for _, c := range []struct {
		row     string
		headers []string
		status  int
		want    string
		next    string
	}{
		{"H-02 with timer", []string{timerHeader, "Session-Expires: 1;refresher=uas"}, 422, "Min-SE: 90", "nothing"},
		{"H-02 without", []string{"Session-Expires: 1;refresher=uas"}, 200, "", "nothing"},
		{"H-02 without, zero", []string{"Session-Expires: 0;refresher=uas"}, 200, "", "nothing"},
		{"H-02 a Min-SE that makes it small", []string{timerHeader, "Session-Expires: 90;refresher=uas", "Min-SE: 1"}, 200,
			"Session-Expires: 90;refresher=uas", "INVITE at 45s, Session-Expires: 90;refresher=uac, Min-SE: 90"},
		{"H-04 huge", []string{timerHeader, "Session-Expires: 4294967295;refresher=uas"}, 200,
			"Session-Expires: 1800;refresher=uas", "INVITE at 15m0s, Session-Expires: 1800;refresher=uac"},
		{"H-04 huge and not to be lowered", []string{timerHeader, "Session-Expires: 4294967295;refresher=uas", "Min-SE: 4294967295"}, 200,
			"Session-Expires: 4294967295;refresher=uas", "INVITE at 12h0m0s, Session-Expires: 4294967295;refresher=uac, Min-SE: 4294967295"},
		{"H-04 huge Min-SE above", []string{timerHeader, "Session-Expires: 1800", "Min-SE: 99999999999999999999"}, 422, "Min-SE: 4294967295", "nothing"},
		{"H-04 huge, not to be lowered, the caller's", []string{timerHeader, "Session-Expires: 4294967295;refresher=uac", "Min-SE: 4294967295"}, 200,
			"Session-Expires: 4294967295;refresher=uac", "nothing"},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				p.Invite(bob.Addr, c.headers...)
				res := p.ExpectResponse(l, c.status)
				p.Ack(res)
				synctest.Wait()
				if got := sipnet.Timers(res); got != c.want {
					l.Errorf("the %d carries %q, should carry %q", c.status, got, c.want)
				}
				if got := l.next(p, 24*time.Hour); got != c.next {
					l.Errorf("Bob sends %s, should send %s", got, c.next)
				}
				l.wantFloor()
			})
		})
	}
}

// H-02: a storm of refreshes from the peer does not cause one of ours.
func TestHostileRefreshes(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		l.peerCalls(p, bob, timerHeader, allow, "Session-Expires: 90;refresher=uas")
		for i := range 200 {
			p.Request(sip.UPDATE, timerHeader, fmt.Sprintf("Session-Expires: %d;refresher=uas", i))
			synctest.Wait()
		}
		for {
			if _, ok := p.Recv(time.Second); !ok {
				break
			}
		}
		if n := len(l.sent(bobAddr, sip.UPDATE)); n != 0 {
			l.Errorf("%d refreshes within a second, should be none", n)
		}
		l.wantFloor()
		l.at(98 * time.Second) // the 2xx of the last one said 199
		l.wantSent(bobAddr, sip.UPDATE)
		l.at(100 * time.Second)
		l.wantSent(bobAddr, sip.UPDATE, seconds(99.5))
	})
}

// C-19, H-05: a server that refuses for ever gets a handful of requests, and the
// call that it refuses to refresh ends on time.
func TestHostileRefusals(t *testing.T) {
	nonce := 0
	for _, c := range []struct {
		row    string
		opts   []middleware.Option
		status int
		header func() string
		most   int
	}{
		{"H-05 401, a fresh nonce each time", nil, 401, func() string {
			nonce++
			return fmt.Sprintf(`WWW-Authenticate: Digest realm="lab", nonce="n%d", stale=true, algorithm=MD5`, nonce)
		}, 9},
		{"H-05 422, growing", nil, 422, func() string { nonce++; return fmt.Sprintf("Min-SE: %d", 2000+nonce) }, 6},
		{"H-05 422, the same", nil, 422, func() string { return "Min-SE: 3600" }, 2},
		{"H-05 422, nothing", nil, 422, func() string { return "Min-SE: 0" }, 2},
		{"H-04 422, huge", nil, 422, func() string { return "Min-SE: 4294967295" }, 1},
		{"H-05 420", nil, 420, func() string { return "Unsupported: timer" }, 3},
		{"H-05 491", nil, 491, func() string { return "X-None: 1" }, 3},
		{"H-05 500 at once", nil, 500, func() string { return "Retry-After: 0" }, 3},
		{"H-05 503", nil, 503, func() string { return "Retry-After: 1" }, 3},
		{"H-05 600", nil, 600, func() string { return "X-None: 1" }, 3},
	} {
		for _, r := range refreshes {
			t.Run(fmt.Sprintf("%s to %s", c.row, r.method), func(t *testing.T) {
				inLab(t, func(l *lab) {
					alice, p := l.alice(middleware.WithCredentials("lab", "alice", "secret")), l.peer()
					d := l.callPeer(alice, p, ours, r.allow)
					n := 0
					for l.net.Elapsed() < 1810*time.Second {
						msg, ok := p.Recv(100 * time.Second)
						req, isReq := msg.(*sip.Request)
						if !ok || !isReq || req.Method == sip.ACK {
							continue
						}
						if req.Method == sip.BYE {
							p.Reply(req, 200, "OK")
							break
						}
						n++
						p.Reply(req, c.status, "No", c.header())
					}
					synctest.Wait()
					if n == 0 || n > c.most {
						l.Errorf("%d refreshes, should be one to %d", n, c.most)
					}
					if at := l.net.Elapsed(); at > 1800*time.Second {
						l.Errorf("F-21: the call is over at %v, should be by 30m0s", at)
					}
					l.wantEnded("alice", d)
					l.wantNothingLeft(alice)
				})
			})
		}
	}
}

// H-05: a server cannot make us repeat a first INVITE without end, even one so large that
// no timer fits.
func TestHostileRefusalsOfInvite(t *testing.T) {
	for fill := 0; fill < 900; fill += 25 {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			alice.SDP += "a=fill:" + strings.Repeat("x", fill) + "\r\n"
			_, outcome := l.dial(alice)
			for n := 1; ; n++ {
				msg, ok := p.Recv(time.Second)
				if !ok {
					break
				}
				if req := msg.(*sip.Request); req.Method == sip.INVITE {
					p.Reply(req, 422, "Session Interval Too Small", fmt.Sprintf("Min-SE: %d", 2000+n))
				}
				if n > 50 {
					l.Fatalf("H-05: with %d bytes of filling the INVITE comes again and again", fill)
				}
			}
			if err := <-outcome; err == nil {
				l.Error("the call succeeds, should be refused")
			}
			l.wantNothingLeft(alice)
		})
	}
}

// H-06: in a secured call, our refreshes and answers repeat the same Contact.
func TestSipsContactStays(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		const secure = "sips:alice@10.0.0.1:5060"
		var uri sip.Uri
		_ = sip.ParseUri(secure, &uri)
		outcome := make(chan error, 1)
		go func() {
			_, err := alice.TryURI(context.Background(), peerURI, &sip.ContactHeader{Address: uri})
			outcome <- err
		}()
		p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", ours, allow)
		p.ExpectRequest(l, sip.ACK)
		if err := <-outcome; err != nil {
			l.Fatal(err)
		}
		l.at(900 * time.Second)
		update := p.ExpectRequest(l, sip.UPDATE)
		p.Reply(update, 200, "OK", ours)
		p.Request(sip.UPDATE, timerHeader, ours)
		for _, m := range []sip.Message{update, p.ExpectResponse(l, 200)} {
			if got := field(m, "Contact"); !strings.Contains(got, "<"+secure+">") {
				l.Errorf("H-06: %s has Contact %s, should have the INVITE's", sipnet.Label(m), got)
			}
		}
	})
}
