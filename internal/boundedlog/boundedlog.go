// Package boundedlog is a slog.Handler for records that strangers cause: it cuts what
// they wrote, and of one text it lets through so many a second.
package boundedlog

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// Length is how much of a value is logged, in bytes.
	Length = 128
	// PerSecond is how many records with one text are, from level Info on. The next one
	// after that says as "suppressed" how many were not.
	PerSecond = 20
)

// New bounds what next gets. Texts must be constants: each is remembered.
func New(next slog.Handler) slog.Handler {
	return &handler{next, &limits{texts: make(map[string]*rate)}}
}

type handler struct {
	next   slog.Handler
	limits *limits // shared with those that it makes
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

// cut shortens a string or the text of an error. A stack is none of the peer's.
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

// limits counts by text.
type limits struct {
	mu    sync.Mutex
	texts map[string]*rate
}

type rate struct {
	since      time.Time // when the second began that is counted
	passed     int
	suppressed int // since the last one passed
}

// allow reports whether a record may pass, and how many before it could not.
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
