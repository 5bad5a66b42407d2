package sessiontimer

import "time"

// maxRetries bounds the 422 and 420 responses followed for one request.
const maxRetries = 5

// Proposal is what one INVITE or UPDATE of ours says about session timers.
type Proposal struct {
	Send           bool           // with Session-Expires
	SessionExpires SessionExpires // with or without the refresher of this transaction
	MinSE          time.Duration  // 0 for no Min-SE
	Require        bool           // Require: timer; Supported: timer is always sent
	Retries        int            // 422 and 420 responses followed so far
}

// Propose returns what a request of ours carries (RFC 4028 §7.1, §7.4). current is the
// session of the dialog, zero before there is one. learned is the largest Min-SE
// received from the peer, zero if none. peerTimer is true if the peer is known to
// support timers.
func (p Policy) Propose(current Session, learned time.Duration, peerTimer bool) Proposal {
	if p.Mode == Off {
		return Proposal{}
	}
	o := Proposal{Require: p.Mode == Require}
	if learned > 0 {
		// §5: a Min-SE below the floor is never repeated.
		o.MinSE = max(learned, p.Floor())
	}
	if p.MinSE > p.Floor() {
		o.MinSE = max(o.MinSE, p.MinSE)
	}
	if current.Active() {
		// §7.4: the interval in force, not the configured one, and the present
		// roles, seen from this transaction.
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
		// §7.1: uas is not offered, as the peer may have no timers.
		o.SessionExpires.Refresher = UAC
	}
	return o
}

// Retry returns what to ask for after a 422 (RFC 4028 §7.3, §7.4). It returns false if
// asking again cannot help: the 422 has no Min-SE, one above the policy's MaxMinSE, or
// one that the request already met, or there were too many.
func (p Policy) Retry(o Proposal, res Fields) (Proposal, bool) {
	want := max(res.MinSE, p.Floor())
	met := want <= o.SessionExpires.Interval && want <= o.MinSE
	if p.Mode == Off || res.MinSE == 0 || want > p.MaxMinSE || met || o.Retries >= maxRetries {
		return o, false
	}
	o.MinSE = max(o.MinSE, want)
	o.SessionExpires.Interval = max(o.SessionExpires.Interval, o.MinSE)
	o.Send = true
	o.Retries++
	return o, true
}

// RetryWithout returns what to ask for after a 420 that refuses Require: timer: the
// same, without requiring it (RFC 3261 §8.1.3.5). It returns false if the 420 refuses
// something else.
func (p Policy) RetryWithout(o Proposal, res Fields) (Proposal, bool) {
	if !o.Require || !res.Unsupported || o.Retries >= maxRetries {
		return o, false
	}
	o.Require = false
	o.Retries++
	return o, true
}

// Settle returns the session that a 2xx to a request of ours settled (RFC 4028 §7.2).
// It never fails: a peer's mistakes are read in the way that keeps the call alive.
//
// A Strict policy follows the RFC to the letter. An interval above the one asked for
// counts as the one asked for. An interval below the floor or without a refresher
// counts as none, and so does Require: timer without an interval.
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
		// A peer that forgets the parameter means the refresher that was asked
		// for; if none was, the party that asked.
		if o.SessionExpires.Refresher == UAS {
			s.Refresher = Peer
		}
	}
	// The interval must not be above the one asked for or below the floor (§4, §9).
	// A peer that breaks this still uses its own value: we refresh in time for
	// both, but no sooner than pace (§11.1).
	longest := min(p.MaxInterval, max(res.SessionExpires.Interval, 2*p.pace()))
	if o.Send {
		longest = min(longest, o.SessionExpires.Interval)
	}
	return s.refreshedWithin(longest)
}

// settleSilence handles a 2xx without Session-Expires (RFC 4028 §7.2).
func (p Policy) settleSilence(o Proposal, res Fields, current Session, now time.Time) Session {
	alone := Session{Interval: o.SessionExpires.Interval, Refresher: Local, Since: now}
	alone = alone.refreshedWithin(p.MaxInterval).asSoonAs(current, p.pace())
	switch {
	case !o.Send:
		return Session{}
	case current.Active() && current.Refresher == Local && !p.Strict:
		// A peer that only forgot the header field would hang up if we stopped.
		return alone
	case res.Required && !p.Strict:
		// The peer has a timer; its interval was lost on the way.
		return alone
	case !current.Active() && p.Mode >= Require:
		return alone
	}
	return Session{}
}

// byTheLetter reads a 2xx as RFC 4028 §9 allows it.
func (p Policy) byTheLetter(o Proposal, res Fields) Fields {
	if res.SessionExpires.Interval < p.Floor() || res.SessionExpires.Refresher == NoRole {
		res.HasSessionExpires = false
	}
	if o.Send {
		res.SessionExpires.Interval = min(res.SessionExpires.Interval, o.SessionExpires.Interval)
	}
	return res
}
