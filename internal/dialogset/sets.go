package dialogset

import (
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Sets finds the set of a request. An idle call has none: what its set knew and
// the store does not has no meaning once transactions are over, and resume makes
// it anew.
type Sets struct {
	start time.Time

	mu      sync.RWMutex
	all     map[key]*Set
	peak    int // most sets that all has had
	closed  bool
	sweeper *time.Timer // nil while there is no set
}

// Life is how long transactions may still refer to a set that nobody uses: a
// BYE that is challenged must be numbered, a BYE that crosses ours answered.
func Life() time.Duration { return 64 * sip.T1 }

func sweepEvery() time.Duration { return Life() / 8 }

// New makes an empty one.
func New() *Sets { return &Sets{start: time.Now(), all: make(map[key]*Set)} }

// Find returns nil if there is no such set.
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

// Open finds or makes a set.
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

// Resume finds the set of a stored dialog, or makes it anew: the call was idle,
// or began in another process.
func (ss *Sets) Resume(d dialogstore.Dialog) (*Set, *Dialog) {
	if s := ss.Find(d.CallID, d.LocalTag); s != nil {
		if m := s.Dialog(d.RemoteTag); m != nil {
			return s, m
		}
	}
	s := ss.Open(d.CallID, d.LocalTag)
	return s, s.resume(d)
}

// Drop forgets a set.
func (ss *Sets) Drop(s *Set) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.delete(s)
}

// delete forgets a set. ss.mu is held.
func (ss *Sets) delete(s *Set) {
	if ss.all[s.key] == s {
		delete(ss.all, s.key)
	}
}

// DropLater drops a set that is over once transactions are too.
func (ss *Sets) DropLater(s *Set) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s.over = true
	ss.Touch(s)
	if ss.closed {
		ss.delete(s)
	}
}

// sweep drops the sets that nobody has used for Life and nobody needs.
func (ss *Sets) sweep() {
	limit := int64(time.Since(ss.start) - Life())
	for _, s := range ss.unusedSince(limit) {
		ss.mu.Lock()
		if s.used.Load() <= limit && (s.over || s.idle()) { // nobody took it up meanwhile
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

// shrink gives back what the map took for a burst of calls: deleting from a map
// frees none of its memory. ss.mu is held.
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

// Close drops the sets that are over. The others stay, so that what their calls
// still send is numbered on.
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

// Len is how many sets there are.
func (ss *Sets) Len() int {
	ss.mu.RLock()
	defer ss.mu.RUnlock()
	return len(ss.all)
}

// Remembered counts what is kept of requests in all sets.
func (ss *Sets) Remembered() int {
	ss.mu.RLock()
	defer ss.mu.RUnlock()
	n := 0
	for _, s := range ss.all {
		n += s.Remembered()
	}
	return n
}
