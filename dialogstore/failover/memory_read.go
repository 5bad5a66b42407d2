package failover

import (
	"context"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Read implements Reader.
func (m *Memory) Read(ctx context.Context, ids []dialogstore.ID) ([]Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now, entries := m.now(), make([]Entry, len(ids))
	for i, id := range ids {
		if c := m.find(id, now); c != nil && !c.ended() {
			entries[i] = Entry{c.Epoch, c.dialog, now.Sub(c.since)}
		}
	}
	return entries, nil
}
