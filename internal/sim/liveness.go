package sim

import (
	"context"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// judgeOwners checks L1 one takeover after the last fault: each live call is owned by a live
// node, according to the registry, and that node has it in its memory.
func (w *world) judgeOwners() {
	if w.registry == nil {
		return
	}
	for _, p := range w.peers {
		p.mu.Lock()
		if c := p.call; c != nil && c.alive() {
			v := &view{world: w, Call: c, exchanges: w.exchanges(p, c.ID)[c.ID], grants: w.registry.grantsOf(c)}
			if v.established() && !v.over() {
				v.owned()
			}
		}
		p.mu.Unlock()
	}
}

// over reports whether the call has ended for a node, or its session has expired.
func (v *view) over() bool {
	if v.registry.ended(v.Call) {
		return true
	}
	for _, e := range v.exchanges {
		if e.method == "BYE" {
			return true
		}
	}
	return v.session.interval > 0 && v.now() > v.session.since+v.session.interval-margin(v.session.interval)
}

func (v *view) owned() {
	owners, err := v.registry.Owner(context.Background(), []dialogstore.ID{v.id()})
	if err != nil {
		v.fail("L1", v.now(), "the registry: %v", err)
		return
	}
	owner := v.registry.lifeOf(owners[0].Owner)
	switch {
	case owner.n == nil && v.lost(v.now()):
	case owner.n == nil:
		v.fail("L1", v.now(), "nobody owns it")
	case !owner.runs():
		v.fail("L1", v.now(), "%s owns it, and has died", owner.n.name)
	case !owner.n.has(v.id()):
		v.fail("L1", v.now(), "%s owns it, and does not have it", owner.n.name)
	}
}

// has reports whether a call is in the memory of n.
func (n *node) has(id dialogstore.ID) bool {
	_, err := n.ua.Timers.Call(context.Background(), id)
	return err == nil
}

// judgeMemories checks L3: the registry and the memories agree.
func (w *world) judgeMemories() {
	if w.registry == nil {
		return
	}
	calls := w.byID()
	for _, n := range w.nodes {
		ids := make(map[dialogstore.ID]bool)
		for d := range n.ua.Timers.Calls(context.Background()) {
			ids[d.ID] = true
			owners, err := w.registry.Owner(context.Background(), []dialogstore.ID{d.ID})
			if !d.Session.Active() && w.registry.behind(d.CallID) {
				continue
			}
			if owner := w.registry.lifeOf(owners[0].Owner); err != nil || owner.n != n || !owner.runs() {
				w.violated("L3", calls[d.CallID], w.now(), "%s has call %s, which the registry says is %+v (%v)", n.name, d.CallID, owners[0], err)
			}
		}
		for _, run := range w.registry.runsOf(n) {
			held, _ := w.registry.Owned(context.Background(), run, 1<<20)
			for _, h := range held {
				if h.Left == failover.NoTimer && w.registry.behind(h.CallID) {
					continue
				}
				if !ids[h.ID] && h.Left > -timeout {
					w.violated("L3", calls[h.CallID], w.now(), "the registry says that %s has call %s in epoch %d", n.name, h.CallID, h.Epoch)
				}
			}
		}
	}
}

// judgeRest checks what must hold long after the last fault.
func (w *world) judgeRest() {
	calls := w.byID()
	for _, n := range w.nodes {
		for d := range n.ua.Timers.Calls(context.Background()) {
			c := calls[d.CallID]
			switch {
			case c == nil:
				w.violated("L2", nil, w.now(), "%s has call %s that no peer knows", n.name, d.CallID)
			case !d.Session.Active(): // only a BYE ends it
			case c.Ended > 0 && c.goneBy() < w.now():
				w.violated("L2", c, w.now(), "%s has it still, though it should be gone by %.3f s", n.name, c.goneBy().Seconds())
			}
		}
	}
}

// goneBy returns when no node may have an ended call any more.
func (c *Call) goneBy() time.Duration {
	s := c.sessionAt(c.Ended + 1)
	return c.Ended + s.interval + timeout + time.Second
}

// judgeEnd checks L4: when all calls are over, nothing of them is left.
func (w *world) judgeEnd(calls map[string]*Call) {
	for _, n := range w.nodes {
		for d := range n.ua.Timers.Calls(context.Background()) {
			if d.Session.Active() {
				w.violated("L4", calls[d.CallID], w.now(), "%s has it still: %+v", n.name, d.Session)
			}
		}
	}
	if w.registry != nil {
		w.judgeKeys(calls)
	}
}

// judgeKeys checks L4 in the registry: it has only nodes, and calls without a timer whose BYE
// was lost.
func (w *world) judgeKeys(calls map[string]*Call) {
	ctx := context.Background()
	pulse, _ := w.registry.Beat(ctx, failover.Node{Name: "judge"})
	left := w.registry.Len() - len(pulse.Nodes)
	for _, node := range pulse.Nodes {
		held, _ := w.registry.Owned(ctx, node.Node, 1<<20)
		for _, h := range held {
			left--
			if h.Left != failover.NoTimer {
				w.violated("L4", calls[h.CallID], w.now(), "the registry has call %s of %s still, which expires in %v", h.CallID, node.Name, h.Left)
			}
		}
	}
	if left > 0 {
		w.violated("L4", nil, w.now(), "the registry has %d keys of calls that are over", left)
	}
}

// call returns a call; nil if there is none. The caller holds no lock of a peer.
func (w *world) call(id string) *Call {
	for _, p := range w.peers {
		p.mu.Lock()
		c := p.known[id]
		p.mu.Unlock()
		if c != nil {
			return c
		}
	}
	return nil
}

// byID returns all calls by their ID.
func (w *world) byID() map[string]*Call {
	calls := make(map[string]*Call)
	for _, p := range w.peers {
		for _, c := range p.calls {
			calls[c.ID] = c
		}
	}
	return calls
}
