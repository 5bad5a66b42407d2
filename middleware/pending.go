package middleware

import (
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

// openUpdate reports whether an UPDATE of the peer may be handled now, and refuses it
// otherwise.
func (in *incoming) openUpdate() bool {
	c := in.flight.OpenUpdate(described(in.req))
	in.updating = c == dialogset.NoClash
	return in.alone(c)
}

// closeUpdate lets the peer send the next UPDATE. It may be called again.
func (in *incoming) closeUpdate() {
	in.mu.Lock()
	updating := in.updating
	in.updating = false
	in.mu.Unlock()
	if updating {
		in.flight.CloseUpdate()
		in.unanswered() // unless it is by now
	}
}

// openInvite reports whether a re-INVITE of the peer may be handled now, and refuses
// it otherwise.
func (in *incoming) openInvite() bool {
	var c dialogset.Clash
	in.invite, c = in.flight.OpenInvite(in.req.CSeq().SeqNo)
	return in.alone(c)
}

// closeInvite notes that a re-INVITE was not answered with a 2xx.
func (in *incoming) closeInvite() {
	if in.invite == nil {
		return
	}
	in.flight.CloseInvite(in.invite)
	in.mu.Lock()
	in.lapsed = in.success == nil
	lapsed := in.lapsed
	in.mu.Unlock()
	if lapsed {
		in.unanswered()
	}
}

// refusing lets the peer send the next request, which may follow on a refusal at
// once. A re-INVITE of ours waits until that is sent: see closeInvite.
func (in *incoming) refusing() {
	if in.id.RemoteTag == "" {
		return
	}
	in.closeUpdate()
	if in.invite != nil {
		in.flight.Refusing(in.invite)
	}
}

// alone refuses a request that may not overlap another one of ours, or of the
// peer's.
func (in *incoming) alone(c dialogset.Clash) bool {
	switch c {
	case dialogset.NoClash:
		in.asks()
	case dialogset.WithOurs:
		in.reject(sip.StatusRequestPending, "Request Pending")
	case dialogset.WithTheirs:
		in.reject(sip.StatusInternalServerError, "Server Internal Error", retryAfter())
	}
	return c == dialogset.NoClash
}
