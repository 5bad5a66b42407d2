package calls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/tally"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

func newCounted(by func(dialogstore.Dialog) string) *Calls {
	return New(context.Background(), Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), StatsBy: by})
}

func counted(callID string) *dialogstore.Dialog {
	return &dialogstore.Dialog{
		Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: callID}},
		State:  dialogstore.State{Version: 1, Session: sessiontimer.Session{Interval: time.Hour, Refresher: sessiontimer.Local}},
	}
}

// What counts a call and its refreshes neither allocates nor, but for the first call of a
// name, locks: with too many names as well.
func TestCountingAllocatesNothing(t *testing.T) {
	for name, by := range map[string]func(dialogstore.Dialog) string{
		"no name":        nil,
		"a name":         func(d dialogstore.Dialog) string { return d.CallID },
		"too many names": func(d dialogstore.Dialog) string { return d.CallID },
	} {
		c := newCounted(by)
		d := counted("known")
		c.CountRefreshed(sessiontimer.Local, sip.UPDATE, d)
		if name == "too many names" {
			for i := range 2 * mostNames {
				c.CountRefreshed(sessiontimer.Local, sip.UPDATE, counted(fmt.Sprint(i)))
			}
			d = counted("unknown")
		}
		begun, over := &dialogstore.Change{After: *d}, &dialogstore.Change{Before: *d}
		c.Figures.mu.Lock() // whoever locks it again stands still
		allocated := testing.AllocsPerRun(100, func() {
			c.Count(begun)
			c.countNegotiated(d)
			c.CountRefreshed(sessiontimer.Local, sip.UPDATE, d)
			c.CountRefreshed(sessiontimer.Peer, sip.INVITE, d)
			c.Count(over)
		})
		c.Figures.mu.Unlock()
		if allocated != 0 {
			t.Errorf("%s: %v allocations, want none", name, allocated)
		}
	}
}

// Names are bounded, in number and in length, are valid UTF-8, and may come from any
// number of goroutines.
func TestNames(t *testing.T) {
	c := newCounted(func(d dialogstore.Dialog) string { return d.CallID })
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 1000 {
				c.Count(&dialogstore.Change{After: *counted(fmt.Sprintf("%d-\xff-%s", (i+j)%100, strings.Repeat("é", 100)))})
			}
		})
	}
	all.Wait()
	counts, sum := c.Figures.Read(), int64(0)
	for name, n := range counts {
		sum += n.Dialogs[sessiontimer.Local]
		if len(name) > longestName || !utf8.ValidString(name) {
			t.Errorf("a name is %q, %d bytes, want valid UTF-8 and %d at most", name, len(name), longestName)
		}
	}
	if len(counts) != mostNames+1 || sum != 8000 || counts[others].Dialogs[sessiontimer.Local] == 0 {
		t.Errorf("%d names with %d calls in all, %d of others; want %d, 8000, some", len(counts), sum, counts[others].Dialogs[sessiontimer.Local], mostNames+1)
	}
}

// An application may call its own name "other".
func TestNameOfOthers(t *testing.T) {
	c := newCounted(func(d dialogstore.Dialog) string { return d.CallID })
	c.Count(&dialogstore.Change{After: *counted(others)})
	c.Count(&dialogstore.Change{After: *counted("mine")})
	for name, n := range c.Figures.Read() {
		if want := int64(min(1, len(name))); n.Dialogs[sessiontimer.Local] != want {
			t.Errorf("%d calls of %q, want %d", n.Dialogs[sessiontimer.Local], name, want)
		}
	}
}

func TestClassOf(t *testing.T) {
	for _, c := range []struct {
		status int
		err    error
		want   Class
	}{
		{302, nil, Status3xx},
		{400, nil, Status4xx},
		{422, nil, Status4xx},
		{500, nil, Status5xx},
		{606, nil, Status6xx},
		{0, fmt.Errorf("x: %w", refresher.ErrUnanswered), Unanswered},
		{0, refresher.ErrGivenUp, Unanswered},
		{0, context.DeadlineExceeded, Unanswered},
		{0, refresher.ErrTooLong, Unsent},
		{0, errors.New("no route to host"), Unsent},
		{0, nil, Unsent},
		{100, nil, Unsent},
		{999, nil, Status6xx},
	} {
		if got := classOf(&sessiontimer.RefreshFailed{Status: c.status, Err: c.err}); got != c.want {
			t.Errorf("%d, %v is of class %d, want %d", c.status, c.err, got, c.want)
		}
	}
}

// BenchmarkCounting is all that is counted of a refresh: the calls, who sent it, and its
// duration, lateness and slack.
func BenchmarkCounting(b *testing.B) {
	for name, by := range map[string]func(dialogstore.Dialog) string{"none": nil, "trunk": func(dialogstore.Dialog) string { return "trunk" }} {
		b.Run("by="+name, func(b *testing.B) {
			c, d := newCounted(by), counted("call")
			change := &dialogstore.Change{Before: *d, After: *d}
			var bounds []time.Duration
			for i := range 12 {
				bounds = append(bounds, time.Millisecond<<i)
			}
			duration, lateness, slack := tally.New(bounds), tally.New(bounds), tally.New(bounds)
			b.ReportAllocs()
			for b.Loop() {
				c.Count(change) // the number
				c.Count(change) // the session
				c.CountRefreshed(sessiontimer.Local, sip.UPDATE, d)
				duration.Observe(40 * time.Millisecond)
				lateness.Observe(time.Microsecond)
				slack.Observe(15 * time.Minute)
			}
		})
	}
}
