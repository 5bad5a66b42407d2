package middleware

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// leg is the process's own state of what has one Call-ID and tag of ours: mostly
// one dialog, several where an INVITE was forked or a B2BUA has one tag for both of
// its calls, and before there is one the INVITE that makes it. Its dialogs have
// nothing else in common. What outlives the process is in the store, and a leg that
// knows no more than that is dropped.
type leg struct {
	key  legKey
	used atomic.Int64 // when it was found last, in nanoseconds since legs.start
	over bool         // of no more use than to transactions; guarded by legs.mu

	mu      sync.Mutex
	dialogs []*member
	room    [1]*member // for them, mostly
	forks   []fork

	// calling is our INVITE and its early dialogs, and later what is sent in
	// dialogs that are not known; nil if there is nothing of the kind.
	calling *member
	before  numbering           // as the first dialog took it over: the others go on from there
	policy  sessiontimer.Policy // of that INVITE; Off before there is one
	pending bool                // no dialog came of it yet
	learned time.Duration       // Min-SE of its 422s
}

type legKey struct{ callID, tag string }

func (l *leg) id(remoteTag string) dialogstore.ID {
	return dialogstore.ID{CallID: l.key.callID, LocalTag: l.key.tag, RemoteTag: remoteTag}
}

// invited is the policy of our INVITE; Off if we have sent none.
func (l *leg) invited() sessiontimer.Policy {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.policy
}

// invite notes an INVITE of ours.
func (l *leg) invite(policy sessiontimer.Policy) *member {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.policy, l.pending = policy, true
	return l.called()
}

// ring notes the early dialog of an INVITE of the peer.
func (l *leg) ring(remoteTag string, cseq uint32, what told) *member {
	return l.join(&member{remoteTag: remoteTag, state: early, told: what, count: numbering{last: startAfter(cseq)}})
}

// resume takes up a stored dialog that is not known.
func (l *leg) resume(d dialogstore.Dialog) *member {
	return l.join(&member{remoteTag: d.RemoteTag, state: confirmed, count: numbering{last: d.LocalCSeq}})
}

// join adds a dialog, unless it is known.
func (l *leg) join(m *member) *member {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known := l.find(m.remoteTag); known != nil {
		return known
	}
	l.dialogs = append(l.dialogs, m)
	return m
}

// accept makes the dialog of a 2xx to our INVITE; nil if it is known. The first one
// goes on with what is in flight and with the numbers, another one counts for itself
// (RFC 3261 §12.2.1.1).
func (l *leg) accept(remoteTag string) *member {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.find(remoteTag) != nil {
		return nil
	}
	m := l.called()
	if l.pending {
		l.before.follow(&m.count)
		l.pending, l.calling = false, nil
		l.learned = 0 // RFC 4028 §7.4: what led to the dialog is forgotten with it
	} else {
		m = &member{}
		m.count.follow(&l.calling.count)
	}
	m.remoteTag = remoteTag
	m.accepted()
	l.dialogs = append(l.dialogs, m)
	return m
}

// abandon forgets an early dialog of which nothing came, and reports whether the leg
// is of no more use.
func (l *leg) abandon(m *member) (last bool) {
	l.mu.Lock()
	l.dialogs = slices.DeleteFunc(l.dialogs, func(o *member) bool { return o == m })
	l.mu.Unlock()
	return !l.needed()
}

// of finds the dialog that a request of ours belongs to. An early one, and one that
// nobody took, belongs to the INVITE.
func (l *leg) of(remoteTag string) *member {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.find(remoteTag); m != nil {
		return m
	}
	return l.called()
}

// called is calling, made if need be. l.mu is held.
func (l *leg) called() *member {
	if l.calling == nil {
		l.calling = &member{}
		l.calling.count.follow(&l.before)
	}
	return l.calling
}

// member finds a dialog; nil if it is not known.
func (l *leg) member(remoteTag string) *member {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.find(remoteTag)
}

// find is member with l.mu held.
func (l *leg) find(remoteTag string) *member {
	for _, m := range l.dialogs {
		if m.remoteTag == remoteTag {
			return m
		}
	}
	return nil
}

// lives reports whether a dialog of the leg has not ended.
func (l *leg) lives(remoteTag string) bool {
	m := l.member(remoteTag)
	return m != nil && m.is(confirmed)
}

// early finds the early dialog with a party, and what we told of us in it.
func (l *leg) early(remoteTag string) (what told, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.find(remoteTag)
	switch {
	case m != nil:
		return m.lastTold(), m.is(early)
	case l.pending:
		return l.called().lastTold(), true
	}
	return told{}, false
}

// offer finds the INVITE of the application with the branch; nil if it is over.
func (l *leg) offer(branch string) *exchange {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calling != nil {
		if x := l.calling.offer(branch); x != nil {
			return x
		}
	}
	for _, m := range l.dialogs {
		if x := m.offer(branch); x != nil {
			return x
		}
	}
	return nil
}

// end notes that a dialog is over and gives up a refresh of ours. Of all who call it
// for a dialog one gets first. With the last one the leg is of no more use.
func (l *leg) end(remoteTag string, byUs bool, why sessiontimer.Reason) (first, last bool) {
	l.mu.Lock()
	m := l.find(remoteTag)
	if m == nil {
		l.endFork(remoteTag)
	}
	l.mu.Unlock()
	if m == nil || !m.end(byUs, why) {
		return false, false
	}
	return true, !l.needed()
}

// needed reports whether there is a dialog, or one may come of what is in flight.
func (l *leg) needed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calling != nil && l.calling.needed() || slices.ContainsFunc(l.dialogs, (*member).needed)
}

// idle reports whether the store knows all that is to be known of the leg.
func (l *leg) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	busy := func(m *member) bool { return !m.idle() }
	return len(l.forks) == 0 && (l.calling == nil || !l.calling.inFlight()) && !slices.ContainsFunc(l.dialogs, busy)
}
