package sessiontimer

import "time"

// Answer is what our 2xx contains about session timers, and the session that results from
// it.
type Answer struct {
	Send           bool // with Session-Expires
	SessionExpires SessionExpires
	Require        bool // Require: timer
	Session        Session
}

// table2 is Table 2 of RFC 4028 §9 for requests with Session-Expires: the refresher that
// follows from the request. Rows two and three are not legal; a UAC without timers will
// not refresh, whatever it asks for.
var table2 = map[struct {
	supported bool
	asked     Role
}]struct {
	answer  Role // NoRole: the UAS chooses
	require bool
}{
	{false, NoRole}: {UAS, false},
	{false, UAC}:    {UAS, false},
	{false, UAS}:    {UAS, false},
	{true, NoRole}:  {NoRole, true},
	{true, UAC}:     {UAC, true},
	{true, UAS}:     {UAS, true},
}

// TooSmall reports whether req asks for less than this policy accepts, and returns the
// Min-SE for the 422 (RFC 4028 §9). A sender that does not list timer would not
// understand a 422 and never gets one.
func (p Policy) TooSmall(req Fields) (minSE time.Duration, refuse bool) {
	minSE = max(p.MinSE, req.MinSE, p.Floor())
	return minSE, p.Mode != Off && req.HasSessionExpires && req.Supported && req.SessionExpires.Interval < minSE
}

// Respond returns the Answer for our 2xx (RFC 4028 §9). current is the session of the
// dialog, zero before there is one. Call TooSmall first. With a Strict policy a refresh
// without Session-Expires ends the timer.
func (p Policy) Respond(req Fields, current Session, now time.Time) Answer {
	if p.Mode == Off {
		return Answer{}
	}
	if req.HasSessionExpires {
		return p.respondAsked(req, current, now)
	}
	lowest := max(req.MinSE, p.Floor())
	switch {
	case current.Active() && p.Strict:
		return Answer{}
	case current.Active() && req.Supported:
		// Without the header field the 2xx would switch a running timer off at
		// both ends, and most senders only forgot it. The timer goes on.
		role := UAS
		if current.Refresher == Peer {
			role = UAC
		}
		return p.answer(max(current.Interval, lowest), role, true, current, now)
	case current.Active():
		return p.answer(max(current.Interval, lowest), UAS, false, current, now)
	case req.Supported && p.Mode >= Offer:
		// The peer has timers but did not ask. We start one and refresh it
		// ourselves, so that the call does not depend on the peer.
		role := UAS
		if p.Refresher == Peer {
			role = UAC
		}
		return p.answer(max(p.SessionExpires, lowest), role, true, current, now)
	case p.Mode == Always:
		return p.answer(max(p.SessionExpires, lowest), UAS, false, current, now)
	}
	return Answer{}
}

func (p Policy) respondAsked(req Fields, current Session, now time.Time) Answer {
	asked := req.SessionExpires.Interval
	if asked < p.Floor() {
		// Less than the floor may be neither accepted nor raised.
		return Answer{}
	}
	// Lower is allowed down to the request's Min-SE, higher never is. The interval
	// in force is not lowered: two requests that cross could otherwise leave the
	// sides with different intervals.
	wished := max(p.SessionExpires, req.MinSE, current.Interval)
	row := table2[struct {
		supported bool
		asked     Role
	}{req.Supported, req.SessionExpires.Refresher}]
	role := row.answer
	if role == NoRole {
		role = p.chooseRole(current)
	}
	return p.answer(min(asked, wished), role, row.require, current, now)
}

// chooseRole fills the row of Table 2 that leaves the choice to the UAS. Within a
// dialog the roles stay: a hold must not move them.
func (p Policy) chooseRole(current Session) Role {
	want := current.Refresher
	if !current.Active() {
		want = p.Refresher
	}
	if want == Local {
		return UAS
	}
	return UAC
}

func (p Policy) answer(interval time.Duration, role Role, require bool, current Session, now time.Time) Answer {
	s := Session{Interval: interval, Refresher: Peer, Since: now}
	if role == UAS {
		s.Refresher = Local
	}
	return Answer{
		Send:           true,
		SessionExpires: SessionExpires{Interval: interval, Refresher: role},
		Require:        require,
		Session:        s.refreshedWithin(p.MaxInterval).asSoonAs(current, p.pace()),
	}
}
