package refresher

import (
	"context"

	"github.com/sipgo-contrib/sessiontimer"
)

// placed is the context of a refresh or hang-up, which has a place among those that
// Limits allow.
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

// LeavePlace gives back the place that what is under way with ctx has among
// Limits.Unanswered. A Pipeline calls it when nothing is to be waited for on the
// network any more, before it calls what may block for as long as it likes: a handler
// of the application. Returning does the same; further calls do nothing.
func LeavePlace(ctx context.Context) {
	p, ok := ctx.Value(placeKey{}).(*placed)
	if !ok {
		return
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.leave()
	p.s.turn()
}

// leave makes room for what waits. s.mu is held.
func (p *placed) leave() {
	if !p.left {
		p.left = true
		p.s.gate.leave(p.action)
	}
}
