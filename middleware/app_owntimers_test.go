package middleware_test

import (
	"context"
	"fmt"
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

// guarded is an application with timer code of its own: it hangs up if it sees no refresh
// for an interval.
type guarded struct {
	*sipua.UA
	guard *time.Timer
	seen  int
}

// newGuarded makes u guard its next incoming call with an interval of 120 s. answers are
// the header fields that it writes into its 2xx.
func newGuarded(u *sipua.UA, answers ...string) *guarded {
	g := &guarded{UA: u}
	u.Accept = func(d *sipgo.DialogServerSession) {
		g.guard = time.AfterFunc(120*time.Second, func() { _ = d.Bye(d.Context()) })
		res := sip.NewSDPResponseFromRequest(d.InviteRequest, []byte(u.SDP))
		write(res, answers)
		_ = d.WriteResponse(res)
	}
	u.ReInvite = g.refreshed(answers, u.SDP)
	return g
}

func write(m interface{ AppendHeader(sip.Header) }, lines []string) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		m.AppendHeader(sip.NewHeader(name, value))
	}
}

// refreshed is a handler that resets the guard and answers.
func (g *guarded) refreshed(answers []string, body string) sipgo.RequestHandler {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		g.seen++
		g.guard.Reset(120 * time.Second)
		res := sip.NewResponseFromRequest(req, 200, "OK", []byte(body))
		res.AppendHeader(&sip.ContactHeader{Address: bobURI})
		write(res, answers)
		_ = tx.Respond(res)
	}
}

// J-23: an application with timer code of its own sees the refreshes that reset it, and
// its call survives sixty of them. One with an UPDATE handler gets re-INVITEs too. One
// that writes Session-Expires is recognised by that, and Allow does not list UPDATE for
// it.
func TestOwnTimerCodeIsFed(t *testing.T) {
	ownSE := []string{"Session-Expires: 120;refresher=uac", "Require: timer"}
	for _, c := range []struct {
		name    string
		update  bool // it has a handler for UPDATE
		answers []string
		method  sip.RequestMethod
		body    string
	}{
		{"UPDATE", true, nil, sip.UPDATE, ""},
		{"UPDATE with the description as before", true, nil, sip.UPDATE, sipnet.SDP},
		{"re-INVITE as before", true, nil, sip.INVITE, sipnet.SDP},
		{"re-INVITE without a description", true, nil, sip.INVITE, ""},
		{"UPDATE, writes Session-Expires", true, ownSE, sip.UPDATE, ""},
		{"re-INVITE, writes Session-Expires", false, ownSE, sip.INVITE, sipnet.SDP},
		{"re-INVITE without a description, writes Session-Expires", false, ownSE, sip.INVITE, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				g := newGuarded(bob, c.answers...)
				if c.update {
					bob.Server.OnUpdate(g.refreshed(c.answers, c.body))
				}
				d, res := l.peerCalls(p, bob, timerHeader, allow, "Session-Expires: 120;refresher=uac")
				if got := strings.Contains(field(res, "Allow"), "UPDATE"); got != c.update {
					l.Errorf("the 200 says Allow %q, want UPDATE in it only if the application sees it", field(res, "Allow"))
				}
				for i := range 60 {
					l.at(time.Duration(i+1) * 60 * time.Second)
					p.Request(c.method, timerHeader, "Session-Expires: 120;refresher=uac", c.body)
					res := wantStatus(l, p, "the refresh", 200)
					if c.method == sip.INVITE {
						p.Ack(res)
					}
					if n := len(res.GetHeaders("Session-Expires")); n != 1 || field(res, "Session-Expires") != "120;refresher=uac" {
						l.Fatalf("the 200 says Session-Expires %q, %d times", field(res, "Session-Expires"), n)
					}
				}
				synctest.Wait()
				l.wantAlive("bob", d)
				if g.seen != 60 {
					l.Errorf("the application has seen %d refreshes, want 60", g.seen)
				}
				p.Request(sip.BYE)
				wantStatus(l, p, "the BYE", 200)
				g.guard.Stop()
			})
		})
	}
}

// J-23: an UPDATE that Allow does not list gets the same 405 as without timers, so that
// its sender uses the request that the application sees.
func TestOwnTimerCodeWithoutUpdate(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		g := newGuarded(bob, "Session-Expires: 120;refresher=uac")
		l.peerCalls(p, bob, timerHeader, "Session-Expires: 120;refresher=uac")
		p.Request(sip.UPDATE, timerHeader, "Session-Expires: 120;refresher=uac")
		wantStatus(l, p, "an UPDATE", 405)
		p.Request(sip.INVITE, timerHeader, "Session-Expires: 120;refresher=uac")
		p.Ack(wantStatus(l, p, "a re-INVITE", 200))
		if g.seen != 1 {
			l.Errorf("the application has seen %d re-INVITEs, want it", g.seen)
		}
		g.guard.Stop()
	})
}

// WithAnswerUpdate and WithAnswerReInvite override what the application's handlers imply.
func TestOwnTimerCodeOverruled(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithAnswerUpdate(true), middleware.WithAnswerReInvite(true)), l.peer()
		g := newGuarded(bob)
		bob.Server.OnUpdate(g.refreshed(nil, ""))
		l.peerCalls(p, bob, timerHeader, se1800)
		p.Request(sip.UPDATE, timerHeader, se1800)
		wantStatus(l, p, "the UPDATE", 200)
		p.Request(sip.INVITE, timerHeader, se1800)
		p.Ack(wantStatus(l, p, "the re-INVITE", 200))
		if g.seen != 0 {
			l.Errorf("the application has seen %d refreshes, want none", g.seen)
		}
		g.guard.Stop()
	})
}

// J-23: what the application writes itself counts: the wire never has a longer interval
// than it expects, and a 2xx names the refresher that it expects. (RFC 4028 §7.1 has no
// refresher=uas for a first INVITE.)
func TestOwnSessionExpiresIsHeeded(t *testing.T) {
	for _, c := range []struct{ own, invite, answer string }{
		{"600", "600", "600;refresher=uac"},
		{"600;refresher=uac", "600;refresher=uac", "600;refresher=uac"},
		{"600;refresher=uas", "600", "600;refresher=uas"},
		{"3600;refresher=uas", "1800", "1800;refresher=uas"},
		{"60", "90", "90;refresher=uac"},
		{"soon", "1800", "1800;refresher=uac"},
	} {
		t.Run(c.own, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				done := make(chan struct{})
				go func() {
					defer close(done)
					_, _ = alice.TryURI(context.Background(), peerURI, sip.NewHeader("Session-Expires", c.own), sip.NewHeader("Supported", "timer"))
				}()
				invite := p.ExpectRequest(l, sip.INVITE)
				if got := field(invite, "Session-Expires"); got != c.invite || len(invite.GetHeaders("Session-Expires")) != 1 {
					l.Errorf("the INVITE says Session-Expires %q, want %q once", got, c.invite)
				}
				p.Reply(invite, 200, "OK", allow, "Session-Expires: 90;refresher=uas")
				p.ExpectRequest(l, sip.ACK)
				<-done
			})
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				bob.Accept = func(d *sipgo.DialogServerSession) {
					res := sip.NewSDPResponseFromRequest(d.InviteRequest, []byte(bob.SDP))
					res.AppendHeader(sip.NewHeader("Session-Expires", c.own))
					_ = d.WriteResponse(res)
				}
				_, res := l.peerCalls(p, bob, timerHeader, "Session-Expires: 1800")
				if got := field(res, "Session-Expires"); got != c.answer {
					l.Errorf("the 200 says Session-Expires %q, want %q", got, c.answer)
				}
				var d sessiontimer.Call
				for _, e := range bob.Events() {
					d = e.Info()
				}
				if want := fmt.Sprintf("%.0f;", d.Interval.Seconds()); !strings.HasPrefix(c.answer, want) {
					l.Errorf("the timer runs for %v, want what the 200 says", d.Interval)
				}
			})
		})
	}
}
