package sim

import (
	"slices"
	"strings"
	"time"
)

// cuts are S3 and S5: who hung up, and whether there was a reason.
func (v *view) cuts() {
	hung := false
	for _, e := range v.exchanges {
		if e.own || e.method != "BYE" {
			continue
		}
		if !hung && v.livesAt(e.sent) && !v.excused(e) {
			v.fail("S3", e.sent, "%s hangs up (%s), and the peer has %v", e.node.name, e.reason, v.sessionAt(e.sent))
		}
		if !hung && v.livesAt(e.sent) && strings.Contains(e.reason, "expired") {
			v.neglected(e.sent)
		}
		hung = true
	}
	switch {
	case hung:
	case v.Why == Expired && !v.session.ours:
		v.neglected(v.Ended)
	case v.Ended == 0 && v.session.interval > 0 && !v.session.ours && v.session.since+v.session.interval < v.now():
		v.neglected(v.now())
	}
}

// excused reports whether there is a reason for a node to hang up.
func (v *view) excused(bye *exchange) bool {
	if v.AppEnds > 0 && v.AppEnds <= bye.sent {
		return true
	}
	if s := v.known(bye.sent); s.interval > 0 && bye.sent >= s.since+s.interval-margin(s.interval) {
		return true // S5 looks why
	}
	return slices.ContainsFunc(v.exchanges, func(e *exchange) bool {
		return e.sent < bye.sent && (e.proof(bye.sent) || e.unacknowledged(bye.sent))
	})
}

// known is what was in force just before the time as a node sees it: it counts from
// when it first sent its 2xx.
func (v *view) known(at time.Duration) session {
	s := v.sessionAt(at)
	for _, e := range v.exchanges {
		if e.own && e.final > 0 && e.final == s.since {
			s.since = e.written
		}
	}
	return s
}

// proof reports whether, at a moment, a refresh of a node's says that the peer or its
// call is gone (RFC 4028 §10, RFC 5057).
func (e *exchange) proof(at time.Duration) bool {
	if e.own || !e.refresh() || e.final > 0 && e.final > at {
		return !e.own && e.refresh() && at-e.sent >= timeout-time.Second
	}
	return e.final == 0 && at-e.sent >= timeout-time.Second ||
		e.final > 0 && (slices.Contains([]int{404, 408, 410, 480, 481, 482, 483}, e.status) || e.status == 405 && e.method == "INVITE")
}

// unacknowledged reports whether a 2xx of a node to an INVITE had no ACK in time
// (RFC 3261 §13.3.1.4).
func (e *exchange) unacknowledged(at time.Duration) bool {
	return e.own && e.method == "INVITE" && e.written > 0 && e.status/100 == 2 && at-e.written >= timeout-time.Second &&
		(e.acked == 0 || e.acked > e.written+timeout)
}

// enough is how long a node must reach a peer to refresh a call for sure.
const enough = 15 * time.Second

// neglected is S5: the session ran out before the given moment though a node that may
// serve it could have reached the peer between the half and the last chance.
func (v *view) neglected(at time.Duration) {
	s := v.sessionAt(at)
	if s.interval == 0 || s.ours {
		return
	}
	half, last := s.since+s.interval/2, s.since+s.interval-margin(s.interval)*11/10
	n := v.owner()
	if n == nil || !n.ran(v.Began, at) {
		return // its calls ended with it
	}
	for from := half; from+enough <= last; from += time.Second {
		if v.wire.reached(n, v.peer, from, from+enough) {
			v.fail("S5", at, "%v has run out, but %s could have reached the peer from %.3f s on", s, n.name, from.Seconds())
			return
		}
	}
}

// owner is the node that has the call.
func (v *view) owner() *node { return v.exchanges[0].node }
