package calls

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// A panic in a request handler passes through the timers as it would through sipgo, and
// leaves nothing locked. But callbacks set by options, and handlers that the timers call
// themselves, such as the BYE handler when they hang up, run in goroutines in which the
// application cannot recover. Their panics are recovered here, logged with the stack, and
// treated like an error.

// Contain recovers and logs a panic. It is deferred around such a call.
func (c *Calls) Contain(what string, id dialogstore.ID) {
	if v := recover(); v != nil {
		c.Log.Error("panic in the application's "+what, "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag,
			"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	}
}

// Tell sends an event to the event handler and the subscribers. The handler may block, so
// the caller must not hold a lock.
func (c *Calls) Tell(e sessiontimer.Event) {
	if failed, is := e.(sessiontimer.RefreshFailed); is {
		c.countFailed(&failed)
	}
	c.listeners.tell(e)
	if c.config.OnEvent == nil {
		return
	}
	call := e.Info()
	defer c.Contain("event handler", dialogstore.ID{CallID: call.CallID, LocalTag: call.LocalTag, RemoteTag: call.RemoteTag})
	c.config.OnEvent(e)
}

// ContainedLog wraps the handler of the application's logger. Its panics cannot be logged,
// so they become errors, which package slog ignores.
type ContainedLog struct{ slog.Handler }

// Handle implements slog.Handler.
func (h ContainedLog) Handle(ctx context.Context, r slog.Record) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("middleware: logger panicked: %v", v)
		}
	}()
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h ContainedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return ContainedLog{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h ContainedLog) WithGroup(name string) slog.Handler {
	return ContainedLog{h.Handler.WithGroup(name)}
}
