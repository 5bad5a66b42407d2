package middleware_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// wantCounts checks what is counted of calls; expired are those causes that are not zero.
func (l *lab) wantCounts(t *middleware.Timers, when string, want middleware.CallStats) {
	l.Helper()
	got := t.Stats().CallStats
	for cause, n := range got.Expired {
		if n == 0 {
			delete(got.Expired, cause)
		}
	}
	if want.Expired == nil {
		want.Expired = map[sessiontimer.Cause]uint64{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		l.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// The counts follow a call from its first INVITE to its end, at both of its ends.
func TestStatsOfACall(t *testing.T) {
	for _, caller := range []bool{true, false} {
		for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE} {
			t.Run(fmt.Sprintf("%s, refreshed by the caller: %t", method, caller), func(t *testing.T) {
				inLab(t, func(l *lab) {
					of := func(weRefresh bool) []middleware.Option {
						who := sessiontimer.Peer
						if weRefresh {
							who = sessiontimer.Local
						}
						return []middleware.Option{middleware.WithRefresher(who), middleware.WithMethod(methodOf[method]), middleware.WithJitter(0)}
					}
					alice, bob := l.alice(of(caller)...), l.bob(of(!caller)...)
					d := alice.Call(bob)

					local, peer := middleware.ByRefresher{Local: 1}, middleware.ByRefresher{Peer: 1}
					asLocal, asPeer := middleware.Negotiations{Local: 1}, middleware.Negotiations{Peer: 1}
					ofAlice := middleware.CallStats{Dialogs: local, Outgoing: asLocal}
					ofBob := middleware.CallStats{Dialogs: peer, Incoming: asPeer}
					if !caller {
						ofAlice = middleware.CallStats{Dialogs: peer, Outgoing: asPeer}
						ofBob = middleware.CallStats{Dialogs: local, Incoming: asLocal}
					}
					l.at(time.Minute)
					l.wantCounts(alice.Timers, "alice's call has begun", ofAlice)
					l.wantCounts(bob.Timers, "bob's call has begun", ofBob)

					one := middleware.ByMethod[uint64]{Update: 1}
					if method == sip.INVITE {
						one = middleware.ByMethod[uint64]{Invite: 1}
					}
					l.at(901 * time.Second)
					if caller {
						ofAlice.Refreshed.Local, ofBob.Refreshed.Peer = one, one
					} else {
						ofAlice.Refreshed.Peer, ofBob.Refreshed.Local = one, one
					}
					l.wantCounts(alice.Timers, "alice's call is refreshed", ofAlice)
					l.wantCounts(bob.Timers, "bob's call is refreshed", ofBob)

					_ = d.Bye(l.Context())
					l.at(902 * time.Second)
					ofAlice.Dialogs, ofBob.Dialogs = middleware.ByRefresher{}, middleware.ByRefresher{}
					l.wantCounts(alice.Timers, "alice's call is over", ofAlice)
					l.wantCounts(bob.Timers, "bob's call is over", ofBob)
				})
			})
		}
	}
}

// A refresh that fails is counted by its response, or by why there is none, and the end
// that follows by its cause.
func TestStatsOfFailures(t *testing.T) {
	for _, c := range []struct {
		status int
		failed middleware.Failures
		cause  sessiontimer.Cause
	}{
		{305, middleware.Failures{Status3xx: 1}, 0},
		{403, middleware.Failures{Status4xx: 1}, 0},
		{503, middleware.Failures{Status5xx: 1}, 0},
		{603, middleware.Failures{Status6xx: 1}, 0},
		{481, middleware.Failures{Status4xx: 1}, sessiontimer.CauseRefreshAnswered},
		{0, middleware.Failures{Unanswered: 1}, sessiontimer.CauseRefreshUnanswered},
	} {
		inRefreshing(t, fmt.Sprint(c.status), 1800, func(r refreshing) {
			r.at(r.half - time.Second)
			req := r.p.ExpectRequest(r, r.method)
			if c.status != 0 {
				r.refuse(req, c.status)
			}
			r.at(r.half + time.Second)
			if c.status == 0 {
				if s := r.u.Timers.Stats().Refresher; s.Unanswered != 1 {
					r.Errorf("a second after the refresh: %d are not answered, want 1", s.Unanswered)
				}
				r.at(r.half + 33*time.Second)
			}
			s := r.u.Timers.Stats()
			want := middleware.ByMethod[middleware.Failures]{Update: c.failed}
			switch {
			case r.method == sip.INVITE:
				want = middleware.ByMethod[middleware.Failures]{Invite: c.failed}
			case c.status == 0: // a re-INVITE follows
				want.Invite = c.failed
			}
			if diff := cmp.Diff(want, s.Failed); diff != "" {
				r.Errorf("failed (-want +got):\n%s", diff)
			}
			ended := uint64(0)
			if c.cause != 0 {
				ended = 1
			}
			if s.Expired[c.cause] != ended {
				r.Errorf("%d calls ended by %v, want %d", s.Expired[c.cause], c.cause, ended)
			}
		}, middleware.WithJitter(0))
	}
}

// An INVITE that asks for too little is refused, and one of ours that was sent again after
// a 422 counts as a retry. Without a timer of the peer there is none.
func TestStatsOfNegotiations(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		go func() { _, _ = alice.TryURI(l.Context(), peerURI) }()
		p.Reply(p.ExpectRequest(l, sip.INVITE), 422, "Session Interval Too Small", "Min-SE: 3600")
		p.ExpectRequest(l, sip.ACK)
		p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", "Session-Expires: 3600;refresher=uac", timerHeader)
		p.ExpectRequest(l, sip.ACK)
		l.at(time.Second)
		l.wantCounts(alice.Timers, "the call after a 422", middleware.CallStats{
			Dialogs: middleware.ByRefresher{Local: 1}, Outgoing: middleware.Negotiations{Local: 1}})
		s := alice.Timers.Stats()
		if s.Retries422 != 1 {
			l.Errorf("%d retries after a 422, want 1", s.Retries422)
		}
		if s.Intervals.Count() != 1 || s.Intervals.Sum != time.Hour {
			l.Errorf("intervals %+v, want one of an hour", s.Intervals)
		}

		go func() { _, _ = alice.TryURI(l.Context(), peerURI) }()
		p.Reply(p.ExpectRequest(l, sip.INVITE), 422, "Session Interval Too Small", "Min-SE: 90000")
		p.ExpectRequest(l, sip.ACK)
		l.at(2 * time.Second)
		l.wantCounts(alice.Timers, "the call that was refused", middleware.CallStats{
			Dialogs: middleware.ByRefresher{Local: 1}, Outgoing: middleware.Negotiations{Local: 1, Refused: 1}})
	})
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		p.Invite(bobAddr, "Session-Expires: 60", timerHeader)
		p.Ack(p.ExpectResponse(l, 422))
		l.peerCalls(p, bob)
		l.wantCounts(bob.Timers, "one refused, one without a timer", middleware.CallStats{
			Dialogs: middleware.ByRefresher{None: 1}, Incoming: middleware.Negotiations{None: 1, Refused: 1}})
	})
}

// Without a timer there is nothing to refresh: an UPDATE of either side is not counted.
func TestStatsWithoutTimer(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		d, _ := l.peerCalls(p, bob)
		p.Request(sip.UPDATE)
		p.ExpectResponse(l, 200)
		done := make(chan struct{})
		go func() {
			defer close(done)
			l.send(bob, d, peerAddr, sip.UPDATE, "")
		}()
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK")
		<-done
		l.wantCounts(bob.Timers, "after an UPDATE of each side", middleware.CallStats{
			Dialogs: middleware.ByRefresher{None: 1}, Incoming: middleware.Negotiations{None: 1}})
	})
}

// A refresh that leaves on time is not late, its duration is the peer's, and its slack is
// what was left until the last chance (RFC 4028 §10).
func TestStatsOfTimes(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(middleware.WithJitter(0)), l.peer()
		l.callPeer(alice, p, allow, ours)
		if s := alice.Timers.Stats().Refresher; s.Due != 0 {
			l.Errorf("%d calls are due at the start, want none within 40 s", s.Due)
		}
		l.at(899 * time.Second)
		if s := alice.Timers.Stats().Refresher; s.Due != 1 {
			l.Errorf("%d calls are due a second before, want 1", s.Due)
		}
		req := p.ExpectRequest(l, sip.UPDATE)
		time.Sleep(300 * time.Millisecond)
		p.Reply(req, 200, "OK", ours)
		l.at(902 * time.Second)
		s := alice.Timers.Stats().Refresher
		slack := 900*time.Second - 32*time.Second - 3200*time.Millisecond - s.Duration.Sum
		for _, h := range []struct {
			name string
			got  refresher.Histogram
			want time.Duration
		}{{"lateness", s.Lateness, 0}, {"duration", s.Duration, 300 * time.Millisecond}, {"slack", s.Slack, slack}} {
			if off := h.got.Sum - h.want; h.got.Count() != 1 || off < -5*time.Millisecond || off > 5*time.Millisecond {
				l.Errorf("%s %+v, want one of %v", h.name, h.got, h.want)
			}
		}
	})
}

// Where places are few, refreshes wait. From the last chance on, 57 s after the 2xx, they
// go out beyond the limit, a few at a time if none is answered. After the margin, 60 s,
// the rest is missed, and after the end nothing is in a queue.
func TestStatsOfQueues(t *testing.T) {
	inLab(t, func(l *lab) {
		const calls = 20
		alice, p := l.alice(middleware.WithJitter(0), middleware.WithRefreshLimits(1000, 1)), l.peer()
		for range calls {
			l.callPeer(alice, p, allow, "Session-Expires: 90;refresher=uac", timerHeader)
		}
		wantQueues := func(at time.Duration, due, waiting, missed, unanswered int) {
			l.Helper()
			s := alice.Timers.Stats().Refresher
			if s.Due != due || s.Waiting != waiting || s.Missed != missed || s.Unanswered != unanswered {
				l.Errorf("after %v: %d are due, %d wait, %d missed, %d are unanswered; want %d, %d, %d, %d", at,
					s.Due, s.Waiting, s.Missed, s.Unanswered, due, waiting, missed, unanswered)
			}
		}
		l.at(44 * time.Second)
		wantQueues(44*time.Second, calls, 0, 0, 0)
		l.at(46 * time.Second)
		wantQueues(46*time.Second, 0, calls-1, 0, 1)
		l.at(60100 * time.Millisecond)
		tried := make(map[string]bool)
		for _, m := range l.requests(aliceAddr, "UPDATE") {
			tried[m.SIP.CallID().Value()] = true
		}
		s := alice.Timers.Stats().Refresher
		if len(tried) < 2 || s.Waiting != 0 || s.Missed != calls-len(tried) || s.Due+s.Unanswered != len(tried) {
			l.Errorf("after 60 s: %d of %d calls were refreshed; %+v, want the others missed", len(tried), calls, s)
		}
		l.at(200 * time.Second)
		wantQueues(200*time.Second, 0, 0, 0, 0)
		if n := alice.Timers.Stats().Expired; n[sessiontimer.CauseExpired]+n[sessiontimer.CauseRefreshUnanswered] != calls {
			l.Errorf("ended by cause: %v, want %d calls in all", n, calls)
		}
	})
}

// Calls are counted by a name of the application's choice, up to 31 of them.
func TestStatsByName(t *testing.T) {
	inLab(t, func(l *lab) {
		name := func(d dialogstore.Dialog) string { return d.RemoteTag[:min(1, len(d.RemoteTag))] }
		alice, p := l.alice(middleware.WithStatsBy(name), middleware.WithJitter(0)), l.peer()
		d := l.callPeer(alice, p, allow, ours)
		l.at(time.Second)
		s := alice.Timers.Stats()
		if len(s.Named) != 2 || s.Named[""].Dialogs.Total() != 0 {
			l.Fatalf("%v, want the empty name and that of the call", s.Named)
		}
		delete(s.Named, "")
		for _, named := range s.Named {
			if diff := cmp.Diff(s.CallStats, named); diff != "" {
				l.Errorf("all calls and those of the one name (-all +named):\n%s", diff)
			}
		}
		l.at(899 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 403, "Forbidden")
		l.at(902 * time.Second)
		for who, named := range alice.Timers.Stats().Named {
			if failed := named.Failed.Update.Status4xx; failed != uint64(min(1, len(who))) {
				l.Errorf("%q has failed %+v, want one 4xx of the call", who, named.Failed)
			}
		}
		go func() { p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK") }()
		_ = d.Bye(l.Context())
	})
}

func TestStatsByTooManyNames(t *testing.T) {
	inLab(t, func(l *lab) {
		alice := l.alice(middleware.WithStatsBy(func(d dialogstore.Dialog) string {
			if d.CallID == "panics" {
				panic("no name")
			}
			return d.CallID
		}))
		store := alice.Timers.Store()
		create := func(name string) {
			if err := store.Create(l.Context(), dialogstore.Dialog{Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: name}}}); err != nil {
				l.Fatal(err)
			}
		}
		for i := range 100 {
			create(fmt.Sprintf("trunk %d", i))
		}
		create("panics")
		create("")
		s := alice.Timers.Stats()
		if len(s.Named) != 33 || s.Named["other"].Dialogs.None != 69 || s.Named["trunk 30"].Dialogs.None != 1 {
			l.Errorf("%d names, %d others, %d of the 31st, want 33, 69, 1", len(s.Named), s.Named["other"].Dialogs.None, s.Named["trunk 30"].Dialogs.None)
		}
		if s.Dialogs.Total() != 102 {
			l.Errorf("%d dialogs in all, want 102", s.Dialogs.Total())
		}
		for d := range store.All(l.Context()) {
			_, _ = store.Delete(l.Context(), d.ID)
		}
		for name, named := range alice.Timers.Stats().Named {
			if named.Dialogs.Total() != 0 {
				l.Errorf("%d dialogs of %q are left, want none", named.Dialogs.Total(), name)
			}
		}
	})
}
