package calls

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sipgo-contrib/sessiontimer"
)

// Listener is a subscriber to events. Its functions are called one at a time, and Tell never
// after End.
type Listener struct {
	// Tell accepts an event, or returns false if there is no room for it. It must not
	// block. lost is the number of events dropped since the last one that was accepted.
	Tell func(e sessiontimer.Event, lost int) bool
	End  func()
}

// listeners are the subscribers.
type listeners struct {
	mu  sync.Mutex // held to change all
	all atomic.Pointer[[]*listener]
}

type listener struct {
	Listener
	mu    sync.Mutex
	lost  int
	ended bool
}

// Subscribe sends events to l until ctx ends or the timers are closed.
func (c *Calls) Subscribe(ctx context.Context, l Listener) {
	one := &listener{Listener: l}
	c.listeners.change(func(all []*listener) []*listener { return append(slices.Clip(all), one) })
	end := sync.OnceFunc(func() {
		c.listeners.change(func(all []*listener) []*listener {
			return slices.DeleteFunc(slices.Clone(all), func(l *listener) bool { return l == one })
		})
		one.end()
	})
	stop := context.AfterFunc(c.Context, end)
	context.AfterFunc(ctx, func() {
		stop()
		end()
	})
}

func (ls *listeners) change(to func([]*listener) []*listener) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var all []*listener
	if now := ls.all.Load(); now != nil {
		all = *now
	}
	if all = to(all); len(all) == 0 {
		ls.all.Store(nil)
		return
	}
	ls.all.Store(&all)
}

func (ls *listeners) any() bool { return ls.all.Load() != nil }

func (ls *listeners) tell(e sessiontimer.Event) {
	all := ls.all.Load()
	if all == nil {
		return
	}
	for _, l := range *all {
		l.tell(e)
	}
}

func (l *listener) tell(e sessiontimer.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended:
	case l.Tell(e, l.lost):
		l.lost = 0
	default:
		l.lost++
	}
}

func (l *listener) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.End()
}
