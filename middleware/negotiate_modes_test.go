package middleware_test

import (
	"context"
	"errors"
	"fmt"
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

// The five modes as the caller: what the INVITE says, and what each answer leads
// to.
func TestModesOfCaller(t *testing.T) {
	const (
		refresh = "UPDATE at 15m0s, Session-Expires: 1800;refresher=uac"
		hangup  = "BYE at 29m28s"
	)
	for _, c := range []struct {
		row                   string
		mode                  sessiontimer.Mode
		invite                string // its session-timer header fields
		supported, require    bool
		uac, uas, none, empty string // by the answer: Session-Expires, nothing, Require: timer alone
	}{
		{"B-01 Off", sessiontimer.Off, "", false, false, "nothing", "nothing", "nothing", "nothing"},
		{"B-04 C-02 C-07 Accept", sessiontimer.Accept, "", true, false, refresh, hangup, "nothing", "nothing"},
		{"B-02 C-06 C-08 Offer", sessiontimer.Offer, "Session-Expires: 1800", true, false, refresh, hangup, "nothing", refresh},
		{"B-03 C-06 Require", sessiontimer.Require, "Session-Expires: 1800", true, true, refresh, hangup, refresh, refresh},
		{"C-06 Always", sessiontimer.Always, "Session-Expires: 1800", true, false, refresh, hangup, refresh, refresh},
	} {
		for answer, want := range map[string]string{
			ours: c.uac, "Session-Expires: 1800;refresher=uas": c.uas, "X-None: 1": c.none, "Require: timer": c.empty,
		} {
			t.Run(c.row+", "+answer, func(t *testing.T) {
				inLab(t, func(l *lab) {
					alice, p := l.alice(middleware.WithMode(c.mode)), l.peer()
					d := l.callPeer(alice, p, answer, "Allow: UPDATE")
					invite := l.requests(aliceAddr, "INVITE")[0].SIP
					if got := sipnet.Timers(invite); got != c.invite {
						l.Errorf("the INVITE carries %q, should carry %q", got, c.invite)
					}
					if lists(invite, "Supported") != c.supported || lists(invite, "Require") != c.require {
						l.Errorf("the INVITE has Supported %q, Require %q; should list timer: %v, %v",
							field(invite, "Supported"), field(invite, "Require"), c.supported, c.require)
					}
					if got := l.next(p, 24*time.Hour); got != want {
						l.Errorf("Alice sends %s, should send %s", got, want)
					}
					if want == "nothing" {
						l.wantAlive("alice", d)
					}
				})
			})
		}
	}
}

// The five modes as the callee: what the answer says, and what we do then.
func TestModesOfCallee(t *testing.T) {
	const (
		refresh = "INVITE at 15m0s, Session-Expires: 1800;refresher=uac"
		hangup  = "BYE at 29m28s"
		uac     = "Session-Expires: 1800;refresher=uac"
		uas     = "Session-Expires: 1800;refresher=uas"
	)
	type answer struct {
		status    int
		timers    string // Session-Expires of a 2xx
		require   bool
		next      string
		supported bool
	}
	off := answer{200, "", false, "nothing", false}
	none := answer{200, "", false, "nothing", true}
	obeyed := answer{200, uac, true, hangup, true}
	alone := answer{200, uas, false, refresh, true}
	offered := answer{200, uas, true, refresh, true}
	refused := answer{421, "", true, "nothing", false}
	asked := []string{timerHeader, "Session-Expires: 1800"}
	proxied := []string{"Session-Expires: 1800"}
	supports := []string{timerHeader}
	for _, c := range []struct {
		mode                                        sessiontimer.Mode
		asked, required, supports, proxied, nothing answer
	}{
		{sessiontimer.Off, off, answer{420, "", false, "nothing", false}, off, off, off},
		{sessiontimer.Accept, obeyed, obeyed, none, alone, none},
		{sessiontimer.Offer, obeyed, obeyed, offered, alone, none},
		{sessiontimer.Require, obeyed, obeyed, offered, refused, refused},
		{sessiontimer.Always, obeyed, obeyed, offered, alone, alone},
	} {
		for _, r := range []struct {
			row     string
			headers []string
			want    answer
		}{
			{"E-04 E-19 Supported and Session-Expires", asked, c.asked},
			{"E-18 Require", []string{"Require: timer", timerHeader, "Session-Expires: 1800"}, c.required},
			{"E-12 Supported", supports, c.supports},
			{"E-01 Session-Expires of a proxy", proxied, c.proxied},
			{"E-20 nothing", nil, c.nothing},
		} {
			t.Run(fmt.Sprintf("%v, %s", c.mode, r.row), func(t *testing.T) {
				inLab(t, func(l *lab) {
					bob, p := l.bob(middleware.WithMode(c.mode)), l.peer()
					p.Invite(bob.Addr, r.headers...)
					res := p.ExpectResponse(l, r.want.status)
					p.Ack(res)
					synctest.Wait()
					if got := sipnet.Timers(res); got != r.want.timers {
						l.Errorf("the %d carries %q, should carry %q", r.want.status, got, r.want.timers)
					}
					if lists(res, "Require") != r.want.require || lists(res, "Supported") != r.want.supported {
						l.Errorf("E-10 E-11 E-21: the %d has Require %q, Supported %q; should list timer: %v, %v", r.want.status,
							field(res, "Require"), field(res, "Supported"), r.want.require, r.want.supported)
					}
					if got, want := lists(res, "Unsupported"), r.want.status == 420; got != want {
						l.Errorf("E-18: the %d has Unsupported %q", r.want.status, field(res, "Unsupported"))
					}
					if got := bob.Timers.Stats().Incoming.Refused; (got == 1) != (r.want.status == 421) {
						l.Errorf("%d calls were refused because of the timer, after a %d", got, r.want.status)
					}
					if taken := bob.Taken(); (taken == 1) != (r.want.status == 200) {
						l.Errorf("the application takes %d calls after a %d", taken, r.want.status)
					}
					if got := l.next(p, 24*time.Hour); got != r.want.next {
						l.Errorf("Bob sends %s, should send %s", got, r.want.next)
					}
					if r.want.status != 200 {
						l.wantNothingLeft(bob)
					}
				})
			})
		}
	}
}

// E-10: Require: timer joins what the application requires.
func TestModesRequireJoined(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		bob.Accept = func(d *sipgo.DialogServerSession) {
			_ = d.Respond(200, "OK", []byte(bob.SDP), sip.NewHeader("Content-Type", "application/sdp"), sip.NewHeader("Require", "100rel"))
		}
		_, res := l.peerCalls(p, bob, timerHeader, se1800, "Supported: 100rel")
		if got := field(res, "Require"); got != "100rel, timer" || len(res.GetHeaders("Require")) != 1 {
			l.Errorf("E-10: the 200 has Require %q, should have both", got)
		}
	})
}

// C-21, F-15, C-22: what is said of our Require, and what we say then.
func TestModesRequireRefused(t *testing.T) {
	require := middleware.WithMode(sessiontimer.Require)
	for _, c := range []struct {
		row         string
		opts        []middleware.Option
		status      int
		unsupported string
		tries       int
	}{
		{"C-21 420 timer", []middleware.Option{require}, 420, "timer", 2},
		{"C-21 420 timer among others", []middleware.Option{require}, 420, "100rel, TIMER", 2},
		{"C-21 420 of something else", []middleware.Option{require}, 420, "100rel", 1},
		{"C-21 420 without Unsupported", []middleware.Option{require}, 420, "", 1},
		{"C-21 420 timer, not required", nil, 420, "timer", 1},
		{"C-22 421 to who has said all there is", nil, 421, "", 1},
		{"C-22 421, Require", []middleware.Option{require}, 421, "", 1},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(c.opts...), l.peer()
				_, outcome := l.dial(alice)
				for range c.tries {
					invite := p.ExpectRequest(l, sip.INVITE)
					headers := []string{"Require: timer"}
					if c.unsupported != "" {
						headers = []string{"Unsupported: " + c.unsupported}
					}
					p.Reply(invite, c.status, "Extension", headers...)
					p.ExpectRequest(l, sip.ACK)
				}
				var refused *sipgo.ErrDialogResponse
				if err := <-outcome; !errors.As(err, &refused) || refused.Res.StatusCode != c.status {
					l.Errorf("the application gets %v, should get the %d", err, c.status)
				}
				invites := l.requests(aliceAddr, "INVITE")
				if len(invites) != c.tries {
					l.Errorf("%d INVITEs, should be %d", len(invites), c.tries)
				}
				ofTimer := uint64(0) // those that the timer is the reason for are counted
				if strings.Contains(strings.ToLower(c.unsupported), "timer") {
					ofTimer = 1
				}
				if got := alice.Timers.Stats().Outgoing.Refused; got != ofTimer {
					l.Errorf("%d calls were refused because of the timer, want %d", got, ofTimer)
				}
				if c.tries == 2 && lists(invites[1].SIP, "Require") {
					l.Errorf("C-21: the second INVITE requires timer still")
				}
				l.wantNothingLeft(alice)
			})
		})
	}
	t.Run("C-21 then it is accepted, and D-07 not required again", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(require), l.peer()
			call, err := alice.Invite(context.Background(), peerURI)
			if err != nil {
				l.Fatal(err)
			}
			outcome := make(chan error, 1)
			go func() { outcome <- call.WaitAnswer(context.Background(), sipgo.AnswerOptions{}) }()
			first := p.ExpectRequest(l, sip.INVITE)
			p.Reply(first, 420, "Bad Extension", "Unsupported: timer")
			p.ExpectRequest(l, sip.ACK)
			second := p.ExpectRequest(l, sip.INVITE)
			if !lists(second, "Supported") || field(second, "Session-Expires") != "1800" || string(second.Body()) != alice.SDP {
				l.Errorf("the second INVITE has Supported %q, Session-Expires %q; should keep all but Require",
					field(second, "Supported"), field(second, "Session-Expires"))
			}
			if second.CSeq().SeqNo != first.CSeq().SeqNo+1 || second.Via().Value() == first.Via().Value() {
				l.Errorf("the second INVITE is %s %s, should be a new transaction", second.CSeq().Value(), second.Via().Value())
			}
			p.Reply(second, 200, "OK", allow) // no timer: we run it alone
			if err := <-outcome; err != nil {
				l.Fatal(err)
			}
			_ = call.Ack(context.Background())
			p.ExpectRequest(l, sip.ACK)
			l.at(500 * time.Second)
			go l.send(alice, call, peerAddr, sip.INVITE, hold)
			again := p.ExpectRequest(l, sip.INVITE)
			p.Reply(again, 200, "OK")
			p.ExpectRequest(l, sip.ACK)
			l.at(1400 * time.Second)
			update := p.ExpectRequest(l, sip.UPDATE)
			p.Reply(update, 200, "OK")
			if lists(again, "Require") || lists(update, "Require") {
				l.Errorf("D-07: the hold has Require %q, the refresh %q; should have what the accepted INVITE had", field(again, "Require"), field(update, "Require"))
			}
			if got := field(update, "Session-Expires"); got != "1800;refresher=uac" {
				l.Errorf("the refresh carries %q, should carry 1800;refresher=uac", got)
			}
		})
	})
	t.Run("F-15 420 to a refresh", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(require), l.peer()
			l.callPeer(alice, p, ours, allow)
			l.at(900 * time.Second)
			first := p.ExpectRequest(l, sip.UPDATE)
			p.Reply(first, 420, "Bad Extension", "Unsupported: timer")
			second := p.ExpectRequest(l, sip.UPDATE)
			p.Reply(second, 200, "OK", ours)
			if !lists(first, "Require") || lists(second, "Require") || field(second, "Session-Expires") != "1800;refresher=uac" {
				l.Errorf("the refreshes have Require %q and %q, should have timer and nothing", field(first, "Require"), field(second, "Require"))
			}
			l.at(1801 * time.Second)
			l.wantSent(aliceAddr, sip.UPDATE, 900*time.Second, 900*time.Second, 1800*time.Second)
		})
	})
}
