package middleware

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

// contain is deferred around such a call.
func (t *Timers) contain(what string, id dialogstore.ID) {
	if v := recover(); v != nil {
		logPanic(t.log, what, id, v)
	}
}

func logPanic(log *slog.Logger, what string, id dialogstore.ID, v any) {
	log.Error("panic in the application's "+what, "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag,
		"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
}

// tell tells the application of an event. Whoever calls it holds nothing that others
// wait for: the handler may block.
func (t *Timers) tell(e sessiontimer.Event) {
	if t.opts.onEvent == nil {
		return
	}
	call := e.Info()
	defer t.contain("event handler", dialogstore.ID{CallID: call.CallID, LocalTag: call.LocalTag, RemoteTag: call.RemoteTag})
	t.opts.onEvent(e)
}

// containedLog is the handler of the application's logger. There is nobody to tell
// of its panics.
type containedLog struct{ slog.Handler }

// Handle implements slog.Handler.
func (h containedLog) Handle(ctx context.Context, r slog.Record) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("middleware: logger panicked: %v", v)
		}
	}()
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h containedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return containedLog{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h containedLog) WithGroup(name string) slog.Handler {
	return containedLog{h.Handler.WithGroup(name)}
}
