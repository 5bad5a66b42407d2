// Package boundedlog is a slog.Handler for records that strangers can cause: it
// truncates values and limits the rate of each message.
package boundedlog

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// Length is the maximum length of a logged value in bytes.
	Length = 128
	// PerSecond is how many records with the same message are logged in a second, from
	// level Info on. The next one has the number of dropped ones as "suppressed".
	PerSecond = 20
)

// New returns a handler that bounds what next gets. Messages must be constants: each is
// remembered.
func New(next slog.Handler) slog.Handler {
	return &handler{next, &limits{texts: make(map[string]*rate)}}
}

type handler struct {
	next   slog.Handler
	limits *limits // shared with derived handlers
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	suppressed := 0
	if r.Level >= slog.LevelInfo {
		var ok bool
		if suppressed, ok = h.limits.allow(r.Message, time.Now()); !ok {
			return nil
		}
	}
	bounded := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		bounded.AddAttrs(cut(a))
		return true
	})
	if suppressed > 0 {
		bounded.AddAttrs(slog.Int("suppressed", suppressed))
	}
	return h.next.Handle(ctx, bounded)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	bounded := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		bounded[i] = cut(a)
	}
	return &handler{h.next.WithAttrs(bounded), h.limits}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.next.WithGroup(name), h.limits}
}

// cut shortens a string or an error's text. A stack is not the peer's and stays whole.
func cut(a slog.Attr) slog.Attr {
	if a.Key == "stack" {
		return a
	}
	text := ""
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		text = v.String()
	case slog.KindAny:
		if err, ok := v.Any().(error); ok {
			text = err.Error()
		}
	}
	if len(text) <= Length {
		return a
	}
	return slog.String(a.Key, strings.ToValidUTF8(text[:Length], "")+"…")
}

// limits counts records by message.
type limits struct {
	mu    sync.Mutex
	texts map[string]*rate
}

type rate struct {
	since      time.Time // the start of the second being counted
	passed     int
	suppressed int // since the last record that passed
}

// allow reports whether a record may pass, and how many were suppressed before it.
func (l *limits) allow(text string, now time.Time) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.texts[text]
	if r == nil {
		r = new(rate)
		l.texts[text] = r
	}
	if now.Sub(r.since) >= time.Second {
		r.since, r.passed = now, 0
	}
	if r.passed == PerSecond {
		r.suppressed++
		return 0, false
	}
	suppressed, r.suppressed = r.suppressed, 0
	r.passed++
	return suppressed, true
}
