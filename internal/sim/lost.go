package sim

import (
	"slices"
	"time"
)

// kept reports whether the registry had a state of the call at that moment: one was written
// before, and not lost since.
func (r *registry) kept(c *Call, at time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.writes[c.ID] {
		if w <= at && !r.undoneBy(w, at) {
			return true
		}
	}
	return false
}

// undoneBy reports whether the writes of one moment were lost before another moment. r.mu is
// held.
func (r *registry) undoneBy(written, at time.Duration) bool {
	for _, u := range r.undone {
		if u.from <= written && written <= u.to && u.to <= at {
			return true
		}
	}
	return false
}

// behind reports whether a write of a call was lost. The owner's next write repairs that; for
// a call without a timer it comes only when all calls are written again, after hours.
func (r *registry) behind(callID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.writes[callID], func(at time.Duration) bool { return r.undoneBy(at, r.w.now()) })
}

// wrote reports whether an owner has written a state of the call between two moments.
func (r *registry) wrote(callID string, from, to time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.puts[callID] {
		if from <= w && w < to {
			return true
		}
	}
	return false
}

// writing is how long a node that reaches a healthy registry may take to write a call, with
// the longest pause after a write that failed.
const writing = 5 * time.Second

// lost reports whether a call may be lost at that moment: its owner has died, the registry
// has no state of it, and the owner could write none, or none after the registry had lost its
// data. Without a registry a call ends with its node.
func (v *view) lost(at time.Duration) bool {
	owner, since, _ := v.holder(at)
	died, dead := owner.n.deathAfter(max(since, v.Began), at)
	switch {
	case !dead:
		return false
	case v.registry == nil:
		return true
	case v.registry.kept(v.Call, at):
		return false
	case v.registry.wentBackUnseen(owner.n, v.Began, at):
		return true
	}
	for from := v.exchanges[0].acked; from+writing <= died; from += time.Second {
		if v.registry.healthy(owner.n, from, from+writing) && !v.registry.undid(from, at) {
			return false
		}
	}
	return true
}

// wentBackUnseen reports whether the registry went back to an older state between two moments
// and a node may not have noticed, since something else was wrong: its beats may have gone
// unanswered until they were as many again. The next write of a call repairs that.
func (r *registry) wentBackUnseen(n *node, from, to time.Duration) bool {
	r.mu.Lock()
	undone := slices.Clone(r.undone)
	r.mu.Unlock()
	return slices.ContainsFunc(undone, func(u span) bool {
		return u.from > 0 && from <= u.to && u.to <= to && !r.healthy(n, u.to, u.to+lease)
	})
}

// undid reports whether the registry lost something between two moments.
func (r *registry) undid(from, to time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.undone {
		if from <= u.to && u.to <= to {
			return true
		}
	}
	return false
}
