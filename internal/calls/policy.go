package calls

import (
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// PolicyFunc is a middleware.PolicyFunc.
type PolicyFunc = func(invite *sip.Request, outgoing bool, base sessiontimer.Policy) sessiontimer.Policy

// PolicyFor returns the policy of a new call.
func (c *Calls) PolicyFor(invite *sip.Request, outgoing bool) sessiontimer.Policy {
	if c.Context.Err() != nil {
		return sessiontimer.Policy{} // closed: nothing would refresh the call
	}
	base := c.config.Policy
	if c.config.PolicyFunc == nil {
		return base
	}
	p := c.askPolicy(invite, outgoing, base)
	if err := p.Validate(); err != nil {
		c.Log.Error("the policy function returned an invalid policy, using the default", "call_id", sipmsg.CallID(invite), "error", err)
		return base
	}
	return p
}

// askPolicy calls the application's function. If it panics, the result is base.
func (c *Calls) askPolicy(invite *sip.Request, outgoing bool, base sessiontimer.Policy) (p sessiontimer.Policy) {
	p = base
	defer c.Contain("policy function", dialogstore.ID{CallID: sipmsg.CallID(invite)})
	return c.config.PolicyFunc(invite, outgoing, base)
}

// SwitchedOff reports whether timers are off, unless PolicyFunc says otherwise for a call.
func (c *Calls) SwitchedOff() bool { return c.config.Policy.Mode == sessiontimer.Off }

// LeavesCallsAlone reports whether the application may have calls that the timers do not
// know.
func (c *Calls) LeavesCallsAlone() bool {
	return c.leftAlone.Load() || c.Relays.any.Load() || c.SwitchedOff() || c.config.PolicyFunc != nil
}

// LeaveAlone logs that a call has no session timer, because its dialog cannot be stored.
func (c *Calls) LeaveAlone(err error, id dialogstore.ID) {
	c.leftAlone.Store(true)
	c.Log.Warn("no session timer for the call", "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag, "error", err)
}

// WarnMalformed logs a session-timer header field of the peer that cannot be parsed.
func (c *Calls) WarnMalformed(f sessiontimer.Fields, id dialogstore.ID) {
	if f.Malformed != nil {
		c.Log.Warn("malformed session-timer header field from the peer", "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag,
			"error", f.Malformed)
	}
}
