package failover

import "github.com/sipgo-contrib/sessiontimer/dialogstore"

// Takeover decides what happens to a call that this node has claimed, before anything is
// sent in it. d is the last state that the former owner stored, and read-only. Takeover is
// called concurrently for up to 16 calls, the most urgent first; it may block, but the calls
// after these wait. If it panics, the panic is logged and the call is kept.
type Takeover func(d dialogstore.Dialog) Decision

// Decision is what happens to a call that was taken over. The zero Decision keeps the call
// as it is.
type Decision struct {
	// End hangs up, by a BYE with Reason: Q.850;cause=41 (RFC 3326). The other fields are
	// then ignored.
	End bool
	// Contact is our new Contact, as a header value. It is sent to the peer at once (RFC
	// 3261 §12.2). Empty: the former one, with the address of WithAddress if that is set.
	Contact string
	// SDP is our new session description, of the type SDPType. It is sent to the peer at
	// once, in a re-INVITE. Empty: the former one.
	SDP     []byte
	SDPType string // application/sdp if empty
	// Restored is true if the application has restored its own dialog for the call, so that
	// its handlers get the peer's requests. Otherwise the timers answer them.
	Restored bool
}

// Keep keeps every call as it is. It is the default of WithTakeover, for calls whose media
// does not depend on the node.
func Keep(dialogstore.Dialog) Decision { return Decision{} }

// End hangs up every call, for calls whose media ended with the node.
func End(dialogstore.Dialog) Decision { return Decision{End: true} }
