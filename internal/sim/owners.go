package sim

import (
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// lease is the lease of every node.
const lease = failover.DefaultLease

// takenWithin is how long it may take until each survivor has had its turn to take calls over,
// with a little extra for the answers.
func (w *world) takenWithin() time.Duration {
	return lease + 2*w.plan.Beat + time.Duration(len(w.nodes))*time.Second + 2*time.Second
}

// grantsOf returns the grants of a call, in order.
func (r *registry) grantsOf(c *Call) []grant {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.grants[c.ID]
}

// lifeOf returns the node and life that a run belongs to.
func (r *registry) lifeOf(run failover.Node) life {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runs[run]
}

// id returns the ID by which the nodes know the call.
func (c *Call) id() dialogstore.ID {
	return dialogstore.ID{CallID: c.ID, LocalTag: c.remoteTag, RemoteTag: c.localTag}
}

// robbed checks S6, too: no call is claimed from a node whose beats have all arrived, for
// longer than a claim can be on its way.
func (r *registry) robbed(me, from failover.Node, k failover.Key) {
	now := r.w.now()
	r.mu.Lock()
	former, p := r.runs[from], r.pulses[from]
	r.mu.Unlock()
	if former.n == nil || me.Name == from.Name || !former.runs() {
		return
	}
	if now-p.last < lease && now-p.began > longestOnWay && (p.gap == 0 || now-p.gap > longestOnWay) {
		r.w.violated("S6", r.w.call(k.CallID), now, "%s takes call %s from %s, which lives", me.Name, k.CallID, from.Name)
	}
}

// longestOnWay is longer than any node is cut off from the registry: a claim that was sent
// before may be carried out only after that.
const longestOnWay = 3 * time.Minute

// pulse has the beats of a run that the registry received.
type pulse struct {
	began, last time.Duration // its first beat and its latest
	gap         time.Duration // the end of its latest silence of a lease
}

// met notes a beat of a run.
func (r *registry) met(me failover.Node, n *node, count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, p := r.w.now(), r.pulses[me]
	if p.began == 0 {
		p.began = now
	} else if now-p.last >= lease {
		p.gap = now
	}
	p.last = now
	r.runs[me], r.pulses[me] = life{n, count}, p
}

// runs reports whether a life still lasts, and has not handed its calls over.
func (l life) runs() bool {
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	return l.n.up && !l.n.leaving && l.n.lives == l.count
}

// holder returns the owner of the call at a moment according to the registry, since when it
// owned the call, and whether it knew.
func (v *view) holder(at time.Duration) (l life, since time.Duration, knew bool) {
	l, knew = life{v.exchanges[0].node, 0}, true
	for _, g := range v.grants {
		if g.at > at {
			break
		}
		l, since, knew = v.registry.lifeOf(g.to), g.at, g.served > 0 && g.served <= at
	}
	return l, since, knew
}

// former checks S2: after a peer has accepted the first request of a new owner, it accepts
// none of the former owner, if it conforms to RFC 3261 §12.2.2.
func (v *view) former() {
	if v.peer.kind.LaxCSeq {
		return
	}
	for i, g := range v.grants {
		if i == 0 {
			continue
		}
		taker, accepted := v.registry.lifeOf(g.to).n, false
		for j := range v.Ledger {
			e := &v.Ledger[j]
			switch n := v.exchangeOf(e).node; {
			case e.Own || !e.Accepted() || e.At < g.at:
			case n == taker:
				accepted = true
			case accepted && !v.grantedTo(n, g.at, e.At):
				v.fail("S2", e.At, "%s %d of %s is accepted after the first request of %s, which owns the call since %.3f s",
					e.Method, e.Number, n.name, taker.name, g.at.Seconds())
				return
			}
		}
	}
}

// grantedTo reports whether the call was given to n between two moments.
func (v *view) grantedTo(n *node, from, to time.Duration) bool {
	for _, g := range v.grants {
		if g.at > from && g.at <= to && v.registry.lifeOf(g.to).n == n {
			return true
		}
	}
	return false
}

// runsOf returns the runs of a node that the registry knows.
func (r *registry) runsOf(n *node) (all []failover.Node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for run, l := range r.runs {
		if l.n == n {
			all = append(all, run)
		}
	}
	return all
}
