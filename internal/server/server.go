package server

import (
	"context"
	"math/rand/v2"
	"strconv"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// Hangup ends a call, with a BYE to the peer and one to the application as if the peer had
// sent it.
type Hangup func(ctx context.Context, s *dialogset.Set, remoteTag string, reason sessiontimer.Reason)

// Server handles the requests of all peers. Its methods may be called concurrently. A nil
// handler means that the application has none.
type Server struct {
	calls  *calls.Calls
	hangup Hangup
}

// New returns a Server for the calls of c.
func New(c *calls.Calls, hangup Hangup) *Server { return &Server{c, hangup} }

// Other handles a request of any method but INVITE, ACK, BYE and UPDATE.
func (s *Server) Other(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	orphan := false
	if sipmsg.ToTag(req) != "" {
		id := within(req)
		s.heard(id)
		orphan = s.calls.Orphan(id)
	}
	switch {
	case orphan:
		// The application has no dialog, so it could only answer 481, which would end the
		// call (RFC 5057 §5.1).
		respond(tx, req, sip.StatusMethodNotAllowed, "Method Not Allowed", sip.NewHeader("Allow", "INVITE, ACK, BYE, UPDATE"))
	case next == nil, s.elsewhere(req, tx):
	case req.Method == sip.PRACK:
		s.pass(next, req, tx)
	default:
		next(req, tx)
	}
}

// within returns the ID of the dialog that an incoming request belongs to.
func within(req *sip.Request) dialogstore.ID {
	return dialogstore.ID{CallID: sipmsg.CallID(req), LocalTag: sipmsg.ToTag(req), RemoteTag: sipmsg.FromTag(req)}
}

// Either returns a or, if a is nil, b.
func Either(a, b sipgo.RequestHandler) sipgo.RequestHandler {
	if a != nil {
		return a
	}
	return b
}

func respond(tx sip.ServerTransaction, req *sip.Request, status int, reason string, headers ...sip.Header) {
	res := sip.NewResponseFromRequest(req, status, reason, nil)
	for _, h := range headers {
		res.AppendHeader(h)
	}
	_ = tx.Respond(res)
}

// retryAfter returns a Retry-After of 0 to 10 s (RFC 3261 §14.2, RFC 3311 §5.2).
func retryAfter() sip.Header {
	return sip.NewHeader("Retry-After", strconv.Itoa(rand.IntN(11)))
}
