package middleware

import (
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// legs finds the leg of a request. An idle call has none: what its leg knew and
// the store does not has no meaning once transactions are over, and resume makes
// it anew.
type legs struct {
	start time.Time

	mu      sync.RWMutex
	all     map[legKey]*leg
	peak    int // most legs that all has had
	closed  bool
	sweeper *time.Timer // nil while there is no leg
}

// legLife is how long transactions may still refer to a leg that nobody uses: a
// BYE that is challenged must be numbered, a BYE that crosses ours answered.
func legLife() time.Duration { return 64 * sip.T1 }

func sweepEvery() time.Duration { return legLife() / 8 }

func newLegs() *legs { return &legs{start: time.Now(), all: make(map[legKey]*leg)} }

// find returns nil if there is no such leg.
func (ls *legs) find(callID, tag string) *leg {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	l := ls.all[legKey{callID, tag}]
	if l != nil {
		ls.touch(l)
	}
	return l
}

// touch keeps a leg for another legLife.
func (ls *legs) touch(l *leg) { l.used.Store(int64(time.Since(ls.start))) }

// open finds or makes a leg.
func (ls *legs) open(callID, tag string) *leg {
	key := legKey{callID, tag}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.all[key]
	if l == nil {
		l = &leg{key: key}
		l.dialogs = l.room[:0]
		ls.all[key] = l
		ls.peak = max(ls.peak, len(ls.all))
	}
	l.over = false
	ls.touch(l)
	if ls.sweeper == nil && !ls.closed {
		ls.sweeper = time.AfterFunc(sweepEvery(), ls.sweep)
	}
	return l
}

// resume finds the leg of a stored dialog, or makes it anew: the call was idle,
// or began in another process.
func (ls *legs) resume(d dialogstore.Dialog) (*leg, *member) {
	if l := ls.find(d.CallID, d.LocalTag); l != nil {
		if m := l.member(d.RemoteTag); m != nil {
			return l, m
		}
	}
	l := ls.open(d.CallID, d.LocalTag)
	return l, l.resume(d)
}

func (ls *legs) drop(l *leg) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.delete(l)
}

// delete forgets a leg. ls.mu is held.
func (ls *legs) delete(l *leg) {
	if ls.all[l.key] == l {
		delete(ls.all, l.key)
	}
}

// dropLater drops a leg that is over once transactions are too.
func (ls *legs) dropLater(l *leg) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l.over = true
	ls.touch(l)
	if ls.closed {
		ls.delete(l)
	}
}

// sweep drops the legs that nobody has used for legLife and nobody needs.
func (ls *legs) sweep() {
	limit := int64(time.Since(ls.start) - legLife())
	for _, l := range ls.unusedSince(limit) {
		ls.mu.Lock()
		if l.used.Load() <= limit && (l.over || l.idle()) { // nobody took it up meanwhile
			ls.delete(l)
		}
		ls.mu.Unlock()
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.shrink()
	ls.sweeper = nil
	if len(ls.all) > 0 && !ls.closed {
		ls.sweeper = time.AfterFunc(sweepEvery(), ls.sweep)
	}
}

func (ls *legs) unusedSince(limit int64) []*leg {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	var unused []*leg
	for _, l := range ls.all {
		if l.used.Load() <= limit {
			unused = append(unused, l)
		}
	}
	return unused
}

// shrink gives back what the map took for a burst of calls: deleting from a map
// frees none of its memory. ls.mu is held.
func (ls *legs) shrink() {
	if len(ls.all) > ls.peak/4 {
		return
	}
	all := make(map[legKey]*leg, len(ls.all))
	for key, l := range ls.all {
		all[key] = l
	}
	ls.all, ls.peak = all, len(all)
}

// close drops the legs that are over. The others stay, so that what their calls
// still send is numbered on.
func (ls *legs) close() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.closed = true
	if ls.sweeper != nil {
		ls.sweeper.Stop()
	}
	for _, l := range ls.all {
		if l.over {
			ls.delete(l)
		}
	}
}

func (ls *legs) len() int {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	return len(ls.all)
}
