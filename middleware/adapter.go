package middleware

import (
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Adapter puts the timers under a stack that Attach does not know: one that has
// handlers and clients of its own, or a fork of sipgo. diagotimer is one. Whoever writes
// another one has three duties, all of them before the first message:
//
//   - Handler wraps the handlers of INVITE, ACK, BYE and UPDATE, all four, and that of
//     PRACK if there is one.
//   - Requester is the TxRequester of each client, also of those made later.
//   - SetHost says what the application can do. The BYE handler is the least.
type Adapter struct{ t *Timers }

// Adapter is for stacks that Attach does not know.
func (t *Timers) Adapter() *Adapter { return &Adapter{t} }

// Host is what the timers must know of the stack above.
type Host struct {
	// Bye ends the application's dialog: it gets a BYE as if the peer had sent
	// it, and a transaction that answers nobody.
	Bye sipgo.RequestHandler
	// Invite gets changed offers of UPDATEs, as re-INVITEs. May be nil.
	Invite sipgo.RequestHandler
	// Ack gets an ACK after each INVITE that Invite or Media accepts. May be nil.
	Ack sipgo.RequestHandler
	// Media gets a description of the peer that the application has not seen, as a
	// re-INVITE within the call which needs no answer: the answer to a refresh of ours
	// told of other media. May be nil.
	Media sipgo.RequestHandler
	// Gone reports whether the application has dropped a dialog without a BYE, so that
	// nobody would miss the call. It is asked at each refresh, ours or the peer's.
	// May be nil.
	Gone func(dialogstore.Dialog) bool
	// Methods lists what the application handles, for Allow. May be nil.
	Methods func() []string
	// ReInvites says that the application answers re-INVITEs itself.
	ReInvites bool
	// LateOffer reports whether it also answers one that has no session description,
	// with an offer (RFC 3261 §14.2). Where it does not, the timers do. Nil: always.
	LateOffer func(dialogstore.Dialog) bool
}

// SetHost tells the timers about the stack above, in place of what they were told
// before.
func (a *Adapter) SetHost(h Host) { a.t.setHost(h) }

// Handler wraps a request handler. Other methods than those five pass at the cost of a
// look-up. It keeps no state of its own and may be called anew for each request. A nil
// next leaves UPDATE, and the BYE of a call that is known, to the timers and answers
// nothing else.
func (a *Adapter) Handler(next sipgo.RequestHandler) sipgo.RequestHandler { return a.t.handler(next) }

// Requester wraps what client sends. The refreshes of a call that a client began go out
// through that client. For calls that came in, or were taken over, it is the client
// whose WithClientAddr or WithClientHostname is the address of the call, else the latest
// one given, for the transport (udp, tcp, tls, ws, wss) or else for none.
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
