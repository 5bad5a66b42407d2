package calls

import (
	"sync/atomic"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// OwnTimers detects an application that has its own session timer code, by the
// Session-Expires in its messages. Such code may hang up if it sees no refresh for an
// interval, so the application gets refreshes as it would without this library: re-INVITEs
// go to its handler, and UPDATE is neither listed in Allow nor answered unless the
// application has a handler for it.
type OwnTimers struct{ found atomic.Bool }

// In reports whether m, a message of the application before Mark or MarkAnswer, has a
// Session-Expires, and notes it.
func (o *OwnTimers) In(m sipmsg.Message) bool {
	if sipmsg.First(m, sessiontimer.HeaderSessionExpires, "x") == nil {
		return false
	}
	if !o.found.Load() {
		o.found.Store(true)
	}
	return true
}

// Heed adapts the policy of a call to the Session-Expires that the application wrote: it is
// an upper bound for the interval, and determines the refresher. as is the application's
// role in the transaction.
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
