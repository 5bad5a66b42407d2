package refresher

import (
	"hash/maphash"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// table finds calls by their IDs. It is keyed by the hash: a map with IDs as keys would be
// three times as large, and therefore slower.
type table struct {
	hash   func(dialogstore.ID) uint64
	calls  map[uint64]*call
	others map[dialogstore.ID]*call // those whose hash another call had taken; almost always empty
}

func newTable(seed maphash.Seed) table {
	return table{
		hash:   func(id dialogstore.ID) uint64 { return maphash.Comparable(seed, id) },
		calls:  make(map[uint64]*call),
		others: make(map[dialogstore.ID]*call),
	}
}

func (t *table) len() int { return len(t.calls) + len(t.others) }

// find returns nil if there is no such call; hash is that of its ID.
func (t *table) find(hash uint64, id dialogstore.ID) *call {
	switch c := t.calls[hash]; {
	case c != nil && c.id == id:
		return c
	case len(t.others) > 0:
		return t.others[id]
	}
	return nil
}

func (t *table) add(c *call) {
	if t.calls[c.hash] != nil {
		t.others[c.id] = c
		return
	}
	t.calls[c.hash] = c
}

func (t *table) remove(c *call) {
	if len(t.others) == 0 || t.calls[c.hash] == c {
		delete(t.calls, c.hash)
		return
	}
	delete(t.others, c.id)
}

// clear removes all calls, and gives up their refreshes in progress.
func (t *table) clear() {
	for _, c := range t.calls {
		c.drop()
	}
	for _, c := range t.others {
		c.drop()
	}
	clear(t.calls)
	clear(t.others)
}
