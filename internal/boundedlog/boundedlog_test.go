package boundedlog_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"encoding/json"

	"github.com/sipgo-contrib/sessiontimer/internal/boundedlog"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// It keeps to the rules for handlers.
func TestHandler(t *testing.T) {
	var out bytes.Buffer
	results := func() (all []map[string]any) {
		for line := range bytes.Lines(out.Bytes()) {
			m := make(map[string]any)
			if err := json.Unmarshal(line, &m); err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		return all
	}
	if err := slogtest.TestHandler(boundedlog.New(slog.NewJSONHandler(&out, nil)), results); err != nil {
		t.Error(err)
	}
}

func TestLongValuesAreCut(t *testing.T) {
	var out strings.Builder
	long := strings.Repeat("ü", 20_000)
	log := slog.New(boundedlog.New(slog.NewTextHandler(&out, nil))).With("local_tag", long)
	log.Warn("text", "call_id", long, "error", errors.New(long), "interval", time.Minute)
	log.Error("panic", "stack", strings.Repeat("s", 1000))
	line, panicked, _ := strings.Cut(out.String(), "\n")
	if n := len(line); n > 3*(boundedlog.Length+20)+150 {
		t.Errorf("%d bytes are logged", n)
	}
	if !strings.Contains(panicked, strings.Repeat("s", 1000)) {
		t.Errorf("the stack is cut: %s", panicked)
	}
	for _, want := range []string{"interval=1m0s", "local_tag=ü", "call_id=ü", "error=ü"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is missing in %s", want, out.String())
		}
	}
}

// A value is cut at the bound, and not within a character.
func TestWhereValuesAreCut(t *testing.T) {
	const most = boundedlog.Length
	for _, c := range []struct{ value, want string }{
		{strings.Repeat("x", most), strings.Repeat("x", most)},
		{strings.Repeat("x", most+1), strings.Repeat("x", most) + "…"},
		{strings.Repeat("x", most-1) + "ü", strings.Repeat("x", most-1) + "…"},
		{strings.Repeat("x", most-2) + "üü", strings.Repeat("x", most-2) + "ü…"},
	} {
		for _, value := range []any{c.value, errors.New(c.value)} {
			var out bytes.Buffer
			slog.New(boundedlog.New(slog.NewJSONHandler(&out, nil))).Warn("text", "call_id", value)
			var got struct {
				CallID string `json:"call_id"`
			}
			if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.CallID != c.want {
				t.Errorf("%q is logged as %q, %v; want %q", c.value, got.CallID, err, c.want)
			}
		}
	}
}

func TestFloodIsSuppressed(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var out strings.Builder
		log := slog.New(boundedlog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
		lines := func(text string) int { return strings.Count(out.String(), "msg="+text) }
		for range 1000 {
			log.Warn("flood")
			log.Debug("detail")
		}
		log.Warn("other")
		if got := lines("flood"); got != boundedlog.PerSecond {
			t.Errorf("%d lines of a flood, want %d", got, boundedlog.PerSecond)
		}
		if lines("other") != 1 || lines("detail") != 1000 {
			t.Errorf("%d lines of another text, want 1; %d for debugging, want 1000", lines("other"), lines("detail"))
		}
		time.Sleep(time.Second)
		log.Warn("flood")
		log.Warn("flood")
		if strings.Count(out.String(), "suppressed=980") != 1 || lines("flood") != boundedlog.PerSecond+2 {
			t.Errorf("the next second begins with %s", out.String()[strings.LastIndex(out.String(), "other"):])
		}
	})
}
