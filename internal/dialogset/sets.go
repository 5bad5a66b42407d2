package dialogset

import (
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Sets holds the sets of all calls, except idle ones: once its transactions are over, a set
// has no state that the store does not have, so it is dropped, and Resume makes it again.
type Sets struct {
	start time.Time

	mu      sync.RWMutex
	all     map[key]*Set
	peak    int // largest size of all
	closed  bool
	sweeper *time.Timer // nil while there are no sets
}

// Life returns how long an unused set is kept for its transactions: a BYE that is challenged
// needs a new CSeq, and a BYE that crosses ours needs an answer.
func Life() time.Duration { return 64 * sip.T1 }

func sweepEvery() time.Duration { return Life() / 8 }

// New returns an empty Sets.
func New() *Sets { return &Sets{start: time.Now(), all: make(map[key]*Set)} }

// Find returns a set; nil if there is none.
func (ss *Sets) Find(callID, tag string) *Set {
	ss.mu.RLock()
	defer ss.mu.RUnlock()
	s := ss.all[key{callID, tag}]
	if s != nil {
		ss.Touch(s)
	}
	return s
}

// Touch keeps a set for another Life.
func (ss *Sets) Touch(s *Set) { s.used.Store(int64(time.Since(ss.start))) }

// Open returns a set, and makes it if there is none.
func (ss *Sets) Open(callID, tag string) *Set {
	key := key{callID, tag}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.all[key]
	if s == nil {
		s = &Set{key: key}
		s.dialogs = s.room[:0]
		ss.all[key] = s
		ss.peak = max(ss.peak, len(ss.all))
	}
	s.over = false
	ss.Touch(s)
	if ss.sweeper == nil && !ss.closed {
		ss.sweeper = time.AfterFunc(sweepEvery(), ss.sweep)
	}
	return s
}

// Resume returns the set and Dialog of a stored dialog. It makes them if the call was idle,
// or began in another process.
func (ss *Sets) Resume(d *dialogstore.Dialog) (*Set, *Dialog) {
	if s := ss.Find(d.CallID, d.LocalTag); s != nil {
		if m := s.Dialog(d.RemoteTag); m != nil {
			return s, m
		}
	}
	s := ss.Open(d.CallID, d.LocalTag)
	return s, s.resume(d)
}

// Drop removes a set.
func (ss *Sets) Drop(s *Set) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.delete(s)
}

// delete removes a set. ss.mu is held.
func (ss *Sets) delete(s *Set) {
	if ss.all[s.key] == s {
		delete(ss.all, s.key)
	}
}

// DropLater marks a set as over, so that it is dropped after Life, when its transactions are
// over too.
func (ss *Sets) DropLater(s *Set) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s.over = true
	ss.Touch(s)
	if ss.closed {
		ss.delete(s)
	}
}

// sweep drops the sets that are over or idle and were not used for Life.
func (ss *Sets) sweep() {
	limit := int64(time.Since(ss.start) - Life())
	for _, s := range ss.unusedSince(limit) {
		ss.mu.Lock()
		if s.used.Load() <= limit && (s.over || s.idle()) { // it may have been used meanwhile
			ss.delete(s)
		}
		ss.mu.Unlock()
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.shrink()
	ss.sweeper = nil
	if len(ss.all) > 0 && !ss.closed {
		ss.sweeper = time.AfterFunc(sweepEvery(), ss.sweep)
	}
}

func (ss *Sets) unusedSince(limit int64) []*Set {
	ss.mu.RLock()
	defer ss.mu.RUnlock()
	var unused []*Set
	for _, s := range ss.all {
		if s.used.Load() <= limit {
			unused = append(unused, s)
		}
	}
	return unused
}

// shrink frees the memory that the map took for a burst of calls: deleting from a map frees
// none. ss.mu is held.
func (ss *Sets) shrink() {
	if len(ss.all) > ss.peak/4 {
		return
	}
	all := make(map[key]*Set, len(ss.all))
	for key, s := range ss.all {
		all[key] = s
	}
	ss.all, ss.peak = all, len(all)
}

// Close drops the sets that are over, and stops sweeping. The other sets stay, so that
// further requests of their calls get correct CSeq numbers.
func (ss *Sets) Close() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.closed = true
	if ss.sweeper != nil {
		ss.sweeper.Stop()
	}
	for _, s := range ss.all {
		if s.over {
			ss.delete(s)
		}
	}
}

// Len returns the number of sets.
func (ss *Sets) Len() int {
	ss.mu.RLock()
	defer ss.mu.RUnlock()
	return len(ss.all)
}

// Remembered returns how many items all sets keep, for tests of their bounds.
func (ss *Sets) Remembered() int {
	ss.mu.RLock()
	defer ss.mu.RUnlock()
	n := 0
	for _, s := range ss.all {
		n += s.Remembered()
	}
	return n
}
