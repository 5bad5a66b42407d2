package middleware

import (
	"fmt"
	"slices"
	"strings"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// Server is a sipgo.Server whose handlers pass through the timers. Register
// handlers on it and not on the server that was attached.
type Server struct {
	*sipgo.Server
	timers     *Timers
	host       Host
	registered map[sip.RequestMethod]bool // by the application
}

// AttachError says why timers cannot be attached.
type AttachError struct{ Reason string }

// Error names the reason.
func (e *AttachError) Error() string { return "middleware: cannot attach: " + e.Reason }

// Attach puts the timers between a server, a client and the application. It
// belongs before the first handler is registered and the first message: sipgo
// offers no way to wrap a handler once it is registered, so that is refused
// with an *AttachError, and so is a client that has a TxRequester already.
//
// The returned server answers UPDATE, also if the application registers no
// handler for it.
func (t *Timers) Attach(server *sipgo.Server, client *sipgo.Client) (*Server, error) {
	switch {
	case server == nil || client == nil:
		return nil, &AttachError{"server and client are needed"}
	case server.UserAgent != t.ua || client.UserAgent != t.ua:
		return nil, &AttachError{"server and client must be of the user agent given to New"}
	case client.TxRequester != nil:
		return nil, &AttachError{"the client has a TxRequester; chain with Timers.Requester instead"}
	}
	if methods := server.RegisteredMethods(); len(methods) > 0 {
		slices.Sort(methods)
		return nil, &AttachError{fmt.Sprintf("handlers for %s are registered on the server already; register them on what Attach returns",
			strings.Join(methods, ", "))}
	}
	client.TxRequester = t.Requester(client)
	s := &Server{
		Server:     server,
		timers:     t,
		host:       Host{Methods: server.RegisteredMethods},
		registered: make(map[sip.RequestMethod]bool),
	}
	t.SetHost(s.host)
	s.register(sip.UPDATE, nil)
	s.register(sip.ACK, nil)
	return s, nil
}

// OnRequest registers a handler behind the timers. A nil handler for UPDATE
// leaves all UPDATEs to them.
func (s *Server) OnRequest(method sip.RequestMethod, handler sipgo.RequestHandler) {
	s.registered[method] = true
	s.register(method, handler)
}

// OnNoRoute registers the handler of methods that have none, behind the timers.
func (s *Server) OnNoRoute(handler sipgo.RequestHandler) {
	for _, method := range []sip.RequestMethod{sip.INVITE, sip.ACK, sip.BYE, sip.UPDATE} {
		if !s.registered[method] {
			s.register(method, handler)
		}
	}
	s.Server.OnNoRoute(handler)
}

func (s *Server) register(method sip.RequestMethod, handler sipgo.RequestHandler) {
	switch method {
	case sip.BYE:
		s.host.Bye = handler
		s.timers.SetHost(s.host)
	case sip.INVITE:
		s.host.Invite = handler
		s.timers.SetHost(s.host)
	}
	s.Server.OnRequest(method, s.timers.Handler(handler))
}

// OnInvite registers the INVITE handler behind the timers.
func (s *Server) OnInvite(h sipgo.RequestHandler) { s.OnRequest(sip.INVITE, h) }

// OnAck registers the ACK handler behind the timers. It does not get the ACKs
// of re-INVITEs that the timers answered.
func (s *Server) OnAck(h sipgo.RequestHandler) { s.OnRequest(sip.ACK, h) }

// OnBye registers the BYE handler behind the timers. It gets a BYE too when
// they end a call.
func (s *Server) OnBye(h sipgo.RequestHandler) { s.OnRequest(sip.BYE, h) }

// OnUpdate registers the UPDATE handler behind the timers. It gets those with a
// session description.
func (s *Server) OnUpdate(h sipgo.RequestHandler) { s.OnRequest(sip.UPDATE, h) }

// allowed is the Allow header field of an application that sends none: what it
// handles, and what every user agent of sipgo can do.
func (t *Timers) allowed() sip.Header {
	methods := []string{"INVITE", "ACK", "CANCEL", "BYE"}
	if host := t.host.Load(); host.Methods != nil {
		have := host.Methods()
		slices.Sort(have)
		for _, m := range append(have, "UPDATE") {
			if !slices.Contains(methods, m) {
				methods = append(methods, m)
			}
		}
	}
	return sip.NewHeader("Allow", strings.Join(methods, ", "))
}
