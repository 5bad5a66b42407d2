package failover

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// call is the state of a call, or of one that was dropped. It is never modified once it is
// stored.
type call struct {
	Ownership
	dialog dialogstore.Dialog // without Session.Since
	since  time.Time          // Session.Since by the clock of the registry
	put    uint64             // the Version of the last Put in this epoch; 0 after a claim
	until  time.Time          // how long the call is kept
}

// ended reports whether the call was dropped.
func (c *call) ended() bool { return c.Owner == (Node{}) }

// find returns nil if there is no such call, or it has expired.
func (m *Memory) find(id dialogstore.ID, now time.Time) *call {
	if c := m.state.calls[id]; c != nil && !now.After(c.until) {
		return c
	}
	return nil
}

// fence returns a *FencedError if me must not write to c, which is nil for a missing call,
// in the epoch of k.
func (c *call) fence(me Node, k Key) error {
	if c == nil || k.Epoch > c.Epoch || k.Epoch == c.Epoch && me == c.Owner {
		return nil
	}
	return &FencedError{k.ID, c.Ownership}
}

// keep stores c, and restarts the time for which it is kept.
func (m *Memory) keep(id dialogstore.ID, c call, now time.Time) {
	switch s := c.dialog.Session; {
	case c.ended():
		c.until = now.Add(KeepDropped)
	case s.Active():
		c.until = c.since.Add(s.Interval + KeepExpired)
	default:
		c.until = now.Add(KeepUntimed)
	}
	m.state.calls[id] = &c
}

// Put implements Registry.
func (m *Memory) Put(ctx context.Context, me Node, entries []Entry) ([]error, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now, results := m.now(), make([]error, len(entries))
	for i := range entries {
		results[i] = m.put(me, &entries[i], now)
	}
	return results, nil
}

func (m *Memory) put(me Node, e *Entry, now time.Time) error {
	k := e.Key()
	c := m.find(k.ID, now)
	if err := c.fence(me, k); err != nil {
		return err
	}
	if c != nil && c.Epoch == k.Epoch && !dialogstore.Newer(e.Dialog.Version, c.put) {
		m.keep(k.ID, *c, now)
		return nil
	}
	d := e.Dialog
	d.RouteSet, d.SDP, d.PeerSDP = slices.Clip(d.RouteSet), slices.Clip(d.SDP), slices.Clip(d.PeerSDP)
	d.Session.Since = time.Time{}
	m.keep(k.ID, call{Ownership: Ownership{me, k.Epoch}, dialog: d, since: now.Add(-e.Age), put: d.Version}, now)
	return nil
}

// Drop implements Registry.
func (m *Memory) Drop(ctx context.Context, me Node, keys []Key) ([]error, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now, results := m.now(), make([]error, len(keys))
	for i, k := range keys {
		c := m.find(k.ID, now)
		if err := c.fence(me, k); err != nil && !(c.ended() && c.Epoch == k.Epoch) {
			results[i] = err
			continue
		}
		m.keep(k.ID, call{Ownership: Ownership{Epoch: k.Epoch}}, now)
	}
	return results, nil
}

// Claim implements Registry.
func (m *Memory) Claim(ctx context.Context, me, from Node, keys []Key) ([]Claimed, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now, results := m.now(), make([]Claimed, len(keys))
	for i, k := range keys {
		results[i] = m.claim(me, from, k, now)
	}
	return results, nil
}

func (m *Memory) claim(me, from Node, k Key, now time.Time) Claimed {
	c := m.find(k.ID, now)
	if c == nil {
		return Claimed{Err: ErrUnknown}
	}
	next := Ownership{me, k.Epoch + 1}
	switch c.Ownership {
	case next: // claimed before
	case Ownership{from, k.Epoch}:
		claimed := *c
		claimed.Ownership, claimed.put = next, 0
		m.keep(k.ID, claimed, now)
	default:
		return Claimed{Err: &FencedError{k.ID, c.Ownership}}
	}
	return Claimed{Entry: Entry{next.Epoch, c.dialog, now.Sub(c.since)}}
}

// Owned implements Registry.
func (m *Memory) Owned(ctx context.Context, owner Node, limit int) ([]Held, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	held := m.held(owner)
	slices.SortFunc(held, func(a, b Held) int {
		// Equally urgent calls by ID, so that simulations repeat.
		return cmp.Or(cmp.Compare(a.Left, b.Left), cmp.Compare(a.CallID, b.CallID),
			cmp.Compare(a.LocalTag, b.LocalTag), cmp.Compare(a.RemoteTag, b.RemoteTag))
	})
	return held[:min(max(limit, 0), len(held))], nil
}

// held returns the calls of a node, in no particular order.
func (m *Memory) held(owner Node) (held []Held) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for id, c := range m.state.calls {
		if c.Owner != owner || c.ended() || now.After(c.until) {
			continue
		}
		left := NoTimer
		if s := c.dialog.Session; s.Active() {
			left = c.since.Add(s.Interval).Sub(now)
		}
		held = append(held, Held{Key{id, c.Epoch}, left})
	}
	return held
}

// Owner implements Registry.
func (m *Memory) Owner(ctx context.Context, ids []dialogstore.ID) ([]Ownership, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now, owners := m.now(), make([]Ownership, len(ids))
	for i, id := range ids {
		if c := m.find(id, now); c != nil {
			owners[i] = c.Ownership
		}
	}
	return owners, nil
}
