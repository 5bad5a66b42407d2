package sessiontimer

import "time"

// maxRetries bounds the 422 responses that are followed for one request.
const maxRetries = 5

// Proposal is what one INVITE or UPDATE of ours says about session timers.
type Proposal struct {
	Send           bool           // Session-Expires is there
	SessionExpires SessionExpires // bare seconds, or with the refresher of this transaction
	MinSE          time.Duration  // 0 leaves Min-SE out
	Require        bool           // Require: timer; Supported: timer is always there
	Retries        int            // 422 responses that led here
}

// Propose says what a request of ours carries (RFC 4028 §7.1, §7.4). current is
// the session of the dialog, zero before there is one; learned is the largest
// Min-SE that the peer made us know, zero if none. peerTimer says that the peer
// is known to support timers.
func (p Policy) Propose(current Session, learned time.Duration, peerTimer bool) Proposal {
	if p.Mode == Off {
		return Proposal{}
	}
	o := Proposal{Require: p.Mode == Require}
	if learned > 0 {
		// §5: a Min-SE below the floor is not repeated, whoever sent it.
		o.MinSE = max(learned, p.Floor())
	}
	if p.MinSE > p.Floor() {
		o.MinSE = max(o.MinSE, p.MinSE)
	}
	if current.Active() {
		// §7.4: the interval in force, not the one once configured, and the
		// roles as they are, in the view of this transaction.
		o.Send = true
		o.SessionExpires.Interval = max(current.Interval, o.MinSE, p.Floor())
		o.SessionExpires.Refresher = UAC
		if current.Refresher == Peer && peerTimer {
			o.SessionExpires.Refresher = UAS
		}
		return o
	}
	if p.Mode == Accept {
		return o
	}
	o.Send = true
	o.SessionExpires.Interval = max(p.SessionExpires, o.MinSE)
	if p.Refresher == Local {
		// §7.1 does not offer uas here: whether the peer has timers is unknown.
		o.SessionExpires.Refresher = UAC
	}
	return o
}

// Retry says what to ask for after a 422 (RFC 4028 §7.3, §7.4), or false if
// asking again cannot help: no Min-SE, one above the policy's MaxMinSE, one
// that was heeded already, or too many.
func (p Policy) Retry(o Proposal, res Fields) (Proposal, bool) {
	want := max(res.MinSE, p.Floor())
	heeded := want <= o.SessionExpires.Interval && want <= o.MinSE
	if p.Mode == Off || res.MinSE == 0 || want > p.MaxMinSE || heeded || o.Retries >= maxRetries {
		return o, false
	}
	o.MinSE = max(o.MinSE, want)
	o.SessionExpires.Interval = max(o.SessionExpires.Interval, o.MinSE)
	o.Send = true
	o.Retries++
	return o, true
}

// RetryWithout says what to ask for after a 420 that refuses Require: timer: the
// same, without requiring it (RFC 3261 §8.1.3.5). It returns false if that
// was not what was refused.
func (p Policy) RetryWithout(o Proposal, res Fields) (Proposal, bool) {
	if !o.Require || !res.Unsupported || o.Retries >= maxRetries {
		return o, false
	}
	o.Require = false
	o.Retries++
	return o, true
}

// Settle says what a 2xx to a request of ours settled (RFC 4028 §7.2). It never
// fails: what a peer gets wrong is read in the way that keeps the call alive.
//
// A Strict policy reads it by the letter: an interval above what was asked
// counts as what was asked, one below the floor or without a refresher as none, and
// so does Require: timer without an interval.
func (p Policy) Settle(o Proposal, res Fields, current Session, now time.Time) Session {
	if p.Strict {
		res = p.byTheLetter(o, res)
	}
	switch {
	case p.Mode == Off:
		return Session{}
	case !res.HasSessionExpires:
		return p.settleSilence(o, res, current, now)
	}
	s := Session{
		Interval:  max(res.SessionExpires.Interval, p.Floor()),
		Refresher: Local,
		Since:     now,
	}
	switch res.SessionExpires.Refresher {
	case UAS:
		s.Refresher = Peer
	case NoRole:
		// A peer that forgets the parameter means what was asked; where that was
		// left open, that the one who asked refreshes.
		if o.SessionExpires.Refresher == UAS {
			s.Refresher = Peer
		}
	}
	// Nobody may raise what was asked for, or go below the floor (§4, §9). The
	// peer that does runs its own value all the same: we refresh in time for both,
	// but not in any haste that a peer asks for (§11.1).
	longest := min(p.MaxInterval, max(res.SessionExpires.Interval, 2*p.pace()))
	if o.Send {
		longest = min(longest, o.SessionExpires.Interval)
	}
	return s.refreshedWithin(longest)
}

// settleSilence is a 2xx without Session-Expires (RFC 4028 §7.2).
func (p Policy) settleSilence(o Proposal, res Fields, current Session, now time.Time) Session {
	alone := Session{Interval: o.SessionExpires.Interval, Refresher: Local, Since: now}
	alone = alone.refreshedWithin(p.MaxInterval).asSoonAs(current, p.pace())
	switch {
	case !o.Send:
		return Session{}
	case current.Active() && current.Refresher == Local && !p.Strict:
		// A peer that only forgot the header would hang up if we fell silent.
		return alone
	case res.Required && !p.Strict:
		// What requires a timer has one; its interval was lost on the way.
		return alone
	case !current.Active() && p.Mode >= Require:
		return alone
	}
	return Session{}
}

// byTheLetter reads a 2xx as if its sender had meant what RFC 4028 §9 allows.
func (p Policy) byTheLetter(o Proposal, res Fields) Fields {
	if res.SessionExpires.Interval < p.Floor() || res.SessionExpires.Refresher == NoRole {
		res.HasSessionExpires = false
	}
	if o.Send {
		res.SessionExpires.Interval = min(res.SessionExpires.Interval, o.SessionExpires.Interval)
	}
	return res
}
