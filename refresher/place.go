package refresher

import (
	"context"

	"github.com/sipgo-contrib/sessiontimer"
)

// placed is the context of a refresh or hang-up, which has a place among those that
// Limits allow.
type placed struct {
	context.Context
	r      *Scheduler
	action sessiontimer.Action
	left   bool // guarded by r.mu
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
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	p.leave()
	p.r.turn()
}

// leave makes room for what waits. r.mu is held.
func (p *placed) leave() {
	if !p.left {
		p.left = true
		p.r.gate.leave(p.action)
	}
}
