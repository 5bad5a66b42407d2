package sim

import (
	"fmt"
	"slices"
	"time"
)

// judge looks whether the rules have held for each call.
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
				v.numbers()
				v.pace()
				v.cuts()
				v.acknowledged()
				v.answered()
			}
		}
		p.mu.Unlock()
	}
}

// view is a call and what passed of it.
type view struct {
	*world
	*Call
	exchanges []*exchange
	grants    []grant // who owned it; none without failover
}

func (v *view) fail(rule string, at time.Duration, format string, args ...any) {
	v.violated(rule, v.Call, at, format, args...)
}

// established reports whether both ends had the call: the ACK of the first INVITE
// came. What becomes of other calls is their application's business.
func (v *view) established() bool {
	first := v.exchanges[0]
	return first.method == "INVITE" && first.acked > 0
}

// numbers is S1: the CSeqs that a peer accepts rise strictly. One that accepts any
// number cannot tell nodes apart, but each by itself has them rise; there what was sent
// first may come last.
func (v *view) numbers() {
	last := make(map[string]*Entry)
	for i := range v.Ledger {
		e := &v.Ledger[i]
		if e.Own || !e.Accepted() {
			continue
		}
		from, lax := "", v.peer.kind.LaxCSeq
		if lax {
			from = e.Node
		}
		if l := last[from]; l != nil && e.Number <= l.Number && !(lax && v.sent(e) < v.sent(l)) {
			v.fail("S1", e.At, "%s %d of %s is accepted after %d", e.Method, e.Number, e.Node, l.Number)
		}
		last[from] = e
	}
}

// sent is when the request was first sent.
func (v *view) sent(entry *Entry) time.Duration {
	for _, e := range v.exchanges {
		if e.branch == entry.Branch && e.method == entry.Method {
			return e.sent
		}
	}
	return entry.At
}

// pace is S4: no two accepted refreshes of ours within 40 % of the interval without a
// cause.
func (v *view) pace() {
	var last *Entry
	for i := range v.Ledger {
		e := &v.Ledger[i]
		if !e.Refresh() || e.Own || !e.Accepted() || e.At <= v.Began {
			continue
		}
		if last != nil && last.Session.interval > 0 && e.At-last.At < last.Session.interval*2/5 && !v.hurried(last, e) {
			v.fail("S4", e.At, "a refresh is accepted again, after that at %.3f s and with an interval of %v", last.At.Seconds(), last.Session.interval)
		}
		last = e
	}
}

// announcing is how long a taker that has many calls may take to announce itself.
const announcing = 10 * time.Second

// hurried reports whether there is a cause for b so soon after a: it took long until a
// refresh was answered, one was refused, the peer sent something, or the owner changed
// or stood still.
func (v *view) hurried(a, b *Entry) bool {
	from := v.sent(a)
	// A takeover announces itself, beside what is due at that time.
	if slices.ContainsFunc(v.grants, func(g grant) bool { return g.served > from-announcing && g.at <= b.At }) {
		return true
	}
	if a.Node != b.Node || v.sent(b) < a.At || !v.wire.nodes[a.Node].ran(from, b.At) {
		return true
	}
	for _, e := range v.exchanges {
		slow := e.final == 0 || e.final-e.sent > time.Second
		within := e.sent < b.At && (e.final == 0 || e.final >= from) && e.branch != b.Branch
		if within && (slow || e.own || e.sent > a.At) {
			return true
		}
	}
	return false
}

// acknowledged is S7: each 2xx to an INVITE that reached its node while there was a
// transaction is acknowledged.
func (v *view) acknowledged() {
	for _, e := range v.exchanges {
		if !e.own && e.method == "INVITE" && e.status/100 == 2 && e.final > 0 && e.final-e.sent < timeout && e.ack == 0 && e.node.ran(e.final-timeout, e.final+2*time.Second) {
			v.fail("S7", e.final, "the 2xx to INVITE %d reaches %s and is not acknowledged", e.number, e.node.name)
		}
	}
}

// answered is S7, too: what reaches a node that announced itself is answered.
func (v *view) answered() {
	for _, e := range v.exchanges {
		if e.own && e.arrived > 0 && e.written == 0 && e.node != nil && e.node.ran(e.arrived-time.Second, e.arrived+timeout) && e.arrived+timeout < v.now() {
			v.fail("S7", e.arrived, "%s %d of the peer reaches %s and is not answered", e.method, e.number, e.node.name)
		}
	}
}

// String is for messages about a session.
func (s session) String() string {
	return fmt.Sprintf("a session of %v since %.3f s", s.interval, s.since.Seconds())
}
