package failover

import (
	"cmp"
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Memory is a Registry in the memory of one process, for tests and simulations. It uses
// package time, also in a bubble of testing/synctest. Create one with NewMemory.
type Memory struct {
	mu    sync.Mutex
	state state
	swept time.Time
	ahead time.Duration // how far its clock is ahead of package time: see Advance
}

// state is everything that a Memory holds. The values in its maps are never modified, so a
// copy of the maps is a snapshot.
type state struct {
	generation string
	nodes      map[Node]run
	calls      map[dialogstore.ID]*call
}

// run is what is known about a node.
type run struct {
	count, buried uint64
	left, dead    bool
	heard         time.Time
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	m := new(Memory)
	m.Flush()
	return m
}

// Flush empties m, which starts a new generation.
func (m *Memory) Flush() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = state{rand.Text(), make(map[Node]run), make(map[dialogstore.ID]*call)}
}

// Snapshot returns a function that restores the present contents of m, any number of times.
// Later writes are then lost, as when a database fails over to a replica that lags behind.
// The clock is not restored.
func (m *Memory) Snapshot() (restore func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := m.state.clone()
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.state = kept.clone()
	}
}

func (s state) clone() state {
	return state{s.generation, maps.Clone(s.nodes), maps.Clone(s.calls)}
}

// Advance sets the clock of m forward by d, or back if d is negative.
func (m *Memory) Advance(by time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ahead += by
}

// Len returns the number of things that m keeps: known nodes, calls, and calls remembered
// as dropped.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(m.now())
	return len(m.state.nodes) + len(m.state.calls)
}

func (m *Memory) now() time.Time { return time.Now().Add(m.ahead) }

// Beat implements Registry.
func (m *Memory) Beat(ctx context.Context, me Node) (Pulse, error) {
	if err := ctx.Err(); err != nil {
		return Pulse{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if now.Sub(m.swept).Abs() >= sweepEvery {
		m.sweep(now)
	}
	r := m.state.nodes[me]
	m.state.nodes[me] = run{count: r.count + 1, buried: r.buried, heard: now}
	return Pulse{m.state.generation, r.buried, m.beatings()}, nil
}

func (m *Memory) beatings() []Beating {
	all := make([]Beating, 0, len(m.state.nodes))
	for node, r := range m.state.nodes {
		all = append(all, Beating{node, r.count, r.left, r.dead})
	}
	slices.SortFunc(all, func(a, b Beating) int { // so that simulations repeat
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Run, b.Run))
	})
	return all
}

// Leave implements Registry.
func (m *Memory) Leave(ctx context.Context, me Node) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.state.nodes[me]
	r.left, r.heard = true, m.now()
	m.state.nodes[me] = r
	return nil
}

// Bury implements Registry.
func (m *Memory) Bury(ctx context.Context, node Node, count uint64) (buried bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, known := m.state.nodes[node]
	if !known || r.count != count {
		return false, nil
	}
	if !r.dead {
		r.dead = true
		r.buried++
		m.state.nodes[node] = r
	}
	return true, nil
}

// sweepEvery is the time between two sweeps, which look at every call.
const sweepEvery = time.Minute

// sweep removes what has been kept for long enough.
func (m *Memory) sweep(now time.Time) {
	m.swept = now
	owners := make(map[Node]bool)
	for id, c := range m.state.calls {
		if now.After(c.until) {
			delete(m.state.calls, id)
		} else {
			owners[c.Owner] = true
		}
	}
	for node, r := range m.state.nodes {
		if !owners[node] && now.Sub(r.heard) > KeepSilent {
			delete(m.state.nodes, node)
		}
	}
}
