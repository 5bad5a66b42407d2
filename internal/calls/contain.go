package calls

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Handlers of requests are called as sipgo would call them, and a panic of theirs goes
// where it goes there: through here, with nothing left locked. What the application
// gave to the timers alone is called in the middle of a message or from a goroutine of
// ours, where no application can recover, and so is its BYE handler when we hang up. A
// panic of that costs its result, as an error would, and is logged with its stack.

// Contain is deferred around such a call.
func (c *Calls) Contain(what string, id dialogstore.ID) {
	if v := recover(); v != nil {
		LogPanic(c.Log, what, id, v)
	}
}

// LogPanic logs what an application's function panicked with.
func LogPanic(log *slog.Logger, what string, id dialogstore.ID, v any) {
	log.Error("panic in the application's "+what, "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag,
		"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
}

// Tell tells the application of an event. Whoever calls it holds nothing that others
// wait for: the handler may block.
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

// ContainedLog is the handler of the application's logger. There is nobody to tell
// of its panics.
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
