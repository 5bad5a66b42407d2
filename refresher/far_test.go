package refresher

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// idle is a refresher and the store with its calls.
type idle struct {
	*Scheduler
	store *dialogstore.Observed
	calls []dialogstore.ID
}

func newIdle(tb testing.TB, calls int, interval time.Duration) *idle {
	tb.Helper()
	l := &idle{Scheduler: New()}
	l.store = dialogstore.Observe(dialogstore.NewMemory(), l.Scheduler)
	l.Configure(Config{Store: l.store, Event: func(sessiontimer.Event) {}, Logger: slog.New(slog.DiscardHandler)})
	tb.Cleanup(l.Close)
	for i := range calls {
		l.call(tb, i, interval)
	}
	return l
}

func (l *idle) call(tb testing.TB, i int, interval time.Duration) {
	tb.Helper()
	id := dialogstore.ID{CallID: fmt.Sprintf("%032d", i), LocalTag: fmt.Sprintf("%016d", i), RemoteTag: fmt.Sprintf("%016d", i)}
	session := sessiontimer.Session{Interval: interval, Refresher: sessiontimer.Peer, Since: time.Now()}
	if err := l.store.Create(context.Background(), dialogstore.Dialog{Origin: dialogstore.Origin{ID: id}, State: dialogstore.State{Session: session}}); err != nil {
		tb.Fatal(err)
	}
	l.calls = append(l.calls, id)
}

func (l *idle) inSlots() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, pages := range l.far.pages {
		for _, p := range pages {
			n += len(p)
		}
	}
	return n
}

// The entry of a previous session of a call that the peer keeps refreshing does not stay long,
// nor does that of an ended call.
func TestFarCallsDoNotPileUp(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const calls = 10
		l := newIdle(t, calls, 24*time.Hour)
		for range 100 {
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			for _, id := range l.calls {
				_, _, err := l.store.Update(t.Context(), id, func(d dialogstore.Dialog) (dialogstore.State, error) {
					d.Session.Since = time.Now()
					return d.State, nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if n := l.inSlots(); n > 5*calls {
				t.Fatalf("%d places of %d far calls, want a few of each at most", n, calls)
			}
		}
		for _, id := range l.calls {
			if _, err := l.store.Delete(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(longest + 2*slot)
		synctest.Wait()
		if n := l.inSlots(); n != 0 || !l.alarm.at.IsZero() {
			t.Errorf("%d far calls when all are over, and an alarm: %v; want none", n, !l.alarm.at.IsZero())
		}
	})
}

// A call is reviewed in time, however long its interval: at least 10 s before it is due.
func TestFarCallsComeNearInTime(t *testing.T) {
	for after := time.Duration(0); after < slot; after += 7 * time.Second {
		bubble.Test(t, func(t *testing.T) {
			l := newIdle(t, 0, 0)
			time.Sleep(after)
			for interval := 91 * time.Second; interval < time.Hour; interval += 97 * time.Second {
				id := dialogstore.ID{CallID: interval.String()}
				d := dialogstore.Dialog{Origin: dialogstore.Origin{ID: id}, State: dialogstore.State{Session: sessiontimer.Session{Interval: interval, Refresher: sessiontimer.Local, Since: time.Now()}}}
				if err := l.store.Create(t.Context(), d); err != nil {
					t.Fatal(err)
				}
				time.Sleep(interval/2 - 10*time.Second)
				synctest.Wait()
				if n := l.Len(); n != 1 {
					t.Errorf("interval %v, begun %v after a slot: %d calls scheduled 10 s before the refresh is due, want it", interval, after, n)
				}
				if _, err := l.store.Delete(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A call without a timer is not reviewed.
func TestNoTimerIsNotFar(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newIdle(t, 0, 0)
		l.call(t, 0, 0)
		if n := l.inSlots(); n != 0 || l.Len() != 0 {
			t.Errorf("%d far and %d near calls for a call without a timer, want none", n, l.Len())
		}
	})
}

// failing is a store that cannot be read for a while.
type failing struct {
	dialogstore.Store
	until time.Time
}

func (f failing) Load(ctx context.Context, id dialogstore.ID) (dialogstore.Dialog, error) {
	if time.Now().Before(f.until) {
		return dialogstore.Dialog{}, context.DeadlineExceeded
	}
	return f.Store.Load(ctx, id)
}

// A call that could not be loaded is reviewed again.
func TestFarCallOfUnreadableStore(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newIdle(t, 0, 0)
		l.cfg.Store = failing{l.store, time.Now().Add(1200 * time.Second)}
		for i := range 3 {
			l.call(t, i, 1800*time.Second)
		}
		time.Sleep(1740 * time.Second)
		synctest.Wait()
		if n := l.Len(); n != 3 {
			t.Errorf("%d calls scheduled before their end, want 3", n)
		}
	})
}

// BenchmarkReview is one review of a far call. A call of 1800 s is reviewed three times until
// its refresh.
func BenchmarkReview(b *testing.B) {
	for _, calls := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("calls=%d", calls), func(b *testing.B) {
			l := newIdle(b, calls, 24*time.Hour)
			rounds := 0
			for b.Loop() {
				l.base = l.base.Add(-longest - slot)
				l.review(l.slotOf(time.Now()))
				rounds++
			}
			if n := l.inSlots(); n != calls {
				b.Errorf("%d far calls, want %d", n, calls)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rounds*calls), "ns/call")
		})
	}
}
