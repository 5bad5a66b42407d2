package providers

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

// run is what every profile goes through, in each direction that is known of it.
type run struct {
	name  string
	opts  []middleware.Option
	play  func(*stage)
	byIt  bool // only where it sends a re-INVITE or UPDATE of its own
	alone bool // only where no timer came of the first run, and re-INVITEs do no harm
}

var always = []middleware.Option{middleware.WithMode(sessiontimer.Always)}

var runs = []run{
	{name: "three intervals, we hang up", play: (*stage).weHangUp},
	{name: "three intervals, it hangs up", play: (*stage).itHangsUp},
	{name: "it refreshes", play: (*stage).itRefreshes, byIt: true},
	{name: "we refresh", play: (*stage).weHangUp, opts: []middleware.Option{middleware.WithRefresher(sessiontimer.Local)}},
	{name: "it falls silent", play: (*stage).fallsSilent},
	{name: "with `Always`, we hang up", play: (*stage).weHangUp, opts: always, alone: true},
	{name: "with `Always`, it falls silent", play: (*stage).fallsSilent, opts: always, alone: true},
}

// threeIntervals lives through them, and one second: at their end a refresh is due.
func (s *stage) threeIntervals() {
	s.play(s.up + 3*s.interval() + time.Second)
	if s.gaveUp || s.over {
		s.Fatalf("the provider has hung up after %v", s.net.Elapsed()-s.up)
	}
	s.wantAlive()
}

func (s *stage) weHangUp() {
	s.threeIntervals()
	done := make(chan error, 1)
	go func() { done <- s.call.Bye(context.Background()) }()
	s.play(s.net.Elapsed() + time.Second)
	err := <-done
	if s.challenges.bye { // sipgo gives up; the session expires
		s.left = true
		s.play(s.net.Elapsed() + s.interval())
	}
	if (err != nil) != s.challenges.bye || !s.over {
		s.Errorf("our BYE: %v; it is over for the peer: %v", err, s.over)
	}
	if !s.left {
		s.wantEnded()
	}
	s.wantQuietEnd()
}

func (s *stage) itHangsUp() {
	s.threeIntervals()
	s.hangUp()
	s.wantOver()
}

// itRefreshes has it refresh at a quarter, be it the refresher or not, as it does
// when it puts us on hold.
func (s *stage) itRefreshes() {
	s.play(s.up + s.interval()/4)
	s.refreshes()
	synctest.Wait()
	s.threeIntervals()
	s.hangUp()
	s.wantOver()
}

// fallsSilent has it vanish after an interval and a half. A session that has a timer
// ends before its interval is over, one that has none lives on.
func (s *stage) fallsSilent() {
	s.play(s.up + 3*s.interval()/2 - time.Second)
	s.wantAlive()
	s.net.Silence(edgeAddr)
	since, timed := s.inForce()
	limit := max(s.interval(), sessiontimer.Floor)
	time.Sleep(since + limit - s.net.Elapsed())
	if timed {
		s.wantEnded()
	} else {
		time.Sleep(24 * time.Hour)
		s.wantAlive()
	}
	s.wantQuietEnd()
}

// inForce returns when the last 2xx to an INVITE or UPDATE came, and whether it gave us a
// timer: an agreed one, or one that we run alone.
func (s *stage) inForce() (since time.Duration, timed bool) {
	timed = true
	for call := range s.us.Timers.Calls(context.Background()) {
		timed = call.Session.Active()
	}
	return s.session.since, timed
}

// wantOver checks the end of a call that somebody hung up.
func (s *stage) wantOver() {
	s.Helper()
	s.wantEnded()
	s.wantQuietEnd()
}

// wantQuietEnd checks that nothing is left of the call, and nothing is sent any more.
func (s *stage) wantQuietEnd() {
	s.Helper()
	time.Sleep(64*sip.T1 + 6*time.Second)
	synctest.Wait()
	n := len(s.net.Messages())
	time.Sleep(24 * time.Hour)
	synctest.Wait()
	if more := len(s.net.Messages()) - n; more != 0 {
		s.Errorf("%d messages after the call", more)
	}
}

// TestProviders plays each profile through each run, writes docs/providers.md with
// -update, and fails where that file is stale.
func TestProviders(t *testing.T) {
	seen := make(map[string]string)
	for _, group := range groups {
		for _, p := range group.profiles {
			for _, weCall := range []bool{false, true} {
				if lines := map[bool][]string{false: p.calls, true: p.answers}[weCall]; lines == nil {
					continue
				}
				for _, r := range runs {
					name, first := runName(p, weCall, r), seen[runName(p, weCall, runs[0])]
					if r.byIt && p.never || r.alone && (!strings.HasPrefix(first, "no timer") || p.repeats != 0) {
						continue
					}
					t.Run(name, func(t *testing.T) { seen[name] = onStage(t, p, weCall, r.opts, r.play) })
				}
			}
		}
	}
	if !t.Failed() {
		checkDoc(t, seen)
	}
}

func runName(p *profile, weCall bool, r run) string {
	return fmt.Sprintf("%s, %s, %s", p.name, whoCalls(weCall), r.name)
}

func whoCalls(we bool) string {
	if we {
		return "we call"
	}
	return "it calls"
}
