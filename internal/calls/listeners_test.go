package calls

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// A listener hears how many events had no room since the last one that had, and none after
// its end.
func TestListener(t *testing.T) {
	var lost []int
	full, ends := false, 0
	l := &listener{Listener: Listener{
		Tell: func(_ sessiontimer.Event, n int) bool { lost = append(lost, n); return !full },
		End:  func() { ends++ },
	}}
	for _, full = range []bool{false, true, true, false, false} {
		l.tell(sessiontimer.Ended{})
	}
	if want := [5]int{0, 0, 1, 2, 0}; len(lost) != 5 || [5]int(lost) != want {
		t.Errorf("lost before each: %v, want %v", lost, want)
	}
	l.end()
	if l.tell(sessiontimer.Ended{}); len(lost) != 5 || ends != 1 {
		t.Errorf("told %d times, ended %d times; want nothing after the end", len(lost), ends)
	}
}

// A subscription ends once: with its context or with the timers.
func TestSubscribe(t *testing.T) {
	for _, closes := range []bool{false, true} {
		bubble.Test(t, func(t *testing.T) {
			all, closed := context.WithCancel(context.Background())
			c := New(all, Config{Log: slog.New(slog.DiscardHandler)})
			var told, ends [2]int
			ctx, cancel := context.WithCancel(context.Background())
			for i := range told {
				by := ctx
				if i == 1 {
					by = context.Background()
				}
				c.Subscribe(by, Listener{Tell: func(sessiontimer.Event, int) bool { told[i]++; return true }, End: func() { ends[i]++ }})
			}
			c.listeners.tell(sessiontimer.Ended{})
			if closes {
				closed()
				synctest.Wait()
			}
			cancel()
			synctest.Wait()
			want, left := [2]int{1, 2}, [2]int{1, 0}
			if closes {
				want, left = [2]int{1, 1}, [2]int{1, 1}
			}
			if c.listeners.tell(sessiontimer.Ended{}); told != want || ends != left || c.listeners.any() == closes {
				t.Errorf("closed: %t; told %v, ended %v, any left: %t; want %v, %v", closes, told, ends, c.listeners.any(), want, left)
			}
			closed()
			synctest.Wait()
			if ends != [2]int{1, 1} {
				t.Errorf("ended %v times, want once each", ends)
			}
		})
	}
}
