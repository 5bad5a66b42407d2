package sessiontimer

import "time"

// Session is what the last 2xx of a dialog settled (RFC 4028 §7.2, §9). It is
// a plain value; the zero Session is a dialog without a timer.
type Session struct {
	Interval  time.Duration // Session-Expires in force; 0 for no timer
	Refresher Refresher     // Local, Peer, or Nobody without a timer
	// Since is the 2xx: when it arrived or was first sent, or when the ACK of a
	// peer that refreshes came more than a second after that.
	Since time.Time
	// RefreshAfter is how long after Since we refresh; 0 is half the interval.
	// It is shorter where the peer raised the interval above what was asked or
	// above Policy.MaxInterval, or runs one below the floor.
	RefreshAfter time.Duration
}

// Action is what a deadline of a session asks for.
type Action uint8

// The actions. The refresher refreshes and, if nothing came of it, hangs up.
const (
	Idle Action = iota
	Refresh
	Hangup
)

// Active reports whether the session has a timer.
func (s Session) Active() bool { return s.Interval > 0 && s.Refresher != Nobody }

// Equal reports whether two sessions are the same, however their times were
// stored meanwhile.
func (s Session) Equal(o Session) bool {
	return s.Interval == o.Interval && s.Refresher == o.Refresher && s.RefreshAfter == o.RefreshAfter && s.Since.Equal(o.Since)
}

// RefreshAt is when the refresher sends its request: at half the interval
// (RFC 4028 §7.2, §9, §10).
func (s Session) RefreshAt() time.Time {
	if s.RefreshAfter > 0 {
		return s.Since.Add(s.RefreshAfter)
	}
	return s.Since.Add(s.Interval / 2)
}

// refreshedWithin makes us refresh as if the interval were no longer than
// longest; it leaves a session alone that is the peer's to refresh.
func (s Session) refreshedWithin(longest time.Duration) Session {
	if s.Refresher == Local && s.Interval > longest {
		s.RefreshAfter = longest / 2
	}
	return s
}

// asSoonAs refreshes s after its 2xx no later than the session before, if that had
// its interval: a peer that ran another one goes on with it. It is not sooner than
// pace.
func (s Session) asSoonAs(before Session, pace time.Duration) Session {
	soon := max(before.RefreshAfter, pace)
	if before.RefreshAfter > 0 && s.Refresher == Local && before.Refresher == Local && s.Interval == before.Interval &&
		soon < s.RefreshAt().Sub(s.Since) {
		s.RefreshAfter = soon
	}
	return s
}

// Delayed is s if its 2xx arrived as long after the request as given. The peer
// counts from when it first sent the 2xx, which may have been lost since; to be
// in time for it, we refresh that much earlier.
func (s Session) Delayed(by time.Duration) Session {
	if early := s.RefreshAt().Sub(s.Since) - by; s.Refresher == Local && by > 0 && early > 0 {
		s.RefreshAfter = early
	}
	return s
}

// ExpiresAt is when the session is over without a refresh.
func (s Session) ExpiresAt() time.Time { return s.Since.Add(s.Interval) }

// Margin is how long before expiry the party that waits gives up: 32 s, or a
// third of the interval if that is less (RFC 4028 §10).
func Margin(interval time.Duration) time.Duration {
	return min(32*time.Second, interval/3)
}

// HangupAt is when this user agent ends a session that was not refreshed. The
// party that waits does so a margin before expiry (RFC 4028 §10). The refresher
// tries until the end and hangs up at expiry, when the peer surely has given up.
func (s Session) HangupAt() time.Time {
	if s.Refresher == Peer {
		return s.ExpiresAt().Add(-Margin(s.Interval))
	}
	return s.ExpiresAt()
}

// LastChance is the latest moment at which a refresh of ours still reaches a
// peer that gives up on time, with a tenth of the margin for the way.
func (s Session) LastChance() time.Time {
	m := Margin(s.Interval)
	return s.ExpiresAt().Add(-m - m/10)
}

// Next tells what is due at now, or what is due next and when. Attempted says
// that the refresh of this session has been tried and is nobody's business any
// more; then only the end is left.
func (s Session) Next(now time.Time, attempted bool) (Action, time.Time) {
	if !s.Active() {
		return Idle, time.Time{}
	}
	if end := s.HangupAt(); !now.Before(end) {
		return Hangup, end
	}
	if s.Refresher == Local && !attempted {
		return Refresh, s.RefreshAt()
	}
	return Hangup, s.HangupAt()
}
