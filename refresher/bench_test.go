package refresher_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/cputime"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

var ctx = context.Background()

var quiet = slog.New(slog.DiscardHandler)

// scheduler is the interface under test: calls begin, are refreshed and end.
type scheduler interface {
	arm(i int)
	rearm(i int)
	cancel(i int)
	close()
}

// ours is the scheduler. Its store is empty: nothing is read before it is due.
type ours struct {
	r    *refresher.Scheduler
	ids  string             // the texts of the Call-IDs, one after another
	news dialogstore.Change // what the store tells, of the call that it is about

	version uint64    // rises with each
	read    time.Time // the clock, now and then: whoever settles a session knows the time
}

func newOurs(n int, interval time.Duration) *ours {
	o := &ours{r: refresher.New()}
	o.r.Configure(refresher.Config{Store: dialogstore.NewMemory(), Event: func(sessiontimer.Event) {}, Logger: quiet})
	var ids strings.Builder
	for i := range n {
		fmt.Fprintf(&ids, "%032d", i)
	}
	o.ids, o.news.After = ids.String(), call("", interval)
	o.news.Before = o.news.After
	return o
}

// tell notifies of a change of a call. before and after are 1 if the call exists before and
// after it, else 0.
func (o *ours) tell(i int, before, after uint64) {
	o.version++
	id := o.ids[32*i : 32*(i+1)]
	o.news.Before.CallID, o.news.After.CallID = id, id
	o.news.Before.Version, o.news.After.Version = before*o.version, after*o.version
	if o.version%1000 == 1 {
		o.read = time.Now()
	}
	o.news.After.Session.Since = o.read.Add(time.Duration(o.version % 1000))
	o.r.DialogChanged(ctx, &o.news)
}

func (o *ours) arm(i int)    { o.tell(i, 0, 1) }
func (o *ours) rearm(i int)  { o.tell(i, 1, 1) }
func (o *ours) cancel(i int) { o.tell(i, 1, 0) }
func (o *ours) close()       { o.r.Close() }

// twoTimers is the usual handwritten design: a refresh timer, an expiry timer and a mutex for
// each call.
type twoTimers struct {
	interval time.Duration
	calls    []*twoTimed
}

type twoTimed struct {
	mu              sync.Mutex
	refresh, expiry *time.Timer
}

func (t *twoTimers) arm(i int) {
	c := &twoTimed{}
	c.refresh = time.AfterFunc(t.interval/2, func() { c.mu.Lock(); defer c.mu.Unlock() })
	c.expiry = time.AfterFunc(t.interval, func() { c.mu.Lock(); defer c.mu.Unlock() })
	t.calls[i] = c
}

func (t *twoTimers) rearm(i int) {
	c := t.calls[i]
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh.Reset(t.interval / 2)
	c.expiry.Reset(t.interval)
}

func (t *twoTimers) cancel(i int) {
	c := t.calls[i]
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh.Stop()
	c.expiry.Stop()
	t.calls[i] = nil
}

func (t *twoTimers) close() {
	for i := range t.calls {
		if t.calls[i] != nil {
			t.cancel(i)
		}
	}
}

// tickers is the other one: a goroutine with a ticker for each call.
type tickers struct {
	interval time.Duration
	calls    []chan bool // true: refreshed; closed: over
}

func (t *tickers) arm(i int) {
	news := make(chan bool)
	t.calls[i] = news
	go func() {
		tick := time.NewTicker(t.interval / 2)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case _, on := <-news:
				if !on {
					return
				}
				tick.Reset(t.interval / 2)
			}
		}
	}()
}

func (t *tickers) rearm(i int) { t.calls[i] <- true }

func (t *tickers) cancel(i int) {
	close(t.calls[i])
	t.calls[i] = nil
}

func (t *tickers) close() {
	for i := range t.calls {
		if t.calls[i] != nil {
			t.cancel(i)
		}
	}
}

var sizes = []int{1_000, 100_000, 1_000_000}

// schedulers are the designs side by side. Far calls, all that RFC 4028 allows, are
// not due within the horizon of the refresher when they are armed. Near ones are:
// so is a call shortly before its refresh.
var schedulers = []struct {
	name string
	make func(b *testing.B, n int) scheduler
}{
	{"far", func(_ *testing.B, n int) scheduler { return newOurs(n, 1800*time.Second) }},
	{"near", func(_ *testing.B, n int) scheduler { return newOurs(n, 60*time.Second) }},
	{"twotimers", func(_ *testing.B, n int) scheduler {
		return &twoTimers{1800 * time.Second, make([]*twoTimed, n)}
	}},
	{"ticker", func(_ *testing.B, n int) scheduler { return &tickers{1800 * time.Second, make([]chan bool, n)} }},
}

// BenchmarkSchedule is arming, re-arming and cancelling one call among n, the
// oldest first, as time would have it.
func BenchmarkSchedule(b *testing.B) {
	for _, s := range schedulers {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("design=%s/calls=%d", s.name, n), func(b *testing.B) {
				sched := s.make(b, n)
				defer sched.close()
				for i := range n {
					sched.arm(i)
				}
				runtime.GC() // what arming them has left is not what is measured
				b.ReportAllocs()
				i := 0
				start := cputime.Used()
				for b.Loop() {
					sched.rearm(i)
					sched.cancel(i)
					sched.arm(i)
					i = (i + 1) % n
				}
				cputime.Report(b, start)
			})
		}
	}
}

// BenchmarkScheduleMemory measures the memory of scheduling an idle call, besides its dialog
// in the store.
func BenchmarkScheduleMemory(b *testing.B) {
	const n = 100_000
	for _, s := range schedulers {
		b.Run("design="+s.name, func(b *testing.B) {
			for b.Loop() {
				sched := s.make(b, n)
				before := inUse()
				for i := range n {
					sched.arm(i)
				}
				b.ReportMetric(float64(int64(inUse())-int64(before))/n, "B/call")
				sched.close()
			}
		})
	}
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// What scheduling allocates: a place in a list of 256 for a call that is far, and
// one schedule for a call that is near.
func TestScheduleAllocations(t *testing.T) {
	for _, c := range []struct {
		name     string
		interval time.Duration
		most     float64
	}{{"far", 1800 * time.Second, 0.2}, {"near", 60 * time.Second, 1.2}} {
		o, i := newOurs(1000, c.interval), 0
		got := testing.AllocsPerRun(10, func() {
			for range 1000 {
				o.rearm(i)
				o.cancel(i)
				o.arm(i)
				i = (i + 1) % 1000
			}
		}) / 1000
		if o.close(); got > c.most {
			t.Errorf("%s: %v allocations to re-arm, cancel and arm a call, want %v at most", c.name, got, c.most)
		}
	}
}
