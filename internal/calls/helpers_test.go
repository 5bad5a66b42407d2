package calls

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/transcript"
)

// observed are Calls with an empty store that they observe, and what they log.
func observed(ctx context.Context, config Config) (*Calls, *transcript.Text) {
	logs := new(transcript.Text)
	config.Log = slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := New(ctx, config)
	c.Store = dialogstore.Observe(dialogstore.NewMemory(), c.Observer())
	return c, logs
}

// keep puts a dialog into the store.
func keep(t *testing.T, c *Calls, d dialogstore.Dialog) {
	t.Helper()
	if err := c.Store.Create(Quietly, d); err != nil {
		t.Fatal(err)
	}
}

// kept returns the dialog of ofPeer as it is stored.
func kept(t *testing.T, c *Calls) dialogstore.Dialog {
	t.Helper()
	d, err := c.Store.Load(context.Background(), ofPeer().ID)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wantLine insists that a line about the dialog of ofPeer was logged, once, and with each of
// parts.
func wantLine(t *testing.T, what string, logs *transcript.Text, message string, parts ...string) {
	t.Helper()
	lines := logs.Lines(message)
	for _, part := range append(parts, "call_id=call local_tag=ours remote_tag=theirs") {
		if len(lines) != 1 || !strings.Contains(lines[0], part) {
			t.Errorf("%s: logged %q, want one line %q with %s", what, logs, message, part)
			return
		}
	}
}
