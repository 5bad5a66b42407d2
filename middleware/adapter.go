package middleware

import (
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Adapter adds the timers to a stack on top of sipgo that has its own handlers and
// clients, and so cannot use Attach. Package diagotimer uses it for diago. Do three
// things before the first message:
//
//   - Wrap the handlers of INVITE, ACK, BYE and UPDATE, all four, with Handler, and that
//     of PRACK if there is one.
//   - Set the TxRequester of each client, including those made later, to Requester.
//   - Describe the application with SetHost, at least its BYE handler.
//
// All methods may be called concurrently.
type Adapter struct{ t *Timers }

// Adapter returns the adapter for stacks that cannot use Attach.
func (t *Timers) Adapter() *Adapter { return &Adapter{t} }

// Host describes the stack above the timers. Its functions are called concurrently.
type Host struct {
	// Bye ends the application's dialog when the timers hang up: it gets a BYE as if the
	// peer had sent it, and a transaction whose responses are discarded.
	Bye sipgo.RequestHandler
	// Invite gets an UPDATE with a changed offer as a re-INVITE: see WithOfferUpdate.
	// May be nil.
	Invite sipgo.RequestHandler
	// Ack gets an ACK for each re-INVITE made by the timers that Invite or Media accepts.
	// May be nil.
	Ack sipgo.RequestHandler
	// Media gets a re-INVITE made by the timers, with a session description of the peer
	// that the application has not seen: the answer to one of our refreshes changed the
	// media. Its response is discarded. May be nil.
	Media sipgo.RequestHandler
	// Gone reports whether the application has dropped a dialog without a BYE. The timers
	// then end the call instead of keeping it alive. It is called at each refresh, ours
	// or the peer's. Nil: never.
	Gone func(dialogstore.Dialog) bool
	// Methods returns the methods that the application handles, for the Allow header
	// field. May be nil.
	Methods func() []string
	// ReInvites is true if the application answers re-INVITEs itself.
	ReInvites bool
	// LateOffer reports whether the application can also answer a re-INVITE without a
	// session description, with an offer (RFC 3261 §14.2). If not, the timers answer it.
	// Nil: it always can.
	LateOffer func(dialogstore.Dialog) bool
}

// SetHost describes the stack above to the timers. It replaces the previous Host.
func (a *Adapter) SetHost(h Host) { a.t.setHost(h) }

// Handler wraps a request handler. A request of a method other than INVITE, ACK, BYE,
// UPDATE and PRACK only costs a lookup. Handler keeps no state, so it may be called anew
// for each request. If next is nil, the timers answer UPDATE, and BYE in calls that they
// know, and nothing else.
func (a *Adapter) Handler(next sipgo.RequestHandler) sipgo.RequestHandler { return a.t.handler(next) }

// Requester returns the TxRequester for client. Refreshes of a call that client began go
// out through it. Refreshes of incoming calls, and of calls that were taken over, go
// through the client whose address (WithClientAddr or WithClientHostname) is that of the
// call, else through the latest one. Only clients given for the call's transport (udp,
// tcp, tls, ws or wss) are considered or, if there are none, those given for no transport.
func (a *Adapter) Requester(client *sipgo.Client, transports ...string) sipgo.ClientTransactionRequester {
	return a.t.client.NewRequester(client, transports...)
}

func (t *Timers) handler(next sipgo.RequestHandler) sipgo.RequestHandler {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		switch req.Method {
		case sip.INVITE:
			t.server.Invite(next, req, tx)
		case sip.UPDATE:
			t.server.Update(next, nil, req, tx)
		case sip.ACK:
			t.server.Ack(next, req, tx)
		case sip.BYE:
			t.server.Bye(next, req, tx)
		default:
			t.server.Other(next, req, tx)
		}
	}
}
