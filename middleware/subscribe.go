package middleware

import (
	"context"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
)

// Notice is an event sent to a subscriber.
type Notice struct {
	sessiontimer.Event
	// Lost is the number of events that were dropped between the previous notice and this
	// one, because the channel was full.
	Lost int
}

// Subscribe returns a channel that gets all events from now on. It is closed when ctx ends
// or the timers are closed. Its capacity is size, at least 1. No call waits for the
// subscriber: while the channel is full, events are dropped, and the next notice has
// their number. There may be any number of subscriptions, beside WithEventHandler, and
// they may begin and end at any time.
//
// The events of one call come in the order in which they happened, unless they happened
// at the same time.
func (t *Timers) Subscribe(ctx context.Context, size int) <-chan Notice {
	ch := make(chan Notice, max(1, size))
	t.calls.Subscribe(ctx, calls.Listener{
		Tell: func(e sessiontimer.Event, lost int) bool {
			select {
			case ch <- Notice{Event: e, Lost: lost}:
				return true
			default:
				return false
			}
		},
		End: func() { close(ch) },
	})
	return ch
}
