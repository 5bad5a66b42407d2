package middleware_test

import (
	"context"
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

// E-41: a refresh that is answered here and requires what nobody here knows gets 420
// with just that, and changes nothing; what the application has listed is known.
func TestUnknownExtension(t *testing.T) {
	for _, c := range []struct {
		name    string
		require []string
		want    string // Unsupported; empty for a 200
	}{
		{"one", []string{"Require: foo"}, "foo"},
		{"timer beside it", []string{"Require: timer, foo"}, "foo"},
		{"several, in order and once", []string{"Require: foo,timer , bar", "Require: FOO, baz-1.0"}, "foo, bar, baz-1.0"},
		{"timer alone", []string{"Require: Timer"}, ""},
		{"100rel: nothing here is provisional", []string{"Require: 100rel"}, ""},
		{"listed by the application", []string{"Require: Replaces, timer"}, ""},
		{"listed and not", []string{"Require: replaces, foo, path"}, "foo"},
		{"accepted by it before", []string{"Require: resource-priority"}, ""},
		{"accepted by it later", []string{"Require: later"}, ""},
		{"empty", []string{"Require: ", "Require: ,"}, ""},
		{"not by substring", []string{"Require: timer-x, replaces2"}, "timer-x, replaces2"},
		{"for proxies", []string{"Proxy-Require: foo"}, ""},
		{"supported only", []string{"Supported: timer, foo"}, ""},
	} {
		for _, r := range []struct {
			name   string
			method sip.RequestMethod
			body   string
		}{{"UPDATE", sip.UPDATE, ""}, {"UPDATE with the same offer", sip.UPDATE, sipnet.SDP}, {"re-INVITE", sip.INVITE, sipnet.SDP}} {
			t.Run("E-41 "+r.name+", "+c.name, func(t *testing.T) {
				inLab(t, func(l *lab) {
					bob, p := l.bob(), l.peer()
					bob.Accept = func(d *sipgo.DialogServerSession) {
						_ = d.Respond(200, "OK", []byte(bob.SDP), sip.NewHeader("Content-Type", "application/sdp"),
							sip.NewHeader("Supported", "replaces"), sip.NewHeader("k", "path"))
					}
					l.peerCalls(p, bob, timerHeader, allow, se1800, "Require: resource-priority, 100rel")
					p.Request(sip.INVITE, timerHeader, se1800, "Require: later, timer", sdp2)
					p.Ack(wantStatus(l, p, "the application's re-INVITE", 200))
					p.Request(sip.INVITE, timerHeader, se1800, sipnet.SDP)
					p.Ack(wantStatus(l, p, "and another", 200))
					l.at(900 * time.Second)
					headers := append([]string{timerHeader, se1800, "Min-SE: 1"}, c.require...)
					p.Request(r.method, append(headers, r.body)...)
					if c.want == "" {
						if res := wantStatus(l, p, r.name, 200); r.method == sip.INVITE {
							p.Ack(res)
						}
						l.wantNext(p, sip.BYE, 2668*time.Second)
						return
					}
					res := wantStatus(l, p, r.name, 420)
					if got := strings.Join(values(res, "Unsupported"), "|"); got != c.want {
						l.Errorf("Unsupported is %q, want %q", got, c.want)
					}
					if r.method == sip.INVITE {
						p.Ack(res)
					}
					l.wantNext(p, sip.BYE, 1768*time.Second)
				})
			})
		}
	}
}

// E-41: what goes to the application is for it to refuse.
func TestExtensionForTheApplication(t *testing.T) {
	for _, c := range []struct {
		name   string
		method sip.RequestMethod
		body   string
		opts   []middleware.Option
		update bool // it has a handler for UPDATE
	}{
		{"changed re-INVITE", sip.INVITE, sdp2, nil, false},
		{"re-INVITEs are not answered here", sip.INVITE, sipnet.SDP, []middleware.Option{middleware.WithAnswerReInvite(false)}, false},
		{"UPDATE with a changed offer", sip.UPDATE, sdp2, []middleware.Option{middleware.WithOfferUpdate(true)}, false},
		{"UPDATE with an offer, own handler", sip.UPDATE, sipnet.SDP, nil, true},
		{"UPDATE without a body, own handler", sip.UPDATE, "", nil, true},
	} {
		t.Run("E-41 "+c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := peersCall(l, c.opts...)
				asked := 0
				handler := func(req *sip.Request, tx sip.ServerTransaction) {
					asked++
					res := sip.NewSDPResponseFromRequest(req, []byte(sipua.SDP("bob", "2")))
					res.AppendHeader(&sip.ContactHeader{Address: bobURI})
					_ = tx.Respond(res)
				}
				bob.Server.OnInvite(handler)
				if c.update {
					bob.Server.OnUpdate(handler)
				}
				l.at(900 * time.Second)
				p.Request(c.method, timerHeader, se1800, "Require: foo", c.body)
				if res := wantStatus(l, p, c.name, 200); c.method == sip.INVITE {
					p.Ack(res)
				}
				if asked != 1 {
					l.Errorf("the application was asked %d times, want once", asked)
				}
				l.wantNext(p, sip.BYE, 2668*time.Second)
			})
		})
	}
}

// E-41: so it is before the call is answered, in both directions.
func TestUnknownExtensionWhileRinging(t *testing.T) {
	check := func(l *lab, p *sipnet.Peer, headers ...string) {
		l.Helper()
		p.Request(sip.UPDATE, append(headers, "Require: foo, replaces, timer")...)
		res := wantStatus(l, p, "the early UPDATE", 420)
		if got := strings.Join(values(res, "Unsupported"), "|"); got != "foo" {
			l.Errorf("Unsupported is %q, want foo", got)
		}
		p.Request(sip.UPDATE, append(headers, "Require: replaces, timer")...)
		wantStatus(l, p, "the next early UPDATE", 200)
	}
	t.Run("E-41 caller", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			done := make(chan error, 1)
			go func() {
				_, err := alice.TryURI(context.Background(), peerURI, sip.NewHeader("Supported", "replaces"))
				done <- err
			}()
			invite := p.ExpectRequest(l, sip.INVITE)
			p.Reply(invite, 180, "Ringing")
			synctest.Wait()
			check(l, p, timerHeader)
			p.Reply(invite, 200, "OK", ours)
			p.ExpectRequest(l, sip.ACK)
			if err := <-done; err != nil {
				l.Errorf("the call fails: %v", err)
			}
		})
	})
	t.Run("E-41 callee", func(t *testing.T) {
		inLab(t, func(l *lab) {
			bob, p := l.bob(), l.peer()
			answer := make(chan struct{})
			bob.Accept = func(d *sipgo.DialogServerSession) {
				_ = d.Respond(180, "Ringing", nil, sip.NewHeader("Supported", "replaces"))
				<-answer
				_ = d.RespondSDP([]byte(bob.SDP))
			}
			p.Invite(bob.Addr, timerHeader, allow, se1800)
			p.ExpectResponse(l, 180)
			check(l, p, timerHeader)
			close(answer)
			p.Ack(p.ExpectResponse(l, 200))
			synctest.Wait()
		})
	})
}

// E-41: what is no option tag is not repeated, and a list too long for a datagram is
// left out.
func TestUnknownExtensionIsNotEchoed(t *testing.T) {
	for name, c := range map[string]struct{ require, want string }{
		"no token":   {"foo, a b, <c>, d\"e, é", "foo"},
		"too long":   {strings.Repeat("x", 1200), ""},
		"only noise": {"@", ""},
	} {
		t.Run("E-41 "+name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				_, p := peersCall(l)
				p.Request(sip.UPDATE, timerHeader, se1800, "Require: "+c.require)
				res := wantStatus(l, p, "the UPDATE", 420)
				if got := strings.Join(values(res, "Unsupported"), "|"); got != c.want {
					l.Errorf("Unsupported is %q, want %q", got, c.want)
				}
			})
		})
	}
}
