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
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// Server is a sipgo.Server whose handlers of INVITE, ACK, BYE and UPDATE stand
// behind the timers. Register handlers on it and not on the sipgo.Server within.
// Unlike sipgo's own, these four may be registered while it serves.
type Server struct {
	*sipgo.Server
	timers *Timers

	mu     sync.Mutex // held to change routes
	routes atomic.Pointer[routes]
}

// routes are the application's handlers; nil where it has none. None is in the
// table of the sipgo.Server: whatever of the four is found there bypasses the timers.
type routes struct {
	invite, ack, bye, update sipgo.RequestHandler
	rest                     sipgo.RequestHandler // of OnNoRoute
	last                     sipgo.RequestHandler // rest, or what sipgo does without; never nil
}

// AttachError says why timers cannot be attached.
type AttachError struct{ Reason string }

// Error names the reason.
func (e *AttachError) Error() string { return "middleware: cannot attach: " + e.Reason }

// NewServer makes a server as sipgo.NewServer does, attached to the timers.
func (t *Timers) NewServer(opts ...sipgo.ServerOption) (*Server, error) {
	server, err := sipgo.NewServer(t.ua, opts...)
	if err != nil {
		return nil, err
	}
	return t.Attach(server)
}

// NewClient makes a client as sipgo.NewClient does, attached to the timers.
func (t *Timers) NewClient(opts ...sipgo.ClientOption) (*sipgo.Client, error) {
	client, err := sipgo.NewClient(t.ua, opts...)
	if err != nil {
		return nil, err
	}
	t.hook(client)
	return client, nil
}

// Attach puts the timers between a server, its clients and the application, for
// those who have them already; NewServer and NewClient are shorter. Without a
// client, or with nil, one is made for refreshes and BYEs. Attach further servers of
// the user agent in the same way.
//
// It belongs before the first message. sipgo offers no way to wrap a handler
// that is registered, so one for INVITE, ACK, BYE or UPDATE is refused with an
// *AttachError, and so is a client with another TxRequester. OnNoRoute takes the
// place of one set before: set it on the server that Attach returns.
//
// The returned server answers UPDATE if the application registers no handler
// for it.
func (t *Timers) Attach(server *sipgo.Server, clients ...*sipgo.Client) (*Server, error) {
	clients = slices.DeleteFunc(slices.Clone(clients), func(c *sipgo.Client) bool { return c == nil })
	if err := t.attachable(server, clients); err != nil {
		return nil, err
	}
	for _, c := range clients {
		t.hook(c)
	}
	if t.client.RequesterFor(dialogstore.Dialog{}) == nil {
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

// hooked reports whether hook had the client before.
func (t *Timers) hooked(client *sipgo.Client) bool {
	r, ok := client.TxRequester.(attached)
	return ok && r.Belongs(t.client)
}

// attached is the requester of a client that was hooked.
type attached struct{ *client.Requester }

// serve is the route of all requests for which the sipgo.Server has no handler.
func (s *Server) serve(req *sip.Request, tx sip.ServerTransaction) {
	t, r := s.timers, s.routes.Load()
	switch req.Method {
	case sip.INVITE:
		t.reach(s)
		t.server.Invite(either(r.invite, r.last), req, tx)
	case sip.ACK:
		t.reach(s)
		t.server.Ack(either(r.ack, r.rest), req, tx)
	case sip.BYE:
		t.reach(s)
		t.server.Bye(either(r.bye, r.last), req, tx)
	case sip.UPDATE:
		t.reach(s)
		t.server.Update(r.update, r.rest, req, tx)
	default:
		t.server.Other(r.last, req, tx)
	}
}

func either(a, b sipgo.RequestHandler) sipgo.RequestHandler {
	if a != nil {
		return a
	}
	return b
}

// noRoute does what sipgo does where there is no handler.
func (s *Server) noRoute(req *sip.Request, tx sip.ServerTransaction) {
	s.timers.log.Warn("no handler for a request", "method", string(req.Method), "call_id", sipmsg.CallID(req))
	_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusMethodNotAllowed, "Method Not Allowed", nil))
}

// OnRequest registers the handler of a method. A nil handler of one of the four
// removes it; without one for UPDATE the timers answer UPDATEs.
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
		s.Server.OnRequest(method, s.timers.handler(handler))
	}
}

// OnNoRoute registers the handler of methods that have none. UPDATEs that need
// no application are answered by the timers all the same.
func (s *Server) OnNoRoute(handler sipgo.RequestHandler) {
	s.change(func(r *routes) { r.rest = handler })
}

// change replaces the routes, and tells the timers what there is now.
func (s *Server) change(set func(*routes)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := new(routes)
	if now := s.routes.Load(); now != nil {
		*next = *now
	}
	set(next)
	next.last = either(next.rest, s.noRoute)
	s.routes.Store(next)
	s.timers.changed(s)
}

// host is what the timers need to know of the application. Whoever takes UPDATEs
// knows of requests within a call, and takes re-INVITEs too.
func (s *Server) host() Host {
	r := s.routes.Load()
	return Host{
		Bye:       either(r.bye, r.rest),
		Invite:    either(r.invite, r.rest),
		Ack:       either(r.ack, r.rest),
		Methods:   s.RegisteredMethods,
		ReInvites: r.update != nil,
	}
}

// RegisteredMethods lists the methods that have a handler, in no order, and UPDATE
// where the timers answer it.
func (s *Server) RegisteredMethods() []string {
	r, methods := s.routes.Load(), s.Server.RegisteredMethods()
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

// OnInvite registers the INVITE handler. Re-INVITEs that change nothing reach it
// as WithAnswerReInvite says.
func (s *Server) OnInvite(h sipgo.RequestHandler) { s.OnRequest(sip.INVITE, h) }

// OnAck registers the ACK handler. It does not get the ACKs of re-INVITEs that
// the timers answered.
func (s *Server) OnAck(h sipgo.RequestHandler) { s.OnRequest(sip.ACK, h) }

// OnBye registers the BYE handler. It gets a BYE too when the timers end a call.
func (s *Server) OnBye(h sipgo.RequestHandler) { s.OnRequest(sip.BYE, h) }

// OnUpdate registers the UPDATE handler. It gets each UPDATE, and its 2xx carries
// the timer; WithAnswerUpdate spares it those without a body. With one registered,
// the INVITE handler gets each re-INVITE.
func (s *Server) OnUpdate(h sipgo.RequestHandler) { s.OnRequest(sip.UPDATE, h) }

// OnInfo, OnRefer, OnNotify, OnMessage, OnOptions and OnSubscribe register handlers as
// sipgo's do. A request within a call shows the timers that its peer is there, and in a
// call that was taken over they answer it, since the application has no dialog of it.
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

// OnPrack registers the PRACK handler. A PRACK may bring an offer, or the answer to one
// (RFC 3262 §5), which the timers take note of.
func (s *Server) OnPrack(h sipgo.RequestHandler) { s.OnRequest(sip.PRACK, h) }
