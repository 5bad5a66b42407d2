package middleware

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/client"
	"github.com/sipgo-contrib/sessiontimer/internal/server"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// Server is a sipgo.Server whose requests pass through the timers before they reach the
// handlers. Register handlers on it, not on the embedded sipgo.Server. Unlike in sipgo,
// the handlers of INVITE, ACK, BYE and UPDATE may be registered while it serves.
type Server struct {
	*sipgo.Server
	timers *Timers

	mu     sync.Mutex // held to change routes
	routes atomic.Pointer[routes]
}

// routes are the application's handlers; nil if it has none. They are not in the handler
// table of the sipgo.Server: a handler found there bypasses the timers.
type routes struct {
	invite, ack, bye, update sipgo.RequestHandler
	rest                     sipgo.RequestHandler // given to OnNoRoute
	last                     sipgo.RequestHandler // rest, or noRoute if that is nil; never nil
}

// AttachError is the reason why timers cannot be attached.
type AttachError struct{ Reason string }

// Error returns the reason, prefixed with the package.
func (e *AttachError) Error() string { return "middleware: cannot attach: " + e.Reason }

// NewServer returns a new server that is attached to the timers. Options and errors are
// those of sipgo.NewServer. Call it before the first message.
func (t *Timers) NewServer(opts ...sipgo.ServerOption) (*Server, error) {
	server, err := sipgo.NewServer(t.ua, opts...)
	if err != nil {
		return nil, err
	}
	return t.Attach(server)
}

// NewClient returns a new client that is attached to the timers. Options and errors are
// those of sipgo.NewClient.
func (t *Timers) NewClient(opts ...sipgo.ClientOption) (*sipgo.Client, error) {
	client, err := sipgo.NewClient(t.ua, opts...)
	if err != nil {
		return nil, err
	}
	t.hook(client)
	return client, nil
}

// Attach puts the timers between the application and a server and clients that it already
// has; otherwise NewServer and NewClient are shorter. Without a client, Attach makes one
// for refreshes and BYEs; nil clients are ignored. Further servers of the user agent are
// attached in the same way.
//
// Call Attach before the first message, and register handlers on the server that it
// returns. sipgo cannot wrap handlers that are registered already, so Attach returns an
// *AttachError if server has one for INVITE, ACK, BYE or UPDATE. A client with another
// TxRequester is refused as well. A handler given to OnNoRoute before is replaced: set it
// on the returned server.
//
// The returned server answers UPDATE if the application registers no handler for it.
func (t *Timers) Attach(server *sipgo.Server, clients ...*sipgo.Client) (*Server, error) {
	clients = slices.DeleteFunc(slices.Clone(clients), func(c *sipgo.Client) bool { return c == nil })
	if err := t.attachable(server, clients); err != nil {
		return nil, err
	}
	for _, c := range clients {
		t.hook(c)
	}
	if t.client.RequesterFor(new(dialogstore.Dialog)) == nil {
		c, err := sipgo.NewClient(t.ua)
		if err != nil {
			return nil, err
		}
		t.hook(c)
	}
	s := &Server{Server: server, timers: t}
	s.change(func(*routes) {})
	server.OnNoRoute(s.serve)
	t.add(s)
	return s, nil
}

func (t *Timers) attachable(server *sipgo.Server, clients []*sipgo.Client) error {
	switch {
	case server == nil:
		return &AttachError{"a server is needed"}
	case server.UserAgent != t.ua:
		return &AttachError{"the server must be of the user agent given to New"}
	case t.servers.has(server):
		return &AttachError{"the server is attached already"}
	}
	if methods := bypassing(server); len(methods) > 0 {
		return &AttachError{fmt.Sprintf("handlers for %s are registered on the server already; register them on what Attach returns",
			strings.Join(methods, ", "))}
	}
	for _, c := range clients {
		if c.UserAgent != t.ua {
			return &AttachError{"the client must be of the user agent given to New"}
		}
		if c.TxRequester != nil && !t.hooked(c) {
			return &AttachError{"the client has a TxRequester; chain with Adapter.Requester instead"}
		}
	}
	return nil
}

// hook sends what client sends through the timers.
func (t *Timers) hook(client *sipgo.Client) {
	if !t.hooked(client) {
		client.TxRequester = attached{t.client.NewRequester(client)}
	}
}

// hooked reports whether hook was called for client before.
func (t *Timers) hooked(client *sipgo.Client) bool {
	r, ok := client.TxRequester.(attached)
	return ok && r.Belongs(t.client)
}

// attached is the requester of a client that was hooked.
type attached struct{ *client.Requester }

// serve handles all requests for which the sipgo.Server has no handler.
func (s *Server) serve(req *sip.Request, tx sip.ServerTransaction) {
	t, r := s.timers, s.routes.Load()
	switch req.Method {
	case sip.INVITE:
		t.reach(s)
		t.server.Invite(server.Either(r.invite, r.last), req, tx)
	case sip.ACK:
		t.reach(s)
		t.server.Ack(server.Either(r.ack, r.rest), req, tx)
	case sip.BYE:
		t.reach(s)
		t.server.Bye(server.Either(r.bye, r.last), req, tx)
	case sip.UPDATE:
		t.reach(s)
		t.server.Update(r.update, r.rest, req, tx)
	default:
		t.server.Other(r.last, req, tx)
	}
}

// noRoute does what sipgo does if there is no handler.
func (s *Server) noRoute(req *sip.Request, tx sip.ServerTransaction) {
	s.timers.log.Warn("request refused with 405: no handler for its method", "call_id", sipmsg.CallID(req),
		"local_tag", sipmsg.ToTag(req), "remote_tag", sipmsg.FromTag(req), "method", string(req.Method))
	_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusMethodNotAllowed, "Method Not Allowed", nil))
}

// OnRequest registers the handler of a method. For INVITE, ACK, BYE and UPDATE, nil
// removes the handler. Without one for UPDATE, the timers answer UPDATEs.
func (s *Server) OnRequest(method sip.RequestMethod, handler sipgo.RequestHandler) {
	switch method {
	case sip.INVITE:
		s.change(func(r *routes) { r.invite = handler })
	case sip.ACK:
		s.change(func(r *routes) { r.ack = handler })
	case sip.BYE:
		s.change(func(r *routes) { r.bye = handler })
	case sip.UPDATE:
		s.change(func(r *routes) { r.update = handler })
	default:
		s.mu.Lock()
		s.Server.OnRequest(method, s.timers.handler(handler))
		s.mu.Unlock()
		s.change(func(*routes) {}) // of what is allowed
	}
}

// OnNoRoute registers the handler of all methods without one of their own. The timers
// still answer the UPDATEs that do not need the application.
func (s *Server) OnNoRoute(handler sipgo.RequestHandler) {
	s.change(func(r *routes) { r.rest = handler })
}

// change replaces the routes and informs the timers.
func (s *Server) change(set func(*routes)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := new(routes)
	if now := s.routes.Load(); now != nil {
		*next = *now
	}
	set(next)
	next.last = server.Either(next.rest, s.noRoute)
	s.routes.Store(next)
	s.timers.changed(s)
}

// host describes the application to the timers. An application with a handler for UPDATE
// knows about requests within a call, so it is assumed to answer re-INVITEs too.
func (s *Server) host() Host {
	r := s.routes.Load()
	return Host{
		Bye:       server.Either(r.bye, r.rest),
		Invite:    server.Either(r.invite, r.rest),
		Ack:       server.Either(r.ack, r.rest),
		Methods:   s.RegisteredMethods,
		ReInvites: r.update != nil,
	}
}

// RegisteredMethods returns the methods that have a handler, in no particular order, and
// UPDATE if the timers answer it.
func (s *Server) RegisteredMethods() []string {
	s.mu.Lock() // calls that were taken over may be refreshed while handlers are registered
	r, methods := s.routes.Load(), s.Server.RegisteredMethods()
	s.mu.Unlock()
	for method, answered := range map[sip.RequestMethod]bool{
		sip.INVITE: r.invite != nil,
		sip.ACK:    r.ack != nil,
		sip.BYE:    r.bye != nil,
		sip.UPDATE: r.update != nil || !s.timers.calls.LeavesUpdate(),
	} {
		if answered {
			methods = append(methods, string(method))
		}
	}
	return methods
}

// OnInvite registers the INVITE handler. WithAnswerReInvite decides whether it gets
// re-INVITEs that change nothing.
func (s *Server) OnInvite(h sipgo.RequestHandler) { s.OnRequest(sip.INVITE, h) }

// OnAck registers the ACK handler. It does not get the ACKs of re-INVITEs that
// the timers answered.
func (s *Server) OnAck(h sipgo.RequestHandler) { s.OnRequest(sip.ACK, h) }

// OnBye registers the BYE handler. It gets a BYE too when the timers end a call.
func (s *Server) OnBye(h sipgo.RequestHandler) { s.OnRequest(sip.BYE, h) }

// OnUpdate registers the UPDATE handler. It gets each UPDATE, and its 2xx carries the
// timer; with WithAnswerUpdate, the timers answer those without a body. Once it is
// registered, the INVITE handler gets each re-INVITE, unless WithAnswerReInvite is set.
func (s *Server) OnUpdate(h sipgo.RequestHandler) { s.OnRequest(sip.UPDATE, h) }

// OnInfo registers the INFO handler. A request within a call proves to the timers that the
// peer is there. In a call that was taken over, the timers answer the request themselves,
// because the application has no dialog for it. The same holds for OnRefer, OnNotify,
// OnMessage, OnOptions and OnSubscribe.
func (s *Server) OnInfo(h sipgo.RequestHandler) { s.OnRequest(sip.INFO, h) }

// OnRefer registers the REFER handler: see OnInfo.
func (s *Server) OnRefer(h sipgo.RequestHandler) { s.OnRequest(sip.REFER, h) }

// OnNotify registers the NOTIFY handler: see OnInfo.
func (s *Server) OnNotify(h sipgo.RequestHandler) { s.OnRequest(sip.NOTIFY, h) }

// OnMessage registers the MESSAGE handler: see OnInfo.
func (s *Server) OnMessage(h sipgo.RequestHandler) { s.OnRequest(sip.MESSAGE, h) }

// OnOptions registers the OPTIONS handler: see OnInfo.
func (s *Server) OnOptions(h sipgo.RequestHandler) { s.OnRequest(sip.OPTIONS, h) }

// OnSubscribe registers the SUBSCRIBE handler: see OnInfo.
func (s *Server) OnSubscribe(h sipgo.RequestHandler) { s.OnRequest(sip.SUBSCRIBE, h) }

// OnPrack registers the PRACK handler. The timers note an offer or answer in a PRACK
// (RFC 3262 §5).
func (s *Server) OnPrack(h sipgo.RequestHandler) { s.OnRequest(sip.PRACK, h) }
