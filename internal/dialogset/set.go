package dialogset

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Set holds the dialogs with one Call-ID and local tag, and before there are any, the INVITE
// that makes them. Usually there is one dialog; there are several if an INVITE was forked,
// or if a B2BUA uses one tag for both of its calls. The dialogs have nothing else in common.
type Set struct {
	key  key
	used atomic.Int64 // when it was last used, in nanoseconds since Sets.start
	over bool         // needed only by transactions that are still alive; guarded by Sets.mu

	mu      sync.Mutex
	dialogs []*Dialog
	room    [1]*Dialog // first backing array of dialogs, which usually suffices
	forks   []fork

	// calling is our INVITE and its early dialogs. Later it stands for dialogs that are not
	// in the set; nil if it is not needed.
	calling *Dialog
	before  Numbering           // of calling, when it became the first dialog: others continue from there
	ringing ringing             // of calling, at the same time
	policy  sessiontimer.Policy // of our INVITE; Off before there is one
	pending bool                // our INVITE has made no dialog yet
	learned time.Duration       // highest Min-SE of its 422s
}

type key struct{ callID, tag string }

// ID returns the ID of the dialog with the remote tag.
func (s *Set) ID(remoteTag string) dialogstore.ID {
	return dialogstore.ID{CallID: s.key.callID, LocalTag: s.key.tag, RemoteTag: remoteTag}
}

// Invited returns the policy of our INVITE; its mode is Off if we have sent none.
func (s *Set) Invited() sessiontimer.Policy {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.policy
}

// Invite notes our INVITE, and returns the Dialog that stands for it.
func (s *Set) Invite(policy sessiontimer.Policy) *Dialog {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policy, s.pending = policy, true
	return s.called()
}

// Ring adds the early dialog of the peer's INVITE.
func (s *Set) Ring(remoteTag string, cseq uint32, what Told) *Dialog {
	return s.join(&Dialog{remoteTag: remoteTag, state: early, told: what, Count: Numbering{last: startAfter(cseq)}})
}

// resume adds a stored dialog.
func (s *Set) resume(d *dialogstore.Dialog) *Dialog {
	return s.join(&Dialog{remoteTag: d.RemoteTag, state: confirmed, Count: Numbering{last: d.LocalCSeq}})
}

// join adds a dialog, or returns the existing one with the same remote tag.
func (s *Set) join(m *Dialog) *Dialog {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.find(m.remoteTag); known != nil {
		return known
	}
	s.dialogs = append(s.dialogs, m)
	return m
}

// Accept adds the dialog of a 2xx to our INVITE; nil if it is there already. The first one
// continues as the INVITE, with its requests in flight. Further ones start with its CSeq and
// then count on their own (RFC 3261 §12.2.1.1).
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
		s.learned = 0 // RFC 4028 §7.4: it counts only until there is a dialog
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

// Abandon removes an early dialog that was not confirmed, and reports whether the set is no
// longer needed.
func (s *Set) Abandon(m *Dialog) (last bool) {
	s.mu.Lock()
	s.dialogs = slices.DeleteFunc(s.dialogs, func(o *Dialog) bool { return o == m })
	s.mu.Unlock()
	return !s.Needed()
}

// Of returns the dialog that our request belongs to. For an early dialog, and for a fork that
// was not taken, that is the Dialog of the INVITE.
func (s *Set) Of(remoteTag string) *Dialog {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.find(remoteTag); m != nil {
		return m
	}
	return s.called()
}

// called returns calling, and makes it if it is nil. s.mu is held.
func (s *Set) called() *Dialog {
	if s.calling == nil {
		s.calling = &Dialog{ringing: s.ringing}
		s.calling.Count.follow(&s.before)
	}
	return s.calling
}

// Dialog returns a dialog; nil if it is not in the set.
func (s *Set) Dialog(remoteTag string) *Dialog {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(remoteTag)
}

// Speaking returns the dialog that a request of the peer belongs to, which may be an early
// dialog of our INVITE; nil if there is none.
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

// Lives reports whether a dialog is confirmed and has not ended.
func (s *Set) Lives(remoteTag string) bool {
	m := s.Dialog(remoteTag)
	return m != nil && m.is(confirmed)
}

// Released reports whether a dialog continues on another node: it has ended here, without a
// reason.
func (s *Set) Released(remoteTag string) bool {
	m := s.Dialog(remoteTag)
	return m != nil && m.is(terminated) && m.EndedFor() == sessiontimer.Reason{}
}

// Early reports whether there is an early dialog with the remote tag, and returns what we
// have told its peer.
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

// Offer returns the application's INVITE with the branch; nil if it is over.
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

// End ends a dialog and cancels our refresh. first is true for exactly one call for each
// dialog. last is true if the set is no longer needed.
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

// Needed reports whether the set has a dialog that is alive, or a request in flight may make
// one.
func (s *Set) Needed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calling != nil && s.calling.needed() || slices.ContainsFunc(s.dialogs, (*Dialog).needed)
}

// idle reports whether the set has no more state than the store.
func (s *Set) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	busy := func(m *Dialog) bool { return !m.idle() }
	return len(s.forks) == 0 && (s.calling == nil || !s.calling.inFlight()) && !slices.ContainsFunc(s.dialogs, busy)
}

// Learned returns the highest Min-SE of the 422s to our INVITE.
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

// Remembered returns how many items the set keeps, for tests of its bounds.
func (s *Set) Remembered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.dialogs) + len(s.forks)
	for _, d := range append([]*Dialog{s.called()}, s.dialogs...) {
		n += len(d.Count.sent) + len(d.offers) + len(d.localAcks)
	}
	return n
}
