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
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// What a 2xx to the first INVITE leads to, right or wrong as it may be.
func TestAnswerOfPeer(t *testing.T) {
	const refresh = "UPDATE at 15m0s, Session-Expires: 1800;refresher=uac"
	accept := middleware.WithMode(sessiontimer.Accept)
	always := middleware.WithMode(sessiontimer.Always)
	for _, c := range []struct {
		row     string
		opts    []middleware.Option
		headers []string
		want    string
	}{
		{"C-01 Require and Session-Expires", nil, []string{"Require: timer", ours}, refresh},
		{"C-01 Require with others", nil, []string{"Require: 100rel, timer", ours}, refresh},
		{"C-01 Require of something else", nil, []string{"Require: 100rel", ours}, refresh},
		{"C-02 not asked for", []middleware.Option{accept}, []string{"Require: timer", ours}, refresh},
		{"C-02 not asked for, the peer's", []middleware.Option{accept}, []string{"Session-Expires: 1800;refresher=uas"}, "BYE at 29m28s"},
		{"C-03 uas", nil, []string{"Require: timer", "Session-Expires: 1800;refresher=uas"}, "BYE at 29m28s"},
		{"C-04 no Require", nil, []string{ours}, refresh},
		{"C-05 no refresher", nil, []string{"Require: timer", "Session-Expires: 1800"}, refresh},
		{"C-05 C-02 no refresher, not asked for", []middleware.Option{accept}, []string{"Session-Expires: 1800"}, refresh},
		{"C-06 asked, no answer", nil, nil, "nothing"},
		{"C-06 asked, no answer, Always", []middleware.Option{always}, nil, refresh},
		{"C-07 not asked, no answer", []middleware.Option{accept}, nil, "nothing"},
		{"C-08 Require only", nil, []string{"Require: timer"}, refresh},
		{"C-08 Require only, not asked", []middleware.Option{accept}, []string{"Require: timer"}, "nothing"},
		{"C-08 Require only, Always", []middleware.Option{always}, []string{"Require: timer"}, refresh},
		{"C-12 raised, ours", []middleware.Option{middleware.WithSessionExpires(600 * time.Second)}, []string{ours},
			"UPDATE at 5m0s, Session-Expires: 1800;refresher=uac"},
		{"C-12 raised, the peer's", []middleware.Option{middleware.WithSessionExpires(600 * time.Second)},
			[]string{"Session-Expires: 1800;refresher=uas"}, "BYE at 29m28s"},
		{"C-13 H-03 below the floor", nil, []string{"Session-Expires: 5;refresher=uac"}, "UPDATE at 10s, Session-Expires: 90;refresher=uac"},
		{"C-13 a third of the floor", nil, []string{"Session-Expires: 30;refresher=uac"}, "UPDATE at 15s, Session-Expires: 90;refresher=uac"},
		{"C-13 a second below the floor", nil, []string{"Session-Expires: 89"}, "UPDATE at 44.5s, Session-Expires: 90;refresher=uac"},
		{"C-13 H-03 zero", nil, []string{"Session-Expires: 0;refresher=uac"}, "UPDATE at 10s, Session-Expires: 90;refresher=uac"},
		{"C-13 below the floor, the peer's", nil, []string{"Session-Expires: 5;refresher=uas"}, "BYE at 1m0s"},
		{"C-13 below our Min-SE", []middleware.Option{middleware.WithMinSE(900 * time.Second)}, []string{"Session-Expires: 200;refresher=uac"},
			"UPDATE at 1m40s, Session-Expires: 900;refresher=uac, Min-SE: 900"},
		{"no Contact", nil, []string{ours, "-Contact"}, refresh},
		{"C-01 everything at once", nil, []string{"k: timer", "Require: timer, foo", "x: 1800 ;\n refresher = uac", "Session-Expires: 90"}, refresh},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(c.opts...), l.peer()
				d := l.callPeer(alice, p, append([]string{"Allow: UPDATE"}, c.headers...)...)
				l.wantAlive("alice", d)
				if got := l.next(p, 24*time.Hour); got != c.want {
					l.Errorf("Alice sends %s, should send %s", got, c.want)
				}
				l.wantFloor()
			})
		})
	}
}

// C-06: a timer that we run alone is one in full: it refreshes for as long as
// the peer answers, with what we asked for, and ends the call when it does not.
func TestAnswerMissingAlone(t *testing.T) {
	for _, c := range []struct {
		row    string
		answer int // to the third refresh; 0: none
		hangup time.Duration
	}{
		{"C-06 F-04 408", 408, 2700 * time.Second},
		{"C-06 F-03 silence", 0, 2732 * time.Second},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(middleware.WithMode(sessiontimer.Always)), l.peer()
				d := l.callPeer(alice, p, "Allow: UPDATE")
				for i := range 3 {
					l.at(time.Duration(i+1) * 900 * time.Second)
					update := p.ExpectRequest(l, sip.UPDATE)
					if got := field(update, "Session-Expires"); got != "1800;refresher=uac" {
						l.Errorf("refresh %d carries %q, should carry 1800;refresher=uac", i+1, got)
					}
					switch {
					case i < 2:
						p.Reply(update, 200, "OK")
					case c.answer != 0:
						p.Reply(update, c.answer, "Timeout")
					}
				}
				l.at(c.hangup)
				l.wantSent(aliceAddr, sip.BYE, c.hangup)
				l.wantEnded("alice", d)
			})
		})
	}
}

// C-09: a later 2xx without Session-Expires. The refresher goes on, as the peer
// may have forgotten it; the one that waits has nothing to wait for.
func TestAnswerMissingLater(t *testing.T) {
	for _, c := range []struct {
		row, first, later string
		method            sip.RequestMethod
		want              string
	}{
		{"C-09 we refresh, hold", ours, "", sip.INVITE, "UPDATE at 23m20s, Session-Expires: 1800;refresher=uac"},
		{"C-09 we refresh, UPDATE", ours, "", sip.UPDATE, "UPDATE at 23m20s, Session-Expires: 1800;refresher=uac"},
		{"C-09 F-26 the peer refreshes, hold", "Session-Expires: 1800;refresher=uas", "", sip.INVITE, "nothing"},
		{"C-09 F-26 the peer refreshes, UPDATE", "Session-Expires: 1800;refresher=uas", "", sip.UPDATE, "nothing"},
		{"C-08 C-09 the peer refreshes, Require only", "Session-Expires: 1800;refresher=uas", "Require: timer", sip.UPDATE, "UPDATE at 23m20s, Session-Expires: 1800;refresher=uac"},
		{"C-10 none before, hold", "X-None: 1", "Session-Expires: 600;refresher=uac", sip.INVITE, "UPDATE at 13m20s, Session-Expires: 600;refresher=uac"},
		{"C-10 the other one", ours, "Session-Expires: 600;refresher=uas", sip.UPDATE, "BYE at 17m48s"},
		{"C-10 C-13 below the floor", ours, "Session-Expires: 5;refresher=uac", sip.INVITE, "UPDATE at 8m30s, Session-Expires: 90;refresher=uac"},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				d := l.callPeer(alice, p, c.first, "Allow: UPDATE", timerHeader)
				l.at(500 * time.Second)
				go l.send(alice, d, peerAddr, c.method, hold)
				headers := []string{"Allow: UPDATE"}
				if c.later != "" {
					headers = append(headers, c.later)
				}
				p.Reply(p.ExpectRequest(l, c.method), 200, "OK", headers...)
				if c.method == sip.INVITE {
					p.ExpectRequest(l, sip.ACK)
				}
				synctest.Wait()
				if got := l.next(p, 24*time.Hour); got != c.want {
					l.Errorf("Alice sends %s, should send %s", got, c.want)
				}
			})
		})
	}
}

// C-13, H-03: a peer that answers 5 s for ever makes no storm: a refresh each 10 s.
func TestAnswerBelowFloorForEver(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		l.callPeer(alice, p, "Session-Expires: 5;refresher=uac", "Allow: UPDATE")
		var want []time.Duration
		for i := range 20 {
			want = append(want, time.Duration(i+1)*10*time.Second)
			l.at(want[i])
			p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", "Session-Expires: 5;refresher=uac")
		}
		synctest.Wait()
		l.wantSent(aliceAddr, sip.UPDATE, want...)
		l.wantFloor()
	})
}

// C-11, E-22: the 2xx that comes again, with other header fields or the same, is
// acknowledged and means nothing new.
func TestAnswerComesAgain(t *testing.T) {
	for _, c := range []struct{ row, again string }{
		{"C-11 the same", "Session-Expires: 1800;refresher=uac"},
		{"C-11 another interval", "Session-Expires: 90;refresher=uas"},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				l.callPeer(alice, p, ours, allow)
				for _, at := range []time.Duration{1, 3, 10, 30} {
					l.at(at * time.Second)
					raw := strings.Replace(string(l.net.Messages()[1].Raw), "Session-Expires: 1800;refresher=uac", c.again, 1)
					p.Send(aliceAddr, raw)
				}
				synctest.Wait()
				if n := l.count(aliceAddr, "ACK"); n != 1+4 {
					l.Errorf("%d ACKs, should be one for each of the five 200s", n)
				}
				l.at(901 * time.Second)
				l.wantSent(aliceAddr, sip.UPDATE, 900*time.Second)
			})
		})
	}
}

// D-01: the peer counts from when it first sent its 2xx. Where that got lost, we
// refresh as much earlier.
func TestAnswerDelayed(t *testing.T) {
	for _, c := range []struct {
		row    string
		answer string
		after  time.Duration // from UPDATE to the 200
		next   time.Duration // from the UPDATE to the next one
	}{
		{"D-01 at once", ours, 0, 900 * time.Second},
		{"D-01 after 20 s", ours, 20 * time.Second, 900 * time.Second},
		{"D-01 C-12 raised, after 20 s", "Session-Expires: 3600;refresher=uac", 20 * time.Second, 900 * time.Second},
		{"D-01 shortest, after 30 s", "Session-Expires: 90;refresher=uac", 30 * time.Second, 45 * time.Second},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				l.callPeer(alice, p, ours, "Allow: UPDATE")
				l.at(900 * time.Second)
				update := p.ExpectRequest(l, sip.UPDATE)
				time.Sleep(c.after)
				p.Reply(update, 200, "OK", c.answer)
				l.at(900*time.Second + c.next)
				l.wantSent(aliceAddr, sip.UPDATE, 900*time.Second, 900*time.Second+c.next)
			})
		})
	}
	t.Run("C-03 the peer's: we wait in full", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			l.callPeer(alice, p, ours, "Allow: UPDATE")
			l.at(900 * time.Second)
			update := p.ExpectRequest(l, sip.UPDATE)
			time.Sleep(20 * time.Second)
			p.Reply(update, 200, "OK", "Session-Expires: 1800;refresher=uas")
			l.at(2690 * time.Second)
			l.wantSent(aliceAddr, sip.BYE, (920+1768)*time.Second)
		})
	})
}

// A 2xx within the dialog that has another Call-ID or From tag (RFC 3261 §8.2.6.2) is no
// refresh, whether the request is ours or the application's: the session expires as if it
// had not come.
func TestAnswerOfAnotherCall(t *testing.T) {
	for _, wrong := range []string{"Call-ID: other", "From: <sip:alice@10.0.0.1>;tag=other"} {
		for _, r := range refreshes {
			for _, own := range []bool{true, false} {
				t.Run(fmt.Sprintf("%.7s, %s, the application's %v", wrong, r.method, own), func(t *testing.T) {
					inLab(t, func(l *lab) {
						alice, p := l.alice(), l.peer()
						d := l.callPeer(alice, p, r.allow, "Session-Expires: 1800;refresher=uac")
						before := stored(alice)[0].Session
						if own {
							l.at(100 * time.Second)
							go func() { _, _ = alice.Send(d, peerAddr, r.method, "") }()
						} else {
							l.at(900 * time.Second)
						}
						p.Reply(p.ExpectRequest(l, r.method), 200, "OK", "Session-Expires: 7200;refresher=uac", wrong)
						synctest.Wait()
						if got := stored(alice)[0].Session; !got.Equal(before) {
							l.Errorf("the session is %+v after it, want %+v as before", got, before)
						}
						if got := strings.Join(events(alice), " "); got != "Negotiated" {
							l.Errorf("events are %s, want Negotiated alone", got)
						}
						if !own {
							l.at(1800 * time.Second)
							l.wantSent(aliceAddr, sip.BYE, 1800*time.Second) // its CSeq, which the lab checks, is the next
						}
					})
				})
			}
		}
	}
}

// A 2xx to the first INVITE without a To tag makes no dialog (RFC 3261 §12.1.2), and one with
// another Call-ID or From tag none of ours: there is no timer.
func TestFirstAnswerOfNoDialog(t *testing.T) {
	for _, wrong := range []string{"To: <sip:peer@10.0.0.9>", "Call-ID: other", "From: <sip:alice@10.0.0.1>;tag=other"} {
		t.Run(fmt.Sprintf("%.7s", wrong), func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				go func() { _, _ = alice.TryURI(ctx, peerURI) }()
				p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", allow, "Session-Expires: 1800;refresher=uac", wrong)
				l.at(2 * time.Hour)
				if got := stored(alice); len(got) != 0 {
					l.Errorf("%d dialogs are stored, want none: %+v", len(got), got)
				}
				if got := events(alice); len(got) != 0 {
					l.Errorf("events are %v, want none", got)
				}
				l.wantSent(aliceAddr, sip.UPDATE)
			})
		})
	}
}
