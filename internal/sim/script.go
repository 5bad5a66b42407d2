package sim

import (
	"slices"
	"time"
)

// script is the list of steps still to be done, in order.
type script []step

type step struct {
	at time.Duration
	do func(*script)
}

func (s *script) next() step {
	first := (*s)[0]
	*s = (*s)[1:]
	return first
}

func (s *script) add(at time.Duration, do func(*script)) {
	i, _ := slices.BinarySearchFunc(*s, at, func(e step, at time.Duration) int {
		if e.at <= at {
			return -1
		}
		return 1
	})
	*s = slices.Insert(*s, i, step{at, do})
}

// script makes the steps of the plan's faults.
func (w *world) script() script {
	var s script
	for _, f := range w.plan.Faults {
		s.add(f.At, func(s *script) { w.fault(f, s) })
	}
	return s
}

// fault makes a fault happen. It has no effect on a node that does not run.
func (w *world) fault(f Fault, s *script) {
	n, until := w.nodes[f.Node], w.now()+f.For
	up, paused := n.state()
	switch f.Kind {
	case Weather:
		w.wire.weather(f.Rate, until)
	case Partition:
		w.wire.cut(n, f.Rate, until)
	case Pause:
		if up && paused < w.now() {
			n.pause(until)
		}
	case Crash:
		if up && paused < w.now() {
			if n.crash() {
				s.add(until, func(*script) { n.start() })
			}
		}
	case Leave:
		if up && paused < w.now() && w.stack.Leave != nil {
			if n.leave() {
				s.add(until, func(*script) { n.start() })
			}
		}
	default:
		w.registry.fault(f, n, s)
	}
}

// pause delays all packets from and to n until the pause ends.
func (n *node) pause(until time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.until = until
	n.away = append(n.away, span{n.w.now(), until})
}
