package calls

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
)

// panics is a handler of a logger that panics once told to.
type panics struct {
	slog.Handler
	now *bool
}

func (p panics) Handle(ctx context.Context, r slog.Record) error {
	if *p.now {
		panic("of the test")
	}
	return p.Handler.Handle(ctx, r)
}

func (p panics) WithAttrs(a []slog.Attr) slog.Handler { return panics{p.Handler.WithAttrs(a), p.now} }
func (p panics) WithGroup(name string) slog.Handler   { return panics{p.Handler.WithGroup(name), p.now} }

// The panic of a logger stops nothing, and what its attributes and groups are stays, also in
// the loggers derived from it.
func TestContainedLog(t *testing.T) {
	var out bytes.Buffer
	now := false
	log := slog.New(ContainedLog{panics{slog.NewTextHandler(&out, nil), &now}})
	for _, derived := range []*slog.Logger{log, log.With("a", 1), log.WithGroup("g"), log.With("a", 1).WithGroup("g")} {
		now = true
		derived.Info("lost", "b", 2)
		if err := derived.Handler().Handle(context.Background(), slog.Record{}); err == nil || !strings.Contains(err.Error(), "of the test") {
			t.Errorf("the panic became %v, want an error that tells of it", err)
		}
		now = false
		derived.Info("kept", "b", 2)
	}
	text := out.String()
	if strings.Contains(text, "lost") || strings.Count(text, "kept") != 4 || strings.Count(text, "a=1") != 2 || strings.Count(text, "g.b=2") != 2 {
		t.Errorf("logged:\n%s", text)
	}
}
