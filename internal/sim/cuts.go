package sim

import (
	"slices"
	"strings"
	"time"
)

// cuts checks S3 and S5: who ended the call, and whether there was a reason. A BYE that the
// peer refuses or ignores does not count.
func (v *view) cuts() {
	hung := false
	for _, e := range v.exchanges {
		if e.own || e.method != "BYE" || hung || e.written > 0 && e.status >= 300 && (v.Ended == 0 || e.written < v.Ended) {
			continue
		}
		if v.livesAt(e.sent) && v.lets(e.node, e.sent) {
			if !v.excused(e) {
				v.fail("S3", e.sent, "%s hangs up (%s), and the peer has %v", e.node.name, e.reason, v.sessionAt(e.sent))
			}
			if strings.Contains(e.reason, "expired") {
				v.neglected(v.known(e.node, e.sent), e.sent, true)
			}
		}
		hung = true
	}
	switch {
	case hung:
	case v.Why == Unknown && !v.lost(v.Ended) && !v.silently(v.Ended):
		v.fail("S3", v.Ended, "the peer's refresh is answered 481, and it has %v", v.session)
	case v.plan.Takeover.ends(v.ID) && len(v.grants) > 1: // it was ended, but see silently
	case v.Why == Expired && !v.session.ours:
		v.neglected(v.sessionAt(v.Ended), v.Ended, false)
	case v.Ended == 0 && v.session.interval > 0 && !v.session.ours && v.session.since+v.session.interval < v.now():
		v.neglected(v.session, v.now(), false)
	}
}

// silently reports whether a node may have ended the call for a reason before a moment
// without a BYE, because the registry did not confirm in that step that the call was its own.
func (v *view) silently(at time.Duration) bool {
	s := v.sessionAt(at)
	for _, e := range v.exchanges {
		if e.own && e.final > 0 && e.final == s.since {
			s.since = e.written // from when the node counts
		}
		if !e.own && e.sent+timeout > s.since && e.proof(at) {
			return true
		}
	}
	ends := v.plan.Takeover.ends(v.ID) && len(v.grants) > 1
	return ends || v.AppEnds > 0 || s.interval > 0 && at >= s.since+s.interval-margin(s.interval)
}

// blind reports whether the sender had lost the call and could not know, or the registry had
// lost the owner, and the peer is not one that would refuse the request.
func (v *view) blind(e *exchange) bool {
	if v.registry == nil || !v.peer.kind.LaxCSeq {
		return false
	}
	owner, since, _ := v.holder(e.sent)
	return owner.n != e.node && (!v.registry.healthy(e.node, e.sent-lease, e.sent) || v.registry.undid(since, e.sent))
}

// excused reports whether there is a reason for a node to hang up.
func (v *view) excused(bye *exchange) bool {
	if v.AppEnds > 0 && v.AppEnds <= bye.sent || v.endedByTakeover(bye) {
		return true
	}
	if s := v.known(bye.node, bye.sent); s.interval > 0 && bye.sent >= s.since+s.interval-margin(s.interval) {
		return true // S5 checks the reason
	}
	return slices.ContainsFunc(v.exchanges, func(e *exchange) bool {
		return e.node == bye.node && e.sent < bye.sent && (e.proof(bye.sent) && !v.refuted(e, bye) || e.unacknowledged(bye.sent))
	})
}

// refuted reports whether the node that hangs up has had a sign of the peer after e: a later
// refresh of either side was accepted.
func (v *view) refuted(e, bye *exchange) bool {
	return slices.ContainsFunc(v.exchanges, func(o *exchange) bool {
		heard := o.final
		if o.own {
			heard = o.written
		}
		return o.node == bye.node && o.refresh() && o.sent > e.sent && o.status/100 == 2 && heard > 0 && heard < bye.sent
	})
}

// known returns the session in force just before a time as a node sees it: the node counts
// from when it first sent its 2xx, and of the time before it took the call over it knows only
// what the registry had.
func (v *view) known(n *node, at time.Duration) (s session) {
	taken := time.Duration(0)
	for _, g := range v.grants {
		if g.at < at && g.from.Name != "" && v.registry.lifeOf(g.to).n == n {
			taken = g.at
		}
	}
	for i := range v.Ledger {
		e := &v.Ledger[i]
		if e.At < at && e.Accepted() && e.Refresh() && (e.At < taken && v.registry.wrote(v.ID, e.At, taken) || e.At >= taken && v.exchangeOf(e).node == n) {
			s = e.Session
		}
	}
	for _, e := range v.exchanges {
		if e.own && e.final > 0 && e.final == s.since {
			s.since = e.written
		}
	}
	return s
}

// proof reports whether, at a moment, a node's refresh had shown that the peer or its call is
// gone (RFC 4028 §10, RFC 5057).
func (e *exchange) proof(at time.Duration) bool {
	const enough = timeout - time.Second
	switch {
	case e.own || !e.refresh():
		return false
	case e.final == 0 || e.final-e.sent >= enough:
		return at-e.sent >= enough
	}
	return e.final <= at && (slices.Contains([]int{404, 408, 410, 480, 481, 482, 483}, e.status) || e.status == 405 && e.method == "INVITE")
}

// unacknowledged reports whether a 2xx of a node to an INVITE had no ACK in time
// (RFC 3261 §13.3.1.4).
func (e *exchange) unacknowledged(at time.Duration) bool {
	return e.own && e.method == "INVITE" && e.written > 0 && e.status/100 == 2 && at-e.written >= timeout-time.Second &&
		(e.acked == 0 || e.acked > e.written+timeout)
}

// enough is how long a node must be able to reach a peer to be sure to refresh a call.
const enough = 15 * time.Second

// neglected checks S5: the session s expired before the given moment although a node that may
// serve the call could have reached the peer between half of the interval and the last
// chance. A node with proof that the peer is gone may hang up instead, unless it died before,
// or could not ask whether the call was its own. Where a node hung up, s is the session that
// it knew: the peer may have agreed on a later one with the former owner.
func (v *view) neglected(s session, at time.Duration, hung bool) {
	if s.interval == 0 || s.ours || slices.ContainsFunc(v.exchanges, func(e *exchange) bool {
		return (e.sent > s.since || e.began(s.since)) && e.proof(at) && (hung || !v.wellOff(e.node, e.sent, at))
	}) {
		return
	}
	half, last := s.since+s.interval/2, s.since+s.interval-margin(s.interval)*11/10
	for from := half; from+enough <= last; from += time.Second {
		if n := v.server(from, from+enough); n != nil && v.wire.reached(n, v.peer, from, from+enough) && v.lets(n, from) && !v.unlucky(n, from, from+enough) {
			v.fail("S5", at, "%v has run out, but %s could have reached the peer from %.3f s on", s, n.name, from.Seconds())
			return
		}
	}
}

// unlucky reports whether packet loss alone kept n from refreshing the call within a time:
// refreshes were in progress and retransmitted as RFC 3261 §17.1 requires, and all of their
// copies or all answers to them were lost.
func (v *view) unlucky(n *node, from, to time.Duration) bool {
	const sends = 5 // the least within enough: 0, 0.5, 1.5, 3.5 and 7.5 s after the first
	copies := 0
	for _, e := range v.exchanges {
		during := e.sent < to && e.sent+timeout > from && (e.final == 0 || e.final > to)
		lost := e.arrived == 0 || e.written > 0
		if during && lost && e.node == n && !e.own && e.refresh() {
			copies += e.copies
		}
	}
	return copies >= sends
}

// wellOff reports whether n ran and could reach the registry for all of the time from one
// moment to another.
func (v *view) wellOff(n *node, from, to time.Duration) bool {
	return !n.died(from, to) && (v.registry == nil || v.registry.healthy(n, from, to))
}

// began reports whether e is our refresh with which the peer's session began at since.
func (e *exchange) began(since time.Duration) bool {
	return !e.own && e.refresh() && e.sent <= since && since < e.sent+timeout && e.written > 0
}

// lets reports whether the peer accepts packets of n at a moment.
func (v *view) lets(n *node, at time.Duration) bool {
	if !v.peer.kind.Filters {
		return true
	}
	told := v.exchanges[0].node.addr
	for i := range v.Ledger {
		if e := &v.Ledger[i]; e.At < at && e.Accepted() && e.Contact != "" {
			told = addrOf(uriOf(e.Contact))
		}
	}
	return told == n.addr
}

// server returns a node that may serve the call for all of the time from one moment to
// another: it owns the call, or could have taken it over; nil if there is none.
func (v *view) server(from, to time.Duration) *node {
	owner, since, knew := v.holder(from)
	since = max(since, v.Began)
	early := from - v.takenWithin() - lease
	switch {
	case !owner.n.died(since, to):
		if next, _, _ := v.holder(to); knew && next == owner && owner.n.ran(from, to) {
			return owner.n
		}
		return nil
	case v.registry == nil || v.lost(from) || !owner.n.died(since, early):
		return nil
	}
	// Whoever ran and reached the registry for long enough could have claimed it.
	for _, n := range v.nodes {
		if v.registry.healthy(n, early, to) {
			return n
		}
	}
	return nil
}
