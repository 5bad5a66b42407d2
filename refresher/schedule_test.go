package refresher_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// onceThen answers the first refresh with code and the others with 200.
func onceThen(code int) func(*lab, int, dialogstore.Dialog, sessiontimer.Method) (int, error) {
	return func(_ *lab, n int, _ dialogstore.Dialog, _ sessiontimer.Method) (int, error) {
		if n == 1 {
			return code, nil
		}
		return 200, nil
	}
}

// F-09: after a 491 the owner of the Call-ID waits 2.1 to 4 s, the other party
// up to 2 s, in steps of 10 ms.
func TestGlarePause(t *testing.T) {
	for _, owner := range []bool{true, false} {
		t.Run(fmt.Sprintf("F-09 owner %v", owner), func(t *testing.T) {
			seen := make(map[time.Duration]bool)
			for range 40 {
				inLab(t, func(l *lab) {
					l.answer = onceThen(491)
					d := call("glare", 1800*time.Second)
					d.OwnsCallID = owner
					l.create(d)
					attempts, _ := l.run(1000 * time.Second)
					if len(attempts) != 2 {
						t.Fatalf("%d attempts, want two", len(attempts))
					}
					pause := attempts[1].at - attempts[0].at
					low, high := time.Duration(0), 2*time.Second
					if owner {
						low, high = 2100*time.Millisecond, 4*time.Second
					}
					if pause < low || pause > high || pause%(10*time.Millisecond) != 0 {
						t.Errorf("waited %v, want %v to %v in steps of 10 ms", pause, low, high)
					}
					seen[pause] = true
				})
			}
			if len(seen) < 5 {
				t.Errorf("40 pauses had %d lengths, want them random", len(seen))
			}
		})
	}
}

// F-10, F-11: Retry-After is observed as far as the window allows.
func TestRetryAfter(t *testing.T) {
	defer func(was time.Duration) { retryAfterOf[503] = was }(retryAfterOf[503])
	for after, want := range map[time.Duration]time.Duration{
		10 * time.Second:     910 * time.Second,
		120 * time.Second:    1020 * time.Second,
		100000 * time.Second: 1768*time.Second - 3200*time.Millisecond,
		0:                    905 * time.Second,
	} {
		t.Run("F-11 "+after.String(), func(t *testing.T) {
			retryAfterOf[503] = after
			inLab(t, func(l *lab) {
				l.answer = onceThen(503)
				l.create(call("after", 1800*time.Second))
				if attempts, _ := l.run(1799 * time.Second); len(attempts) != 2 || attempts[1].at != want {
					t.Errorf("attempts at %v, want the second at %v", attempts, want)
				}
			})
		})
	}
}

// ErrBusy postpones a refresh by a second and does not count as an attempt; ErrSuperseded
// ends it.
func TestBusyAndSuperseded(t *testing.T) {
	inLab(t, func(l *lab) {
		l.answer = func(_ *lab, n int, _ dialogstore.Dialog, _ sessiontimer.Method) (int, error) {
			if n <= 10 {
				return 0, refresher.ErrBusy
			}
			return 200, nil
		}
		l.create(call("busy", 1800*time.Second))
		attempts, hangups := l.run(1000 * time.Second)
		if len(attempts) != 11 || attempts[10].at != 910*time.Second || len(hangups) != 0 || len(l.failed) != 0 {
			t.Errorf("tried %v, hung up %v, failures %v; want a try each second until the dialog is free", attempts, hangups, l.failed)
		}
	})
	inLab(t, func(l *lab) {
		l.answer = func(l *lab, n int, d dialogstore.Dialog, _ sessiontimer.Method) (int, error) {
			if n > 1 {
				return 200, nil
			}
			_, _, _ = l.store.Update(context.Background(), d.ID, func(d dialogstore.Dialog) (dialogstore.State, error) {
				d.Session.Since = time.Now()
				return d.State, nil
			})
			return 0, refresher.ErrSuperseded
		}
		l.create(call("superseded", 1800*time.Second))
		if attempts, hangups := l.run(1801 * time.Second); len(attempts) != 2 || len(hangups) != 0 || len(l.failed) != 0 {
			t.Errorf("tried %v, hung up %v, failures %v; want nothing to come of a refresh that was not needed", attempts, hangups, l.failed)
		}
	})
	inLab(t, func(l *lab) {
		l.busy = 5
		d := call("F-24", 90*time.Second)
		d.Session.Refresher = sessiontimer.Peer
		l.create(d)
		if _, hangups := l.run(90 * time.Second); len(hangups) != 1 || hangups[0] != 65*time.Second {
			t.Errorf("F-24: hung up at %v, want at 65 s, 5 s after the time, since the dialog was busy", hangups)
		}
	})
}

// Close gives up an attempt under way and leaves nothing.
func TestCloseDuringAttempt(t *testing.T) {
	inLab(t, func(l *lab) {
		l.answer = always(0)
		l.create(call("close", 1800*time.Second))
		time.Sleep(901 * time.Second)
		l.r.Close()
		if now := time.Since(l.start); now != 901*time.Second {
			t.Errorf("Close returned at %v, want it not to wait for the peer", now)
		}
		if _, hangups := l.run(time.Hour); len(hangups) != 0 {
			t.Errorf("hung up at %v after Close, want never", hangups)
		}
	})
}

// Whatever a peer answers: three attempts at most for one session, no hang-up
// before its time unless an answer proves the peer gone, and an end in any case.
func TestAnyAnswers(t *testing.T) {
	codes := []int{0, 200, 302, 400, 401, 403, 404, 405, 408, 415, 422, 480, 481, 486, 488, 491, 500, 501, 503, 600, 603, 606}
	gone := map[int]bool{0: true, 404: true, 408: true, 480: true, 481: true, 405: true, 501: true}
	rapid.Check(t, func(rt *rapid.T) {
		interval := time.Duration(rapid.IntRange(90, 7200).Draw(rt, "interval")) * time.Second
		answers := rapid.SliceOfN(rapid.SampledFrom(codes), 1, 12).Draw(rt, "answers")
		peers := rapid.Bool().Draw(rt, "peer refreshes")
		inLab(t, func(l *lab) {
			var said atomic.Int64 // by the goroutine of the attempt
			l.answer = func(_ *lab, n int, _ dialogstore.Dialog, _ sessiontimer.Method) (int, error) {
				code := 500
				if n <= len(answers) {
					code = answers[n-1]
				}
				said.Store(int64(code))
				return code, nil
			}
			d := call("any", interval)
			if peers {
				d.Session.Refresher = sessiontimer.Peer
			}
			l.create(d)
			since, inARow := time.Duration(0), 0
			var attempts []attempt
			var hangups []time.Duration
			for len(hangups) == 0 {
				before := len(attempts)
				attempts, hangups = l.run(time.Second)
				last := int(said.Load())
				inARow += len(attempts) - before
				if inARow > 3 {
					rt.Fatalf("%d attempts in one session, want three at most: %v", inARow, attempts)
				}
				if len(attempts) > before && last == 200 {
					since, inARow = attempts[len(attempts)-1].at, 0
				}
				due := since + interval
				if peers {
					due -= sessiontimer.Margin(interval)
				}
				if len(hangups) > 0 && hangups[0] < due && !gone[last] {
					rt.Fatalf("hung up at %v after a %d, want not before %v", hangups[0], last, due)
				}
				if len(hangups) == 0 && time.Since(l.start) > due+time.Second {
					rt.Fatalf("still up at %v, want the end at %v", time.Since(l.start), due)
				}
			}
			if n := l.r.Len(); n != 0 {
				rt.Fatalf("%d dialogs are watched after the end, want none", n)
			}
		})
	})
}
