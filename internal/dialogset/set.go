package dialogset

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Set is the process's own state of what has one Call-ID and tag of ours: mostly
// one dialog, several where an INVITE was forked or a B2BUA has one tag for both of
// its calls, and before there is one the INVITE that makes it. Its dialogs have
// nothing else in common. What outlives the process is in the store, and a set that
// knows no more than that is dropped.
type Set struct {
	key  key
	used atomic.Int64 // when it was found last, in nanoseconds since Sets.start
	over bool         // of no more use than to transactions; guarded by Sets.mu

	mu      sync.Mutex
	dialogs []*Dialog
	room    [1]*Dialog // for them, mostly
	forks   []fork

	// calling is our INVITE and its early dialogs, and later what is sent in
	// dialogs that are not known; nil if there is nothing of the kind.
	calling *Dialog
	before  Numbering           // as the first dialog took it over: the others go on from there
	ringing ringing             // likewise
	policy  sessiontimer.Policy // of that INVITE; Off before there is one
	pending bool                // no dialog came of it yet
	learned time.Duration       // Min-SE of its 422s
}

type key struct{ callID, tag string }

// ID names the dialog with a party.
func (s *Set) ID(remoteTag string) dialogstore.ID {
	return dialogstore.ID{CallID: s.key.callID, LocalTag: s.key.tag, RemoteTag: remoteTag}
}

// Invited is the policy of our INVITE; Off if we have sent none.
func (s *Set) Invited() sessiontimer.Policy {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.policy
}

// Invite notes an INVITE of ours.
func (s *Set) Invite(policy sessiontimer.Policy) *Dialog {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policy, s.pending = policy, true
	return s.called()
}

// Ring notes the early dialog of an INVITE of the peer.
func (s *Set) Ring(remoteTag string, cseq uint32, what Told) *Dialog {
	return s.join(&Dialog{remoteTag: remoteTag, state: early, told: what, Count: Numbering{last: startAfter(cseq)}})
}

// resume takes up a stored dialog that is not known.
func (s *Set) resume(d dialogstore.Dialog) *Dialog {
	return s.join(&Dialog{remoteTag: d.RemoteTag, state: confirmed, Count: Numbering{last: d.LocalCSeq}})
}

// join adds a dialog, unless it is known.
func (s *Set) join(m *Dialog) *Dialog {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.find(m.remoteTag); known != nil {
		return known
	}
	s.dialogs = append(s.dialogs, m)
	return m
}

// Accept makes the dialog of a 2xx to our INVITE; nil if it is known. The first one
// goes on with what is in flight and with the numbers, another one counts for itself
// (RFC 3261 §12.2.1.1).
func (s *Set) Accept(remoteTag string) *Dialog {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(remoteTag) != nil {
		return nil
	}
	m := s.called()
	talk := m.rang(remoteTag)
	if s.pending {
		s.before.follow(&m.Count)
		s.ringing = m.leave()
		s.pending, s.calling = false, nil
		s.learned = 0 // RFC 4028 §7.4: what led to the dialog is forgotten with it
	} else {
		m = &Dialog{}
		m.Count.follow(&s.calling.Count)
	}
	m.remoteTag = remoteTag
	m.takeOver(talk)
	m.Accepted()
	s.dialogs = append(s.dialogs, m)
	return m
}

// Abandon forgets an early dialog of which nothing came, and reports whether the set
// is of no more use.
func (s *Set) Abandon(m *Dialog) (last bool) {
	s.mu.Lock()
	s.dialogs = slices.DeleteFunc(s.dialogs, func(o *Dialog) bool { return o == m })
	s.mu.Unlock()
	return !s.Needed()
}

// Of finds the dialog that a request of ours belongs to. An early one, and one that
// nobody took, belongs to the INVITE.
func (s *Set) Of(remoteTag string) *Dialog {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.find(remoteTag); m != nil {
		return m
	}
	return s.called()
}

// called is calling, made if need be. s.mu is held.
func (s *Set) called() *Dialog {
	if s.calling == nil {
		s.calling = &Dialog{ringing: s.ringing}
		s.calling.Count.follow(&s.before)
	}
	return s.calling
}

// Dialog finds a dialog; nil if it is not known.
func (s *Set) Dialog(remoteTag string) *Dialog {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(remoteTag)
}

// Speaking finds the dialog that a request of the peer belongs to, also an early one of
// our INVITE; nil if there is none.
func (s *Set) Speaking(remoteTag string) *Dialog {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.find(remoteTag); m != nil || !s.pending {
		return m
	}
	return s.calling
}

// find is Dialog with s.mu held.
func (s *Set) find(remoteTag string) *Dialog {
	for _, m := range s.dialogs {
		if m.remoteTag == remoteTag {
			return m
		}
	}
	return nil
}

// Lives reports whether a dialog of the set has not ended.
func (s *Set) Lives(remoteTag string) bool {
	m := s.Dialog(remoteTag)
	return m != nil && m.is(confirmed)
}

// Early finds the early dialog with a party, and what we told of us in it.
func (s *Set) Early(remoteTag string) (what Told, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.find(remoteTag)
	switch {
	case m != nil:
		return m.lastTold(), m.is(early)
	case s.pending:
		return s.called().lastTold(), true
	}
	return Told{}, false
}

// Offer finds the INVITE of the application with the branch; nil if it is over.
func (s *Set) Offer(branch string) Offer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calling != nil {
		if x := s.calling.offer(branch); x != nil {
			return x
		}
	}
	for _, m := range s.dialogs {
		if x := m.offer(branch); x != nil {
			return x
		}
	}
	return nil
}

// End notes that a dialog is over and gives up a refresh of ours. Of all who call it
// for a dialog one gets first. With the last one the set is of no more use.
func (s *Set) End(remoteTag string, byUs bool, why sessiontimer.Reason) (first, last bool) {
	s.mu.Lock()
	m := s.find(remoteTag)
	if m == nil {
		s.endFork(remoteTag)
	}
	s.mu.Unlock()
	if m == nil || !m.end(byUs, why) {
		return false, false
	}
	return true, !s.Needed()
}

// Let notes that a dialog is somebody else's by now: it is over here, though not for
// its peer.
func (s *Set) Let(remoteTag string) (first, last bool) {
	return s.End(remoteTag, false, sessiontimer.Reason{Cause: sessiontimer.CauseDeleted})
}

// Needed reports whether there is a dialog, or one may come of what is in flight.
func (s *Set) Needed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calling != nil && s.calling.needed() || slices.ContainsFunc(s.dialogs, (*Dialog).needed)
}

// idle reports whether the store knows all that is to be known of the set.
func (s *Set) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	busy := func(m *Dialog) bool { return !m.idle() }
	return len(s.forks) == 0 && (s.calling == nil || !s.calling.inFlight()) && !slices.ContainsFunc(s.dialogs, busy)
}

// Learned is the largest Min-SE of the 422s to our INVITE.
func (s *Set) Learned() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.learned
}

// Learn notes the Min-SE of a 422 to our INVITE.
func (s *Set) Learn(minSE time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.learned = max(s.learned, minSE)
}

// Remembered counts what is kept of requests.
func (s *Set) Remembered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.dialogs) + len(s.forks)
	for _, d := range append([]*Dialog{s.called()}, s.dialogs...) {
		n += len(d.Count.sent) + len(d.offers) + len(d.localAcks)
	}
	return n
}
