package middleware_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// I-09, D-22: a refresh refused with 422 is tried again at once, and all later
// ones carry what was learnt.
// Also F-08.
func TestRefreshRefusedWith422(t *testing.T) {
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE} {
		t.Run("I-09 "+string(method), func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(middleware.WithSessionExpires(180*time.Second)), l.peer()
				l.callPeer(alice, p, "Session-Expires: 180;refresher=uac", "Allow: INVITE, "+string(method))
				l.at(90 * time.Second)
				req := p.ExpectRequest(l, method)
				p.Reply(req, 422, "Session Interval Too Small", "Min-SE: 600")
				if method == sip.INVITE {
					p.ExpectRequest(l, sip.ACK)
				}
				for _, at := range []time.Duration{90, 390, 690} {
					l.at(at * time.Second)
					again := p.ExpectRequest(l, method)
					if got, want := sipnet.Timers(again), "Session-Expires: 600;refresher=uac, Min-SE: 600"; got != want {
						l.Errorf("D-08: the refresh at %v carries %s, should carry %s", l.net.Elapsed(), got, want)
					}
					p.Reply(again, 200, "OK", "Session-Expires: 600;refresher=uac")
					if method == sip.INVITE {
						p.ExpectRequest(l, sip.ACK)
					}
					synctest.Wait()
				}
				if failed := events(alice); cmp.Diff([]string{"Negotiated", "Refreshed", "Refreshed", "Refreshed"}, failed) != "" {
					l.Errorf("Alice is told %v, should not hear of a refusal that was answered", failed)
				}
			})
		})
	}
	t.Run("C-19 in a dialog: the call lives until it expires", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			l.callPeer(alice, p, ours, "Allow: UPDATE")
			l.at(900 * time.Second)
			for range 2 {
				p.Reply(p.ExpectRequest(l, sip.UPDATE), 422, "Session Interval Too Small", "Min-SE: 1800")
			}
			l.at(2000 * time.Second)
			l.wantSent(aliceAddr, sip.UPDATE, 900*time.Second, 900*time.Second)
			l.wantSent(aliceAddr, sip.BYE, 1800*time.Second)
		})
	})
	t.Run("C-14 the application's own hold", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			call := l.callPeer(alice, p, ours, "Allow: UPDATE")
			l.at(100 * time.Second)
			go l.send(alice, call, peerAddr, sip.INVITE, hold)
			l.tooSmall(p, "3600")
			again := p.ExpectRequest(l, sip.INVITE)
			if got, want := sipnet.Timers(again), "Session-Expires: 3600;refresher=uac, Min-SE: 3600"; got != want {
				l.Errorf("the hold carries %s, should carry %s", got, want)
			}
			if string(again.Body()) != hold {
				l.Errorf("the hold has body %q, should keep the application's", again.Body())
			}
			p.Reply(again, 200, "OK", "Session-Expires: 3600;refresher=uac")
			if ack := p.ExpectRequest(l, sip.ACK); ack.CSeq().SeqNo != again.CSeq().SeqNo {
				l.Errorf("D-24: the ACK has CSeq %d, should have that of the INVITE it is for, %d", ack.CSeq().SeqNo, again.CSeq().SeqNo)
			}
			l.at(1900 * time.Second)
			if update := p.ExpectRequest(l, sip.UPDATE); update.CSeq().SeqNo != again.CSeq().SeqNo+1 {
				l.Errorf("the refresh has CSeq %d, should have %d", update.CSeq().SeqNo, again.CSeq().SeqNo+1)
			}
		})
	})
}

// What we do with a first INVITE that asks for less than we accept.
func TestAnswerTo(t *testing.T) {
	for _, c := range []struct {
		row     string
		opts    []middleware.Option
		headers []string
		status  int
		want    string
	}{
		{"E-13 below WithMinSE", []middleware.Option{middleware.WithMinSE(900 * time.Second)},
			[]string{"Supported: timer", "Session-Expires: 600"}, 422, "Min-SE: 900"},
		{"E-13 at WithMinSE", []middleware.Option{middleware.WithMinSE(900 * time.Second)},
			[]string{"Supported: timer", "Session-Expires: 900"}, 200, "Session-Expires: 900;refresher=uac"},
		{"E-13 compact forms", []middleware.Option{middleware.WithMinSE(900 * time.Second)},
			[]string{"k: timer", "x: 600"}, 422, "Min-SE: 900"},
		{"E-13 Require lists timer too", []middleware.Option{middleware.WithMinSE(900 * time.Second)},
			[]string{"Require: timer", "Session-Expires: 600"}, 422, "Min-SE: 900"},
		{"E-14 below the floor", nil, []string{"Supported: timer", "Session-Expires: 50"}, 422, "Min-SE: 90"},
		{"A-21 zero", nil, []string{"Supported: timer", "Session-Expires: 0"}, 422, "Min-SE: 90"},
		{"E-15 no timer, below WithMinSE", []middleware.Option{middleware.WithMinSE(900 * time.Second)},
			[]string{"Session-Expires: 600"}, 200, "Session-Expires: 600;refresher=uas"},
		{"E-15 no timer, below the floor", nil, []string{"Session-Expires: 50"}, 200, ""},
		{"E-17 below its own Min-SE", nil, []string{"Supported: timer", "Session-Expires: 100", "Min-SE: 200"}, 422, "Min-SE: 200"},
		{"E-07 above our wish", []middleware.Option{middleware.WithSessionExpires(600 * time.Second)},
			[]string{"Supported: timer", "Session-Expires: 1800"}, 200, "Session-Expires: 600;refresher=uac"},
		{"E-08 but not below Min-SE", []middleware.Option{middleware.WithSessionExpires(600 * time.Second)},
			[]string{"Supported: timer", "Session-Expires: 1800", "Min-SE: 900"}, 200, "Session-Expires: 900;refresher=uac"},
		{"E-09 below our wish", []middleware.Option{middleware.WithSessionExpires(time.Hour)},
			[]string{"Supported: timer", "Session-Expires: 1800"}, 200, "Session-Expires: 1800;refresher=uac"},
		{"E-12 not asked", nil, []string{"Supported: timer", "Min-SE: 2000"}, 200, "Session-Expires: 2000;refresher=uas"},
		{"A-10 malformed", nil, []string{"Session-Expires: abc"}, 200, ""},
		{"A-12 the first counts", nil, []string{"Supported: timer", "Session-Expires: 1800", "x: 60"}, 200,
			"Session-Expires: 1800;refresher=uac"},
		{"mode Off", []middleware.Option{middleware.WithMode(sessiontimer.Off)},
			[]string{"Supported: timer", "Session-Expires: 50"}, 200, ""},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(c.opts...), l.peer()
				p.Invite(bob.Addr, c.headers...)
				res := p.ExpectResponse(l, c.status)
				if got := sipnet.Timers(res); got != c.want {
					l.Errorf("the %d carries %q, should carry %q", c.status, got, c.want)
				}
				p.Ack(res)
				synctest.Wait()
				if c.status == 422 {
					if bob.Taken() != 0 {
						l.Errorf("the application sees the refused INVITE, should see nothing")
					}
					l.wantNothingLeft(bob)
				}
			})
		})
	}
}

// E-38: the INVITE that comes again after our 422 is a new call.
func TestRetriedCallIsTaken(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithMinSE(time.Hour), middleware.WithSessionExpires(time.Hour)), l.peer()
		p.Invite(bob.Addr, "Supported: timer", "Session-Expires: 1800")
		p.Ack(p.ExpectResponse(l, 422))
		p.Request(sip.INVITE, "Supported: timer", "Session-Expires: 3600", "Min-SE: 3600")
		res := p.ExpectResponse(l, 200)
		p.Ack(res)
		if got, want := sipnet.Timers(res), "Session-Expires: 3600;refresher=uac"; got != want {
			l.Errorf("the 200 carries %s, should carry %s", got, want)
		}
		l.at(3600 * time.Second)
		l.wantSent(bobAddr, sip.BYE, 3568*time.Second)
	})
}

// E-13, E-15, E-29: the same within a dialog; a refused refresh changes nothing.
func TestRefusesRefresh(t *testing.T) {
	for _, c := range []struct {
		name    string
		method  sip.RequestMethod
		headers []string
		status  int
		want    string
		bye     time.Duration // after the beginning of the call
	}{
		{"E-13 UPDATE", sip.UPDATE, []string{"Supported: timer", "Session-Expires: 600", ""}, 422, "Min-SE: 900", 1768 * time.Second},
		{"E-13 re-INVITE", sip.INVITE, []string{"Supported: timer", "Session-Expires: 600"}, 422, "Min-SE: 900", 1768 * time.Second},
		{"E-15 UPDATE, no timer", sip.UPDATE, []string{"Session-Expires: 600", ""}, 200, "Session-Expires: 600;refresher=uas", 0},
		{"D-23 UPDATE", sip.UPDATE, []string{"Supported: timer", "Session-Expires: 1000;refresher=uac", ""}, 200,
			"Session-Expires: 1000;refresher=uac", (1000 + 968) * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(middleware.WithMinSE(900*time.Second)), l.peer()
				l.peerCalls(p, bob, "Supported: timer", "Session-Expires: 1800;refresher=uac")
				l.at(1000 * time.Second)
				// E-29: nor does the Contact of a refused request count.
				headers := append([]string{"Contact: <sip:peer@10.0.0.9:6000>"}, c.headers...)
				if c.status == 200 {
					headers = c.headers
				}
				p.Request(c.method, headers...)
				res := p.ExpectResponse(l, c.status)
				if got := sipnet.Timers(res); got != c.want {
					l.Errorf("the %d carries %q, should carry %q", c.status, got, c.want)
				}
				if c.method == sip.INVITE {
					p.Ack(res)
				}
				if c.bye == 0 { // we refresh now
					l.at(1300 * time.Second)
					l.wantSent(bobAddr, sip.INVITE, 1300*time.Second)
					return
				}
				l.at(c.bye)
				l.wantSent(bobAddr, sip.BYE, c.bye)
				bye := p.ExpectRequest(l, sip.BYE)
				if bye.Recipient.Port != 5060 {
					l.Errorf("E-29: BYE goes to %s, should not follow a refused request", bye.Recipient.String())
				}
			})
		})
	}
}
