package middleware_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// underRace says that the race detector watches. sync.Pool forgets at random then, so
// what is close to a bound is counted without it.
var underRace = bubble.UnderRace

func withoutRace(t *testing.T) {
	t.Helper()
	if underRace {
		t.Skip("the race detector allocates, too")
	}
}

// allocs is how much f allocates, with all that other goroutines do for it.
func allocs(runs int, f func()) float64 {
	for range runs / 4 {
		f() // pools and maps fill
	}
	return testing.AllocsPerRun(runs, f)
}

// leastAllocs is the least of three counts by allocs: a busy machine only adds to it.
func leastAllocs(runs int, f func()) float64 {
	return min(allocs(runs, f), allocs(runs, f), allocs(runs, f))
}

// A message that does not concern the timers needs no more allocations.
func TestOtherMethodsAllocateNothing(t *testing.T) {
	for _, o := range other {
		if o.side == "client-info" {
			continue // it is numbered and stored
		}
		t.Run(o.side, func(t *testing.T) {
			without, with := leastAllocs(200, o.make(t, stock)), leastAllocs(200, o.make(t, hooked))
			t.Logf("%v allocations without timers, %v with", without, with)
			if with > without {
				t.Errorf("%v allocations with timers, %v without", with, without)
			}
		})
	}
}

// The allocations that timers add to a call, at the end that has them. The bounds are a
// little above the measured values.
func TestCallAllocations(t *testing.T) {
	withoutRace(t)
	calls := func(caller, callee end) float64 {
		alice, bob := pair(t, "udp", caller, callee)
		return leastAllocs(100, func() { alice.call(t, bob) })
	}
	without := calls(stock, stock)
	for _, c := range []struct {
		name           string
		caller, callee end
		bound          float64
	}{
		{"caller", hooked, stock, 1.16},
		{"callee", stock, hooked, 1.07},
	} {
		with := calls(c.caller, c.callee)
		t.Logf("%s: %v allocations, %v without timers: %.3f", c.name, with, without, with/without)
		if with > c.bound*without {
			t.Errorf("%s: %v allocations, %v without timers, want %v times that at most", c.name, with, without, c.bound)
		}
	}
}

// A refresh allocates less than one that an application sends by hand, including what sipgo
// and the peer allocate: a tenth less was measured, a fifteenth on a busy machine. There
// retransmissions disturb a measurement, so if it fails the medians of several count.
func TestRefreshAllocations(t *testing.T) {
	withoutRace(t)
	for _, c := range []struct {
		method sip.RequestMethod
		stock  sender
	}{{sip.UPDATE, sendRefreshes}, {sip.INVITE, sendAndKeep}} {
		of := func(send sender) (n float64) {
			t.Run("", func(t *testing.T) {
				network := sipnet.New()
				network.StopRecording()
				t.Cleanup(network.Close)
				done := refresh(t, network, c.method, send)
				n = allocs(4*refreshed, func() { <-done })
			})
			return n
		}
		all := [2][]float64{{of(c.stock)}, {of(runRefresher)}}
		stock, ours := all[0][0], all[1][0]
		const bound = 0.97
		for ours > bound*stock && len(all[0]) < 7 {
			for range 2 {
				all[0], all[1] = append(all[0], of(c.stock)), append(all[1], of(runRefresher))
			}
			stock, ours = median(all[0]), median(all[1])
		}
		t.Logf("%s: %v allocations by hand, %v by the refresher", c.method, stock, ours)
		if ours > bound*stock {
			t.Errorf("%s: %v allocations by the refresher, %v by hand, want %v times that at most", c.method, ours, stock, bound)
		}
	}
}

// median returns the middle one of an odd number of values.
func median(of []float64) float64 { return slices.Sorted(slices.Values(of))[len(of)/2] }

// A refresh reads its dialog twice and writes it once, whether the process has state of the
// call or only the store has, and for each attempt. That the peer refuses UPDATE for good is
// one write more.
func TestRefreshReadsAndWrites(t *testing.T) {
	for _, c := range []struct {
		name    string
		allow   string
		answers []int
		methods []sip.RequestMethod
		last    time.Duration // in seconds: wait until then for the last one
		commits int32
	}{
		{"UPDATE", "Allow: UPDATE", []int{200}, []sip.RequestMethod{sip.UPDATE}, 899, 1},
		{"re-INVITE", "Allow: INVITE", []int{200}, []sip.RequestMethod{sip.INVITE}, 899, 1},
		{"UPDATE not known", "Allow: UPDATE", []int{501, 200}, []sip.RequestMethod{sip.UPDATE, sip.INVITE}, 900, 3},
		{"UPDATE refused twice", "Allow: UPDATE", []int{503, 503, 200}, []sip.RequestMethod{sip.UPDATE, sip.UPDATE, sip.INVITE}, 1334, 3},
	} {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			counts := alice.Timers.Count() // before the first message, which sees it then
			l.callPeer(alice, p, ours, c.allow)
			l.at(899 * time.Second) // half of the session, but for a second
			loaded, committed := counts.Loads.Load(), counts.Commits.Load()
			for i, status := range c.answers {
				if i > 0 && i == len(c.answers)-1 {
					l.at(c.last * time.Second)
				}
				req := p.ExpectRequest(l, c.methods[i])
				p.Reply(req, status, "", ours)
				if req.IsInvite() {
					p.ExpectRequest(l, sip.ACK)
				}
			}
			synctest.Wait()
			n := int32(len(c.answers))
			if loads, commits := counts.Loads.Load()-loaded, counts.Commits.Load()-committed; loads != 2*n || commits != c.commits {
				l.Errorf("%s: %d loads and %d commits of %d attempts, want %d and %d", c.name, loads, commits, n, 2*n, c.commits)
			}
		})
	}
}
