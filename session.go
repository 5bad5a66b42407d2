package sessiontimer

import "time"

// Session is what the last 2xx of a dialog settled (RFC 4028 §7.2, §9). It is a plain
// value. The zero Session is a dialog without a timer.
type Session struct {
	Interval  time.Duration // Session-Expires in force; 0 for no timer
	Refresher Refresher     // Local, Peer, or Nobody without a timer
	// Since is when the 2xx arrived or was first sent. If the ACK of a peer that
	// refreshes came more than a second later, it is the time of the ACK.
	Since time.Time
	// RefreshAfter is how long after Since we refresh; 0 is half the interval. It is
	// shorter if the peer raised the interval above what we asked for or above
	// Policy.MaxInterval, or uses one below the floor.
	RefreshAfter time.Duration
}

// Action is what to do at a deadline of a session.
type Action uint8

// The actions. The refresher refreshes and, if that fails, hangs up.
const (
	Idle Action = iota
	Refresh
	Hangup
)

// Active reports whether the session has a timer.
func (s Session) Active() bool { return s.Interval > 0 && s.Refresher != Nobody }

// Equal reports whether two sessions are the same. Times may differ in zone and
// monotonic reading, as after a store.
func (s Session) Equal(o Session) bool {
	return s.Interval == o.Interval && s.Refresher == o.Refresher && s.RefreshAfter == o.RefreshAfter && s.Since.Equal(o.Since)
}

// RefreshAt returns when the refresher sends its request: at half the interval
// (RFC 4028 §7.2, §9, §10).
func (s Session) RefreshAt() time.Time {
	if s.RefreshAfter > 0 {
		return s.Since.Add(s.RefreshAfter)
	}
	return s.Since.Add(s.Interval / 2)
}

// refreshedWithin returns s, refreshed as if its interval were at most longest if we
// refresh it.
func (s Session) refreshedWithin(longest time.Duration) Session {
	if s.Refresher == Local && s.Interval > longest {
		s.RefreshAfter = longest / 2
	}
	return s
}

// asSoonAs returns s, refreshed no later after its 2xx than the session before if that
// had the same interval, but not sooner than pace: a peer that used a shorter one goes
// on with it.
func (s Session) asSoonAs(before Session, pace time.Duration) Session {
	soon := max(before.RefreshAfter, pace)
	if before.RefreshAfter > 0 && s.Refresher == Local && before.Refresher == Local && s.Interval == before.Interval &&
		soon < s.RefreshAt().Sub(s.Since) {
		s.RefreshAfter = soon
	}
	return s
}

// Delayed returns s for a 2xx that arrived so long after its request. The peer counts
// from when it first sent the 2xx, and earlier copies may have been lost. To be in
// time for it, we refresh that much earlier.
func (s Session) Delayed(by time.Duration) Session {
	if early := s.RefreshAt().Sub(s.Since) - by; s.Refresher == Local && by > 0 && early > 0 {
		s.RefreshAfter = early
	}
	return s
}

// ExpiresAt returns when the session expires without a refresh.
func (s Session) ExpiresAt() time.Time { return s.Since.Add(s.Interval) }

// Margin returns how long before expiry the waiting party gives up: 32 s, or a third
// of the interval if that is less (RFC 4028 §10).
func Margin(interval time.Duration) time.Duration {
	return min(32*time.Second, interval/3)
}

// HangupAt returns when this user agent ends a session that was not refreshed. The
// waiting party does so a margin before expiry (RFC 4028 §10). The refresher tries
// until the end and hangs up at expiry, when the peer must have given up.
func (s Session) HangupAt() time.Time {
	if s.Refresher == Peer {
		return s.ExpiresAt().Add(-Margin(s.Interval))
	}
	return s.ExpiresAt()
}

// LastChance returns the latest time for a refresh of ours to reach a peer that gives
// up on time, with a tenth of the margin for the way there.
func (s Session) LastChance() time.Time {
	m := Margin(s.Interval)
	return s.ExpiresAt().Add(-m - m/10)
}

// Next returns what is due at now, or what is due next and when. If the refresh of
// this session has been attempted, only the hang-up is left.
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
