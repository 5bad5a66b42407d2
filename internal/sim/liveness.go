package sim

import (
	"context"
	"time"
)

// judgeRest is what must be so long after the last fault.
func (w *world) judgeRest() {
	calls := w.byID()
	for _, n := range w.nodes {
		for d := range n.ua.Timers.Calls(context.Background()) {
			c := calls[d.CallID]
			switch {
			case c == nil:
				w.violated("L2", nil, w.now(), "%s has call %s that no peer knows", n.name, d.CallID)
			case !d.Session.Active(): // nothing ends it but a BYE
			case c.Ended > 0 && c.goneBy() < w.now():
				w.violated("L2", c, w.now(), "%s has it still, though it should be gone by %.3f s", n.name, c.goneBy().Seconds())
			}
		}
	}
}

// goneBy is when nobody may know of an ended call any more.
func (c *Call) goneBy() time.Duration {
	s := c.sessionAt(c.Ended + 1)
	return c.Ended + s.interval + timeout + time.Second
}

// judgeEnd is L4: when all calls are over nothing of them is left.
func (w *world) judgeEnd(calls map[string]*Call) {
	for _, n := range w.nodes {
		for d := range n.ua.Timers.Calls(context.Background()) {
			if d.Session.Active() {
				w.violated("L4", calls[d.CallID], w.now(), "%s has it still: %+v", n.name, d.Session)
			}
		}
	}
}

// byID are all calls.
func (w *world) byID() map[string]*Call {
	calls := make(map[string]*Call)
	for _, p := range w.peers {
		for _, c := range p.calls {
			calls[c.ID] = c
		}
	}
	return calls
}

// unanswered is told of each request of a peer that had no answer.
func (w *world) unanswered(*Call, *transaction, time.Duration) {}
