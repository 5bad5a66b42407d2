package ownership

import "github.com/sipgo-contrib/sessiontimer/dialogstore"

// marks are the calls that are to be written to the registry. A mark has no state of the
// call, since the memory has the latest. Users hold n.mu.
type marks struct {
	all  map[dialogstore.ID]mark
	peak int // largest size of all
}

// mark is what to write about a call; the zero mark means its latest state.
type mark struct {
	isNew bool   // the registry does not have the call yet
	drop  uint64 // the epoch in which it has ended; 0 if it has not
}

// keptMarks is the largest map that is kept when it is empty.
const keptMarks = 4096

func newMarks() marks { return marks{all: make(map[dialogstore.ID]mark)} }

// put marks a call whose state has changed. A call that has ended stays marked as such.
func (m *marks) put(id dialogstore.ID, isNew bool) {
	if _, already := m.all[id]; !already {
		m.set(id, mark{isNew: isNew})
	}
}

// drop marks a call that has ended. If the registry does not have it yet, nothing need be
// written.
func (m *marks) drop(id dialogstore.ID, epoch uint64) {
	if m.all[id].isNew {
		delete(m.all, id)
		return
	}
	m.set(id, mark{drop: epoch})
}

// again marks a call that could not be written, unless there is a newer mark. It is no
// longer new: the registry may have written it in spite of the error.
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

// forget removes the mark of a call that this node no longer owns.
func (m *marks) forget(id dialogstore.ID) { delete(m.all, id) }
