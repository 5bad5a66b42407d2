package middleware

import (
	"context"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
)

// Notice is an event of a subscription.
type Notice struct {
	sessiontimer.Event
	// Lost is how many events between the notice before and this one found no room,
	// because the subscriber was slow.
	Lost int
}

// Subscribe sends all further events to the channel that it returns, and closes it when
// ctx ends or the timers are closed. The channel has room for size notices, at least one.
// An event that finds none is lost to this subscriber, and the next notice says so: no
// call ever waits for it. There may be any number of subscriptions, besides
// WithEventHandler, and they may begin and end at any time.
//
// The events of one call come in the order in which they happened, as far as they did not
// happen at the same time.
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
