package refresher

import (
	"context"

	"github.com/sipgo-contrib/sessiontimer"
)

// placed is the context of a refresh or hang-up that holds one of the places that Limits
// allow.
type placed struct {
	context.Context
	s      *Scheduler
	action sessiontimer.Action
	left   bool // guarded by s.mu
}

type placeKey struct{}

// Value implements context.Context.
func (p *placed) Value(key any) any {
	if key == (placeKey{}) {
		return p
	}
	return p.Context.Value(key)
}

// LeavePlace gives back the place under Limits.Unanswered that belongs to ctx. A
// Pipeline calls it when it no longer waits for the network, before it calls a handler
// of the application, which may block. A waiting request then takes the place within 100
// milliseconds. A return from the Pipeline gives the place back at once. Further calls do
// nothing.
func LeavePlace(ctx context.Context) {
	if p, ok := ctx.Value(placeKey{}).(*placed); ok {
		p.s.leavePlace(p)
	}
}

func (s *Scheduler) leavePlace(p *placed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.leave()
}

// leave gives the place back. If something waits for one, a turn is due soon: see
// gate.opens. s.mu is held.
func (p *placed) leave() {
	if !p.left {
		p.left = true
		p.s.gate.leave(p.action)
	}
}
