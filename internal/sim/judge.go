package sim

import (
	"fmt"
	"slices"
	"time"
)

// judge checks whether the rules have held for each call.
func (w *world) judge() {
	for _, p := range w.peers {
		p.mu.Lock()
		exchanges := w.exchanges(p, "")
		for _, c := range p.calls {
			v := &view{world: w, Call: c, exchanges: exchanges[c.ID]}
			if w.registry != nil {
				v.grants = w.registry.grantsOf(c)
			}
			if c.Began > 0 && v.established() {
				v.former()
				v.taken()
				v.numbers()
				v.pace()
				v.cuts()
				v.spared()
				v.acknowledged()
				v.answered()
				v.reachable()
			}
		}
		p.mu.Unlock()
	}
}

// view is a call and all that was recorded of it.
type view struct {
	*world
	*Call
	exchanges []*exchange
	grants    []grant // who owned it; none without failover
}

func (v *view) fail(rule string, at time.Duration, format string, args ...any) {
	v.violated(rule, v.Call, at, format, args...)
}

// established reports whether both ends had the call: the ACK of the first INVITE arrived.
// Other calls are not judged, since they are the application's business.
func (v *view) established() bool {
	first := v.exchanges[0]
	return first.method == "INVITE" && first.acked > 0
}

// numbers checks S1: the CSeqs that a peer accepts rise strictly. For a peer that accepts any
// number, the CSeqs of each node must rise, in the order in which they were sent.
func (v *view) numbers() {
	last := make(map[*node]*Entry)
	for i := range v.Ledger {
		e := &v.Ledger[i]
		if e.Own || !e.Accepted() {
			continue
		}
		from, lax := (*node)(nil), v.peer.kind.LaxCSeq
		if lax {
			from = v.exchangeOf(e).node
		}
		if l := last[from]; l != nil && e.Number <= l.Number && !(lax && v.sent(e) < v.sent(l)) {
			v.fail("S1", e.At, "%s %d of %s is accepted after %d", e.Method, e.Number, e.Node, l.Number)
		}
		last[from] = e
	}
}

// exchangeOf returns the transaction of an entry. Only hand-written ledgers have entries
// without one.
func (v *view) exchangeOf(entry *Entry) *exchange {
	for _, e := range v.exchanges {
		if e.branch == entry.Branch && e.method == entry.Method && e.own == entry.Own {
			return e
		}
	}
	return &exchange{own: entry.Own, method: entry.Method, sent: entry.At}
}

// sent returns when the request was first sent.
func (v *view) sent(entry *Entry) time.Duration { return v.exchangeOf(entry).sent }

// pace checks S4: after an accepted refresh of either side, none of ours is accepted within
// 40 % of the interval without a cause.
func (v *view) pace() {
	var last *Entry
	for i := range v.Ledger {
		e := &v.Ledger[i]
		if !e.Refresh() || !e.Accepted() {
			continue
		}
		if last != nil && !e.Own && last.Session.interval > 0 && e.At-v.counts(last) < last.Session.interval*2/5 && !v.hurried(last, e) {
			v.fail("S4", e.At, "a refresh is accepted again, after that at %.3f s and with an interval of %v", last.At.Seconds(), last.Session.interval)
		}
		last = e
	}
}

// counts returns from when a node counts the session that an entry began: from its own
// refresh, since the 2xx may have been on its way for as long as the answer took.
func (v *view) counts(entry *Entry) time.Duration {
	if entry.Own {
		return entry.At
	}
	return v.sent(entry)
}

// hurried reports whether there is a cause for our b so soon after a: it announces a takeover
// to the peer, was already in progress, or follows a refresh that failed or took long.
func (v *view) hurried(a, b *Entry) bool {
	from, to := v.exchangeOf(a), v.exchangeOf(b)
	if v.announces(b) || to.sent < a.At || from.node != to.node && (v.blind(from) || v.blind(to)) {
		return true
	}
	return slices.ContainsFunc(v.exchanges, func(e *exchange) bool {
		within := e.refresh() && e.sent < b.At && (e.final == 0 || e.final >= from.sent) && e != to
		slow := e.final == 0 || e.final-e.sent > time.Second
		return within && (slow || e.status >= 300 || e.own && e != from)
	})
}

// announces reports whether b is the first accepted request of its node since the node took
// the call over, or the re-INVITE with a new description after the session was refreshed
// meanwhile.
func (v *view) announces(b *Entry) bool {
	n, most := v.exchangeOf(b).node, 0
	if v.plan.Takeover.describes(v.ID) && b.Method == "INVITE" {
		most = 1
	}
	for _, g := range v.grants {
		if g.from.Name == "" || g.at > b.At || v.registry.lifeOf(g.to).n != n {
			continue
		}
		before := 0
		for i := range v.Ledger {
			if e := &v.Ledger[i]; !e.Own && e.Accepted() && e.At >= g.at && e.At < b.At && v.exchangeOf(e).node == n {
				before++
			}
		}
		if before <= most {
			return true
		}
	}
	return false
}

// acknowledged checks S7: a node acknowledges each 2xx to an INVITE that it received during
// the transaction.
func (v *view) acknowledged() {
	for _, e := range v.exchanges {
		if !e.own && e.method == "INVITE" && e.status/100 == 2 && e.final > 0 && e.final-e.sent < timeout && e.ack == 0 && !e.node.died(e.sent, e.final+2*time.Second) {
			v.fail("S7", e.final, "the 2xx to INVITE %d reaches %s and is not acknowledged", e.number, e.node.name)
		}
	}
}

// answered checks S7, too: a node that announced itself answers the requests that reach it.
func (v *view) answered() {
	for _, e := range v.exchanges {
		if e.own && e.arrived > 0 && e.written == 0 && !e.node.died(e.left, e.arrived+timeout) && e.arrived+timeout < v.now() {
			v.fail("S7", e.arrived, "%s %d of the peer reaches %s and is not answered", e.method, e.number, e.node.name)
		}
	}
}

// reachable checks S7, too: a node announces its own address, and no other.
func (v *view) reachable() {
	for i := range v.Ledger {
		e := &v.Ledger[i]
		if n := v.exchangeOf(e).node; e.Accepted() && e.Contact != "" && addrOf(uriOf(e.Contact)) != n.addr {
			v.fail("S7", e.At, "%s %d of %s announces %s", e.Method, e.Number, n.name, e.Contact)
		}
	}
}

// String describes a session in messages.
func (s session) String() string {
	return fmt.Sprintf("a session of %v since %.3f s", s.interval, s.since.Seconds())
}
