package sessiontimer

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawPolicy gives a valid policy with timers, never an unsafe one.
func drawPolicy(t *rapid.T, label string) Policy {
	p := Policy{
		Mode:      rapid.SampledFrom([]Mode{Accept, Offer, Require, Always}).Draw(t, label+" mode"),
		Refresher: rapid.SampledFrom([]Refresher{Auto, Local, Peer}).Draw(t, label+" refresher"),
	}
	p.MinSE = drawSeconds(t, 90, 4000, label+" Min-SE")
	p.SessionExpires = p.MinSE + drawSeconds(t, 0, 4000, label+" interval above it")
	p.MaxInterval = p.SessionExpires + drawSeconds(t, 0, 90000, label+" MaxInterval above it")
	p.MaxMinSE = p.MinSE + drawSeconds(t, 0, 9000, label+" MaxMinSE above Min-SE")
	if err := p.Validate(); err != nil {
		t.Fatalf("the test drew a policy that is not valid: %v", err)
	}
	return p
}

func drawSeconds(t *rapid.T, low, high int64, label string) time.Duration {
	return seconds(rapid.Int64Range(low, high).Draw(t, label))
}

// drawDelta gives delta-seconds of any size, often small ones.
func drawDelta(t *rapid.T, label string) string {
	n := rapid.OneOf(rapid.Uint64Range(0, 200), rapid.Uint64Range(0, 8000), rapid.Uint64Range(0, maxDelta+2), rapid.Uint64())
	return strconv.FormatUint(n.Draw(t, label), 10)
}

// drawMessage returns any message that a peer can send, honest or not.
func drawMessage(t *rapid.T, label string) Fields {
	var f Fields
	if rapid.Bool().Draw(t, label+" supports timer") {
		f.Add("Supported", OptionTag)
	}
	if rapid.Bool().Draw(t, label+" has Session-Expires") {
		role := rapid.SampledFrom([]string{"", ";refresher=uac", ";refresher=uas", ";refresher=proxy"}).Draw(t, label+" refresher")
		f.Add(HeaderSessionExpires, drawDelta(t, label+" Session-Expires")+role)
	}
	if rapid.Bool().Draw(t, label+" has Min-SE") {
		f.Add(HeaderMinSE, drawDelta(t, label+" Min-SE"))
	}
	return f
}

// drawSession gives what a dialog may have in force, even what it should not.
func drawSession(t *rapid.T) Session {
	if rapid.Bool().Draw(t, "no session yet") {
		return Session{}
	}
	return Session{
		Interval:  drawSeconds(t, 1, maxDelta, "running interval"),
		Refresher: rapid.SampledFrom([]Refresher{Local, Peer}).Draw(t, "running refresher"),
		Since:     start.Add(-time.Minute),
	}
}

// H-01, H-02, H-03: whatever a peer says, nothing below 90 s leaves us, no
// session is shorter, and no refresh comes within 10 s of the 2xx.
func TestNothingBelowFloor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t, "policy")
		if rapid.IntRange(0, 9).Draw(t, "off if 0") == 0 {
			p.Mode = Off
		}
		current := drawSession(t)
		checkFloor := func(what string, d time.Duration) {
			if d < 90*time.Second {
				t.Fatalf("%s is %v, should not be below 90 s", what, d)
			}
		}
		checkProposal := func(o Proposal) {
			if o.Send {
				checkFloor("Session-Expires of a request", o.SessionExpires.Interval)
				if o.SessionExpires.Interval < o.MinSE {
					t.Fatalf("B-06: a request carries %s, Session-Expires should not be below Min-SE", o.wire())
				}
			}
			if o.MinSE != 0 {
				checkFloor("Min-SE of a request", o.MinSE)
			}
		}
		checkSession := func(s Session) {
			if s.Active() {
				checkFloor("interval of a session", s.Interval)
				if early := s.RefreshAt().Sub(start); s.Refresher == Local && early < 10*time.Second {
					t.Fatalf("H-03: refresh %v after the 2xx, should not be before 10 s", early)
				}
			}
		}

		o := p.Propose(current, drawSeconds(t, 0, 5000, "learned"), rapid.Bool().Draw(t, "peer has timers"))
		checkProposal(o)
		if next, again := p.Retry(o, drawMessage(t, "422")); again {
			checkProposal(next)
			o = next
		}
		checkSession(p.Settle(o, drawMessage(t, "2xx"), current, start))

		req := drawMessage(t, "request")
		if minSE, refuse := p.TooSmall(req); refuse {
			checkFloor("Min-SE of a 422", minSE)
			return
		}
		a := p.Respond(req, current, start)
		if a.Send {
			checkFloor("Session-Expires of a 2xx", a.SessionExpires.Interval)
		}
		checkSession(a.Session)
	})
}

// E-07, E-08, E-09, E-11: what a 2xx may say to a request with Session-Expires.
func TestAnswerWithinRequest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t, "UAS")
		req := drawMessage(t, "request")
		if _, refuse := p.TooSmall(req); refuse {
			if !req.Supported {
				t.Fatalf("E-15: 422 to %+v, which does not list timer", req)
			}
			return
		}
		a := p.Respond(req, drawSession(t), start)
		got, asked := a.SessionExpires.Interval, req.SessionExpires.Interval
		switch {
		case a.Require && !req.Supported:
			t.Fatalf("E-11: Require: timer to a request that does not list it")
		case a.Send && a.SessionExpires.Refresher == NoRole:
			t.Fatalf("Table 2: the 2xx carries %s, should name the refresher", a.wire())
		case a.Send && req.HasSessionExpires && got > asked:
			t.Fatalf("E-09: asked for %v, the 2xx says %v, should not be more", asked, got)
		case a.Send && got < req.MinSE && asked >= req.MinSE:
			t.Fatalf("E-08: Min-SE is %v, the 2xx says %v, should not be less", req.MinSE, got)
		case a.Send && got < req.MinSE && !req.HasSessionExpires:
			t.Fatalf("E-12: Min-SE is %v, the 2xx says %v, should not be less", req.MinSE, got)
		case !a.Send && req.HasSessionExpires && asked >= 90*time.Second:
			t.Fatalf("E-19: asked for %v, the 2xx says nothing, should answer", asked)
		}
	})
}

// party is one end of a dialog between two that both run this library.
type party struct {
	policy    Policy
	session   Session
	learned   time.Duration
	peerTimer bool
}

// send takes a request of from through every 422 to its 2xx; false if from gave
// up. Times are equal at both ends.
func send(t *rapid.T, from, to *party, now time.Time) bool {
	o := from.policy.Propose(from.session, from.learned, from.peerTimer)
	req := o.read()
	for requests := 1; ; requests++ {
		if requests > 6 {
			t.Fatalf("C-19: request number %d, should have ended before", requests)
		}
		minSE, refuse := to.policy.TooSmall(req)
		if !refuse {
			break
		}
		next, again := from.policy.Retry(o, message(header{HeaderMinSE, FormatSeconds(minSE)}))
		if !again {
			if minSE <= from.policy.MaxMinSE {
				t.Fatalf("C-18: gave up at Min-SE %v although up to %v is allowed", minSE, from.policy.MaxMinSE)
			}
			return false
		}
		if next.wire() == o.wire() {
			t.Fatalf("C-19: %s was refused and is sent again", o.wire())
		}
		if from.session.Active() {
			from.learned = max(from.learned, minSE) // D-08, D-09
		}
		o, req = next, next.read()
	}
	to.learned = max(to.learned, req.MinSE) // D-10
	a := to.policy.Respond(req, to.session, now)
	to.session = a.Session
	from.session = from.policy.Settle(o, a.read(), from.session, now)
	from.peerTimer, to.peerTimer = true, true
	return true
}

// Both ends agree after every request of either: on the interval, on the refresher, and on
// whether there is a timer. The role does not wander.
func TestBothEndsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		caller := &party{policy: drawPolicy(t, "caller")}
		callee := &party{policy: drawPolicy(t, "callee")}
		wanted := caller.policy.Mode >= Offer || callee.policy.Mode >= Offer
		now := start
		if !send(t, caller, callee, now) {
			return // no call
		}
		who := caller.session.Refresher
		for i, n := 0, rapid.IntRange(0, 12).Draw(t, "later requests"); ; i++ {
			a, b := caller.session, callee.session
			if a.Active() != wanted || b.Active() != wanted {
				t.Fatalf("after request %d the caller has a timer: %v, the callee: %v; both should be %v", i, a.Active(), b.Active(), wanted)
			}
			if !wanted {
				if a != (Session{}) || b != (Session{}) {
					t.Fatalf("no timer, but %+v and %+v", a, b)
				}
			} else {
				checkEnds(t, a, b)
			}
			if a.Refresher != who {
				t.Fatalf("D-03: after request %d the caller's refresher is %v, should have stayed %v", i, a.Refresher, who)
			}
			if i == n {
				return
			}
			now = now.Add(drawSeconds(t, 1, 45, "pause"))
			if rapid.Bool().Draw(t, "caller sends") {
				send(t, caller, callee, now)
			} else {
				send(t, callee, caller, now)
			}
		}
	})
}

func checkEnds(t *rapid.T, a, b Session) {
	if a.Interval != b.Interval || !a.Since.Equal(b.Since) {
		t.Fatalf("the ends run %v from %v and %v from %v, should be the same", a.Interval, a.Since, b.Interval, b.Since)
	}
	if (a.Refresher == Local) == (b.Refresher == Local) {
		t.Fatalf("the caller says %v refreshes, the callee says %v; should be exactly one Local", a.Refresher, b.Refresher)
	}
	ours, theirs := a, b
	if b.Refresher == Local {
		ours, theirs = b, a
	}
	if !ours.RefreshAt().Before(ours.LastChance()) || !ours.LastChance().Before(theirs.HangupAt()) {
		t.Fatalf("SE %v: refresh at %v, last chance at %v, the other end hangs up at %v; should be in this order",
			ours.Interval, ours.RefreshAt(), ours.LastChance(), theirs.HangupAt())
	}
	if theirs.HangupAt().After(ours.HangupAt()) {
		t.Fatalf("SE %v: who waits hangs up at %v, after the refresher at %v", ours.Interval, theirs.HangupAt(), ours.HangupAt())
	}
}

// H-05: a server that answers 422 for ever gets at most six requests, each with
// a larger Min-SE than the one before.
func TestHostile422Ends(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t, "UAC")
		o := p.Propose(drawSession(t), drawSeconds(t, 0, 5000, "learned"), true)
		for requests := 1; ; requests++ {
			if requests > 6 {
				t.Fatalf("C-19: request number %d, should have given up", requests)
			}
			res := message(header{HeaderMinSE, drawDelta(t, "Min-SE")})
			next, again := p.Retry(o, res)
			if !again {
				return
			}
			if next.MinSE < o.MinSE || next.wire() == o.wire() {
				t.Fatalf("C-19: after %s comes %s, should ask for more", o.wire(), next.wire())
			}
			if next.MinSE > p.MaxMinSE && next.MinSE > o.MinSE {
				t.Fatalf("H-04: follows Min-SE %v, should give up above %v", next.MinSE, p.MaxMinSE)
			}
			o = next
		}
	})
}

// F-01, F-02, D-01: the waiting party is never early, and the refresher always in time.
func TestDeadlines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t, "policy")
		s := p.Settle(p.Propose(drawSession(t), 0, true), drawMessage(t, "2xx"), drawSession(t), start)
		if rapid.Bool().Draw(t, "as UAS") {
			s = p.Respond(drawMessage(t, "request"), drawSession(t), start).Session
		}
		if !s.Active() {
			return
		}
		waiting := s
		waiting.Refresher = Peer
		margin := min(32*time.Second, s.Interval/3)
		formula := start.Add(s.Interval - margin)
		if got := waiting.HangupAt(); got.Before(formula) || got.After(formula.Add(time.Second)) {
			t.Fatalf("SE %v: who waits hangs up after %v, should be %v", s.Interval, since(got), since(formula))
		}
		if !s.RefreshAt().Before(formula) {
			t.Fatalf("SE %v: refresh after %v, should be before %v", s.Interval, since(s.RefreshAt()), since(formula))
		}
		if s.Refresher == Local && since(s.RefreshAt()) > max(p.MaxInterval, 90*time.Second)/2 {
			t.Fatalf("H-04: refresh after %v, should be within half of MaxInterval %v", since(s.RefreshAt()), p.MaxInterval)
		}
		// From any moment on, Next leads to the end and not beyond it.
		now := start.Add(time.Duration(rapid.Int64Range(0, int64(s.Interval)+int64(time.Hour)).Draw(t, "now")))
		action, at := s.Next(now, false)
		switch {
		case !now.Before(s.HangupAt()) && action != Hangup:
			t.Fatalf("%v after the 2xx: action %d, should hang up: the end was at %v", since(now), action, since(s.HangupAt()))
		case action == Refresh && s.Refresher != Local:
			t.Fatalf("C-03: asks for a refresh that is the peer's to send")
		case action == Refresh && !at.Equal(s.RefreshAt()):
			t.Fatalf("refresh at %v, should be %v", since(at), since(s.RefreshAt()))
		}
		if action, at = s.Next(now, true); action != Hangup || !at.Equal(s.HangupAt()) {
			t.Fatalf("with the refresh tried: action %d at %v, should hang up at %v", action, since(at), since(s.HangupAt()))
		}
	})
}
