package server

import (
	"context"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// elsewhere answers a request within a dialog that another node owns with 500, and reports
// whether it did. The request came here because that node has died, and the call will be
// taken over in a moment; or because it has taken the call over from this node, and the peer
// does not know yet. A 481 would end the call (RFC 3261 §12.2.1.2, RFC 5057 §5.1); after a
// 500 the peer tries again. If the registry does not answer, the call may still exist
// elsewhere, so a refresh gets the 500, too.
//
// The registry is not asked about dialogs that are early or have ended here, nor if the
// application may have calls that the timers do not know.
func (s *Server) elsewhere(req *sip.Request, tx sip.ServerTransaction) bool {
	c := s.calls
	if c.Elsewhere == nil || sipmsg.ToTag(req) == "" || c.LeavesCallsAlone() {
		return false
	}
	id, ctx := within(req), context.Background()
	if set := c.Sets.Find(id.CallID, id.LocalTag); set != nil && !set.Lives(id.RemoteTag) && !set.Released(id.RemoteTag) {
		return false
	}
	if _, err := c.Store.Load(ctx, id); err == nil {
		return false
	}
	// Requests of another kind may belong to a dialog that only the application knows, such
	// as a subscription.
	if is, sure := c.Elsewhere(ctx, id); !is && (sure || !refreshes(req)) {
		return false
	}
	respond(tx, req, sip.StatusInternalServerError, "Server Internal Error", retryAfter())
	return true
}

// refreshes reports whether a request can refresh a session.
func refreshes(req *sip.Request) bool { return req.IsInvite() || req.Method == sip.UPDATE }

// handedOver answers a request that would change a call with 500, if this node has handed
// its calls over, and reports whether it did. The new owner would not learn of the change,
// and would hang up a session that was refreshed here.
func (s *Server) handedOver(req *sip.Request, tx sip.ServerTransaction) bool {
	over := s.calls.HandedOver()
	if over {
		respond(tx, req, sip.StatusInternalServerError, "Server Internal Error", retryAfter())
	}
	return over
}
