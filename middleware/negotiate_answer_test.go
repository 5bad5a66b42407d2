package middleware_test

import (
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

// wantNext checks what follows at in the call with a peer that says nothing: our
// refresh, our BYE, or nothing at all for a day.
func (l *lab) wantNext(p *sipnet.Peer, method sip.RequestMethod, at time.Duration) {
	l.Helper()
	want := "nothing"
	if method != "" {
		want = fmt.Sprintf("%s at %v", method, at)
	}
	got := "nothing"
	msg, ok := p.Recv(24 * time.Hour)
	if ok {
		got = fmt.Sprintf("%s at %v", sipnet.Label(msg), l.net.Elapsed())
	}
	if got != want {
		l.Errorf("what follows is %s, want %s", got, want)
	}
	if ok {
		p.Reply(msg.(*sip.Request), 481, "Gone")
		synctest.Wait()
	}
}

// Refreshes of the peer that leave something out, or that change the roles, at
// 500 s of a call of 1800 s.
func TestAnswerWithinDialog(t *testing.T) {
	const weRefresh, peerRefreshes = "Session-Expires: 1800;refresher=uas", se1800
	for _, c := range []struct {
		row     string
		before  string // of the peer's INVITE
		opts    []middleware.Option
		headers []string // of its refresh
		timers  string   // of our 200
		require string
		next    sip.RequestMethod
		at      float64
	}{
		{"E-24 bare, we refresh", weRefresh, nil, []string{timerHeader, "Session-Expires: 1800"},
			"Session-Expires: 1800;refresher=uas", "timer", "refresh", 1400},
		{"E-24 bare, the peer refreshes", peerRefreshes, nil, []string{timerHeader, "Session-Expires: 1800"},
			"Session-Expires: 1800;refresher=uac", "timer", sip.BYE, 2268},
		{"E-24 bare, the peer refreshes against our wish", peerRefreshes, []middleware.Option{middleware.WithRefresher(sessiontimer.Local)},
			[]string{timerHeader, "Session-Expires: 1800"}, "Session-Expires: 1800;refresher=uac", "timer", sip.BYE, 2268},
		{"E-25 uac to uas", peerRefreshes, nil, []string{timerHeader, weRefresh},
			"Session-Expires: 1800;refresher=uas", "timer", "refresh", 1400},
		{"E-25 uas to uac", weRefresh, nil, []string{timerHeader, peerRefreshes},
			"Session-Expires: 1800;refresher=uac", "timer", sip.BYE, 2268},
		{"E-26 no Session-Expires, we refresh", weRefresh, nil, []string{timerHeader},
			"Session-Expires: 1800;refresher=uas", "timer", "refresh", 1400},
		{"E-26 no Session-Expires, the peer refreshes", peerRefreshes, nil, []string{timerHeader},
			"Session-Expires: 1800;refresher=uac", "timer", sip.BYE, 2268},
		{"E-26 only a Min-SE", peerRefreshes, nil, []string{timerHeader, "Min-SE: 2000"},
			"Session-Expires: 2000;refresher=uac", "timer", sip.BYE, 2468},
		{"E-26 WithStrict: off", peerRefreshes, []middleware.Option{middleware.WithStrict()}, []string{timerHeader}, "", "", "", 0},
		{"E-27 no timer, the peer refreshed", peerRefreshes, nil, nil,
			"Session-Expires: 1800;refresher=uas", "", "refresh", 1400},
		{"E-27 no timer, we refresh", weRefresh, nil, nil,
			"Session-Expires: 1800;refresher=uas", "", "refresh", 1400},
		{"E-27 WithStrict: off", peerRefreshes, []middleware.Option{middleware.WithStrict()}, nil, "", "", "", 0},
		{"E-07 shorter", peerRefreshes, nil, []string{timerHeader, "Session-Expires: 600;refresher=uac"},
			"Session-Expires: 600;refresher=uac", "timer", sip.BYE, 1068},
		{"E-07 not below what is in force", peerRefreshes + "\r\nMin-SE: 900", []middleware.Option{middleware.WithSessionExpires(600 * time.Second)},
			[]string{timerHeader, se1800}, "Session-Expires: 900;refresher=uac", "timer", sip.BYE, 500 + 868},
		{"E-16 below the floor, no timer: off", peerRefreshes, nil, []string{"Session-Expires: 60"}, "", "", "", 0},
	} {
		for _, r := range refreshes {
			t.Run(c.row+", "+string(r.method), func(t *testing.T) {
				inLab(t, func(l *lab) {
					bob, p := l.bob(c.opts...), l.peer()
					l.peerCalls(p, bob, timerHeader, r.allow, c.before)
					l.at(500 * time.Second)
					body := ""
					if r.method == sip.INVITE {
						body = sdp2
					}
					p.Request(r.method, append(append([]string{}, c.headers...), body)...)
					res := wantStatus(l, p, "the refresh", 200)
					if r.method == sip.INVITE {
						p.Ack(res)
					}
					if got := sipnet.Timers(res); got != c.timers {
						l.Errorf("the 200 carries %q, want %q", got, c.timers)
					}
					if got := field(res, "Require"); got != c.require {
						l.Errorf("E-10 E-11: the 200 carries Require %q, want %q", got, c.require)
					}
					next := c.next
					if next == "refresh" {
						next = r.method
					}
					l.wantNext(p, next, seconds(c.at))
				})
			})
		}
	}
}

// What our 2xx to a first INVITE says, beyond Table 2.
func TestAnswerToFirstInvite(t *testing.T) {
	for _, c := range []struct {
		row     string
		mode    sessiontimer.Mode
		headers []string
		timers  string
		require string
		next    sip.RequestMethod
		at      float64
	}{
		{"E-19 asked, Accept", sessiontimer.Accept, []string{timerHeader, "Session-Expires: 1800"},
			"Session-Expires: 1800;refresher=uac", "timer", sip.BYE, 1768},
		{"E-19 asked, Offer", sessiontimer.Offer, []string{timerHeader, "Session-Expires: 1800"},
			"Session-Expires: 1800;refresher=uac", "timer", sip.BYE, 1768},
		{"E-19 asked, Require", sessiontimer.Require, []string{timerHeader, "Session-Expires: 1800"},
			"Session-Expires: 1800;refresher=uac", "timer", sip.BYE, 1768},
		{"E-19 asked, Always", sessiontimer.Always, []string{timerHeader, "Session-Expires: 1800"},
			"Session-Expires: 1800;refresher=uac", "timer", sip.BYE, 1768},
		{"E-12 not asked, Offer", sessiontimer.Offer, []string{timerHeader},
			"Session-Expires: 1800;refresher=uas", "timer", sip.INVITE, 900},
		{"E-12 not asked, Accept", sessiontimer.Accept, []string{timerHeader}, "", "", "", 0},
		{"E-20 no timer, Always", sessiontimer.Always, nil,
			"Session-Expires: 1800;refresher=uas", "", sip.INVITE, 900},
		{"E-20 no timer, Always, Min-SE of a proxy", sessiontimer.Always, []string{"Min-SE: 3600"},
			"Session-Expires: 3600;refresher=uas", "", sip.INVITE, 1800},
		{"E-20 no timer, Offer", sessiontimer.Offer, nil, "", "", "", 0},
		{"E-18 required, not asked", sessiontimer.Accept, []string{timerHeader, "Require: timer"}, "", "", "", 0},
		{"E-16 no timer, below our wish", sessiontimer.Offer, []string{"Session-Expires: 100"},
			"Session-Expires: 100;refresher=uas", "", sip.INVITE, 50},
		{"G-03 no timer, both of a proxy", sessiontimer.Offer, []string{"Session-Expires: 3600", "Min-SE: 3600"},
			"Session-Expires: 3600;refresher=uas", "", sip.INVITE, 1800},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(middleware.WithMode(c.mode)), l.peer()
				d, res := l.peerCalls(p, bob, append(c.headers, "Allow: INVITE")...)
				if got := sipnet.Timers(res); got != c.timers {
					l.Errorf("the 200 carries %q, want %q", got, c.timers)
				}
				if got := field(res, "Require"); got != c.require {
					l.Errorf("E-10 E-11: the 200 carries Require %q, want %q", got, c.require)
				}
				l.wantNext(p, c.next, seconds(c.at))
				if c.next == "" {
					l.wantAlive("bob", d)
				}
			})
		})
	}
}

// E-10: timer joins what the application requires.
func TestAnswerJoinsRequire(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		bob.Accept = func(d *sipgo.DialogServerSession) {
			_ = d.Respond(200, "OK", []byte(bob.SDP), sip.NewHeader("Require", "100rel"), sip.NewHeader("Supported", "replaces"))
		}
		_, res := l.peerCalls(p, bob, timerHeader, se1800)
		for name, want := range map[string]string{"Require": "100rel, timer", "Supported": "replaces, timer"} {
			if got := strings.Join(values(res, name), " / "); got != want {
				l.Errorf("the 200 says %s: %s, want %s", name, got, want)
			}
		}
	})
}

// E-18: what is switched off is not supported.
func TestAnswerRequiredButOff(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithMode(sessiontimer.Off)), l.peer()
		p.Invite(bob.Addr, timerHeader, "Require: timer", se1800)
		res := p.ExpectResponse(l, 420)
		p.Ack(res)
		if got := field(res, "Unsupported"); got != "timer" {
			l.Errorf("the 420 says Unsupported %q, want timer", got)
		}
		if bob.Taken() != 0 {
			l.Error("the application sees the INVITE, should not")
		}
		l.wantNothingLeft(bob)
	})
}

// E-28, the difference to RFC 3261 §8.2: the middleware is before the
// application and so before its challenge, hence the 422 comes before the 401. No
// timer is kept before the 2xx.
func TestAnswerBeforeChallenge(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		bob.Accept = func(d *sipgo.DialogServerSession) {
			if d.InviteRequest.GetHeader("Authorization") == nil {
				_ = d.Respond(401, "Unauthorized", nil, sip.NewHeader("WWW-Authenticate", `Digest realm="r", nonce="n"`))
				return
			}
			_ = d.RespondSDP([]byte(bob.SDP))
		}
		p.Invite(bob.Addr, timerHeader, "Session-Expires: 50")
		p.Ack(p.ExpectResponse(l, 422))
		p.Request(sip.INVITE, timerHeader, "Session-Expires: 90")
		p.Ack(p.ExpectResponse(l, 401))
		synctest.Wait()
		if _, watched, stored := bob.Timers.Left(); watched+stored != 0 {
			l.Errorf("after the 401 bob holds %d schedules and %d dialogs, want none", watched, stored)
		}
		l.at(200 * time.Second)
		l.wantSent(bobAddr, sip.BYE)
		p.Request(sip.INVITE, timerHeader, "Session-Expires: 90", `Authorization: Digest username="p"`)
		p.Ack(p.ExpectResponse(l, 200))
		l.wantNext(p, sip.BYE, 260*time.Second)
	})
}

// E-38: the INVITE after our 422 is a new call, be its From tag the same or new.
func TestAnswerToRetriedInvite(t *testing.T) {
	for _, from := range []string{"", "From: <sip:peer@10.0.0.9:5060>;tag=another"} {
		inLab(t, func(l *lab) {
			bob, p := l.bob(), l.peer()
			p.Invite(bob.Addr, timerHeader, "Session-Expires: 50")
			p.Ack(p.ExpectResponse(l, 422))
			headers := []string{timerHeader, "Session-Expires: 90", "Min-SE: 90"}
			if from != "" {
				headers = append(headers, from)
			}
			p.Request(sip.INVITE, headers...)
			res := p.ExpectResponse(l, 200)
			if from != "" {
				p.Ack(res, from)
			} else {
				p.Ack(res)
			}
			l.wantNext(p, sip.BYE, 60*time.Second)
			l.wantEnded("bob", bob.Answered())
		})
	}
}

// E-40: a re-INVITE that the application answers in steps restarts the timer with
// its 2xx and no earlier.
func TestAnswerInSteps(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := peersCall(l)
		bob.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) {
			progress := sip.NewResponseFromRequest(req, 183, "Session Progress", []byte(sipua.SDP("bob", "2")))
			progress.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
			_ = tx.Respond(progress)
			time.Sleep(10 * time.Second)
			res := sip.NewResponseFromRequest(req, 200, "OK", nil)
			res.AppendHeader(&sip.ContactHeader{Address: bobURI})
			_ = tx.Respond(res)
		}
		l.at(500 * time.Second)
		p.Request(sip.INVITE, timerHeader, se1800, sdp2)
		if got := sipnet.Timers(p.ExpectResponse(l, 183)); got != "" {
			l.Errorf("A-15: the 183 carries %q, want nothing", got)
		}
		res := p.ExpectResponse(l, 200)
		p.Ack(res)
		if got := sipnet.Timers(res); got != se1800 {
			l.Errorf("the 200 carries %q, want %q", got, se1800)
		}
		l.wantNext(p, sip.BYE, (510+1768)*time.Second)
	})
}
