package calls

import (
	"context"
	"log/slog"
	"testing"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Whose dialog the application has: it never had one of a call that comes from another
// node, unless it has restored it; it still has one of a call that began here and comes
// back before it was let go.
func TestOrphans(t *testing.T) {
	ctx, id := context.Background(), dialogstore.ID{CallID: "c", LocalTag: "l", RemoteTag: "r"}
	for _, c := range []struct {
		name                   string
		here, earlier, restore bool // the call is in the store; was taken over before; is restored
		orphan                 bool
	}{
		{"from another node", false, false, false, true},
		{"restored", false, false, true, false},
		{"began here", true, false, false, false},
		{"taken over before", true, true, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls := New(ctx, Config{Policy: sessiontimer.DefaultPolicy(), Log: slog.New(slog.DiscardHandler)})
			calls.Store = dialogstore.Observe(dialogstore.NewMemory(), calls.Observer())
			if c.earlier {
				calls.Expect(id, "before", false)
			}
			if c.here {
				if err := calls.Store.Create(ctx, dialogstore.Dialog{Origin: dialogstore.Origin{ID: id}}); err != nil {
					t.Fatal(err)
				}
			}
			was, _ := calls.TakenOver(id)
			forget := calls.Expect(id, "a", c.restore)
			if from, _ := calls.TakenOver(id); calls.Orphan(id) != c.orphan || from != "a" {
				t.Errorf("orphan: %v from %q, want %v", calls.Orphan(id), from, c.orphan)
			}
			forget()
			if from, _ := calls.TakenOver(id); from != was || calls.Orphan(id) != c.earlier {
				t.Errorf("forgotten, but it is from %q, orphan: %v", from, calls.Orphan(id))
			}
		})
	}
}
