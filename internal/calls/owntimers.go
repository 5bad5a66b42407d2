package calls

import (
	"sync/atomic"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// OwnTimers says whether the application has timer code of its own: it writes
// Session-Expires itself. Such code may hang up if it sees no refresh for an
// interval, so it gets the refreshes as it would without this library: re-INVITEs
// go to its handler, and UPDATE is neither allowed nor answered in its name unless
// it has a handler for that.
type OwnTimers struct{ found atomic.Bool }

// In looks for them in a message of the application that is not marked yet.
func (o *OwnTimers) In(m sipmsg.Message) bool {
	if sipmsg.First(m, sessiontimer.HeaderSessionExpires, "x") == nil {
		return false
	}
	if !o.found.Load() {
		o.found.Store(true)
	}
	return true
}

// Heed takes what the application wrote itself as its wish for the call: no interval
// longer than it reckons with, and the refresher that it expects. as is the
// application's role in the exchange.
func (o *OwnTimers) Heed(p *sessiontimer.Policy, m sipmsg.Message, as sessiontimer.Role) {
	if !o.In(m) {
		return
	}
	f := sipmsg.Fields(m, *p)
	if !f.HasSessionExpires {
		return
	}
	p.SessionExpires = min(p.SessionExpires, max(f.SessionExpires.Interval, p.MinSE))
	switch f.SessionExpires.Refresher {
	case sessiontimer.NoRole:
	case as:
		p.Refresher = sessiontimer.Local
	default:
		p.Refresher = sessiontimer.Peer
	}
}
