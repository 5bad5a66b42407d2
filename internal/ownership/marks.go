package ownership

import "github.com/sipgo-contrib/sessiontimer/dialogstore"

// marks are the calls that the registry is to hear of: at most one for each, and no
// state, for the memory has the latest. n.mu is held by who uses them.
type marks struct {
	all  map[dialogstore.ID]mark
	peak int // most that all has had
}

// mark is what the registry is to hear of a call. The zero mark is its state.
type mark struct {
	isNew bool   // the registry has never heard of it
	drop  uint64 // it has ended in this epoch; 0 if it has not
}

// keptMarks is how much room an empty map may have.
const keptMarks = 4096

func newMarks() marks { return marks{all: make(map[dialogstore.ID]mark)} }

// put marks a call whose state has changed. What has ended stays so.
func (m *marks) put(id dialogstore.ID, isNew bool) {
	if _, already := m.all[id]; !already {
		m.set(id, mark{isNew: isNew})
	}
}

// drop marks a call that has ended. One that came and went is not worth a word.
func (m *marks) drop(id dialogstore.ID, epoch uint64) {
	if m.all[id].isNew {
		delete(m.all, id)
		return
	}
	m.set(id, mark{drop: epoch})
}

// again marks what could not be written, unless there is something newer to write. The
// registry may have heard of it all the same.
func (m *marks) again(id dialogstore.ID, was mark) {
	if now, already := m.all[id]; !already || now.isNew {
		m.set(id, mark{drop: was.drop})
	}
}

func (m *marks) set(id dialogstore.ID, k mark) {
	m.all[id] = k
	m.peak = max(m.peak, len(m.all))
}

// take moves up to most marks to batch.
func (m *marks) take(batch []marked, most int) []marked {
	for id, k := range m.all {
		if len(batch) == most {
			return batch
		}
		batch = append(batch, marked{id, k})
		delete(m.all, id)
	}
	if m.peak > keptMarks { // deleting from a map frees none of its memory
		*m = newMarks()
	}
	return batch
}

type marked struct {
	id dialogstore.ID
	mark
}

// forget forgets a call that is none of ours any more.
func (m *marks) forget(id dialogstore.ID) { delete(m.all, id) }
