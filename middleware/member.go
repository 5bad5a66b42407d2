package middleware

import (
	"slices"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
)

// member is a dialog of a leg.
type member struct {
	remoteTag   string
	ended, byUs bool
	why         sessiontimer.Reason // it ended
	heard       uint32              // last CSeq of the peer's INVITEs and UPDATEs
	target      *sip.Uri            // where the peer has moved to; nil if it has not
	from        string              // and the address of our socket
}

// join notes a dialog of this leg; false if it is known.
func (l *leg) join(remoteTag string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.member(remoteTag) != nil {
		return false
	}
	l.dialogs = append(l.dialogs, member{remoteTag: remoteTag})
	l.contact, l.ringing = nil, false
	l.learned = 0 // RFC 4028 §7.4: what led to the dialog is forgotten with it
	return true
}

// member finds a dialog. l.mu is held.
func (l *leg) member(remoteTag string) *member {
	for i := range l.dialogs {
		if l.dialogs[i].remoteTag == remoteTag {
			return &l.dialogs[i]
		}
	}
	return nil
}

// end notes that a dialog is over and gives up a refresh of ours. Of all who
// call it for a dialog one gets true, and does what follows from it.
func (l *leg) end(remoteTag string, byUs bool, why sessiontimer.Reason) (first, last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.member(remoteTag)
	if m == nil {
		l.endFork(remoteTag)
	}
	if m == nil || m.ended {
		return false, false
	}
	m.ended, m.byUs, m.why = true, byUs, why
	if l.own != nil && l.ownTag == remoteTag {
		l.own()
	}
	return true, !l.alive()
}

// alive tells that a dialog of this leg has not ended. l.mu is held.
func (l *leg) alive() bool {
	return slices.ContainsFunc(l.dialogs, func(m member) bool { return !m.ended })
}

// endedByUs tells that we ended the dialog; its peer may not know yet.
func (l *leg) endedByUs(remoteTag string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.member(remoteTag)
	return m != nil && m.byUs
}

// older notes the CSeq of a request and tells that a later one was seen before;
// stored is what a process before this one saw.
func (l *leg) older(remoteTag string, cseq, stored uint32) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.member(remoteTag)
	if m == nil {
		return cseq < stored
	}
	m.heard = max(m.heard, cseq, stored)
	return cseq < m.heard
}

// lives tells that a dialog of the leg has not ended.
func (l *leg) lives(remoteTag string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.member(remoteTag)
	return m != nil && !m.ended
}

// why is the reason for which a dialog of the leg ended.
func (l *leg) why(remoteTag string) sessiontimer.Reason {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.member(remoteTag); m != nil {
		return m.why
	}
	return sessiontimer.Reason{}
}

// early tells that no dialog came of the leg yet.
func (l *leg) early() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.dialogs) == 0
}
