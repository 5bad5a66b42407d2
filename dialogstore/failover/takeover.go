package failover

import "github.com/sipgo-contrib/sessiontimer/dialogstore"

// Takeover decides what becomes of a call that this node has claimed, before anything
// of it is sent. d is the call as its former owner stored it last, and read-only. It
// may take its time, within reason: several calls are decided on at once, by as many
// goroutines, and those that are most urgent first.
type Takeover func(d dialogstore.Dialog) Decision

// Decision is what becomes of a call that was taken over. The zero Decision keeps it
// as it is.
type Decision struct {
	// End hangs up: BYE with Reason: Q.850;cause=41 (RFC 3326). The rest is ignored.
	End bool
	// Contact is our Contact from now on, as a header value; empty for what WithAddress
	// makes of the former one. The peer is told at once (RFC 3261 §12.2).
	Contact string
	// SDP is our session description from now on, of the type SDPType; empty for the
	// former one. The peer is told at once, by a re-INVITE.
	SDP     []byte
	SDPType string // application/sdp if empty
	// Restored says that the application has a dialog of its own for the call again,
	// whose handlers get the peer's requests. Otherwise the timers answer those.
	Restored bool
}

// Keep keeps each call as it is: its media is elsewhere, or follows the address. It is
// the default of WithTakeover.
func Keep(dialogstore.Dialog) Decision { return Decision{} }

// End hangs each call up: its media ended with the node.
func End(dialogstore.Dialog) Decision { return Decision{End: true} }
