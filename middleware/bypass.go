package middleware

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// servers are the attached servers of the user agent. sipgo passes all requests to the
// server that was made last, so the application of that server is the Host.
//
// servers also detect and log wiring that bypasses the timers. They check the registered
// handlers at the first INVITE of either direction, and look at incoming messages until
// one request has reached our handlers and one INVITE has left through an attached client.
// After that, a message costs one atomic load.
type servers struct {
	active  atomic.Pointer[Server] // gets the requests; until one arrives, the last to register a handler
	reached atomic.Bool            // a request has arrived at active
	settled atomic.Bool            // requests need not be looked at any more
	called  atomic.Bool            // an INVITE has left through an attached client, or a bypass was logged

	mu      sync.Mutex
	all     []*Server
	checked bool   // handlers were checked
	callID  string // of the latest incoming INVITE
}

// bypassing returns those of INVITE, ACK, BYE and UPDATE for which the sipgo.Server
// itself has a handler. Handlers registered on a Server are not in its table.
func bypassing(server *sipgo.Server) []string {
	methods := slices.DeleteFunc(server.RegisteredMethods(), func(m string) bool {
		return !slices.Contains([]sip.RequestMethod{sip.INVITE, sip.ACK, sip.BYE, sip.UPDATE}, sip.RequestMethod(m))
	})
	slices.Sort(methods)
	return methods
}

func (v *servers) has(server *sipgo.Server) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.ContainsFunc(v.all, func(s *Server) bool { return s.Server == server })
}

// add adds a server. With the first one it registers look, which sipgo calls for each
// incoming message, at the same time as it passes the message to the handlers.
func (t *Timers) add(s *Server) {
	if t.servers.add(s) {
		t.ua.TransportLayer().OnMessage(t.look)
	}
}

// add adds a server, and reports whether it is the first one.
func (v *servers) add(s *Server) (first bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.all = append(v.all, s)
	return len(v.all) == 1
}

// changed notes that the handlers of s changed.
func (t *Timers) changed(s *Server) {
	if !t.servers.reached.Load() || t.servers.active.Load() == s {
		t.servers.active.Store(s)
		t.setHost(s.host())
	}
}

// reach notes that a request has arrived at s.
func (t *Timers) reach(s *Server) {
	v := &t.servers
	if !v.reached.Load() {
		v.reached.Store(true)
	}
	if v.active.Load() != s {
		v.active.Store(s)
		t.setHost(s.host())
	}
}

// look sees each incoming message.
func (t *Timers) look(msg sip.Message) {
	switch m := msg.(type) {
	case *sip.Request:
		if !t.servers.settled.Load() {
			t.servers.look(m, t.log)
		}
	case *sip.Response:
		if !t.servers.called.Load() {
			t.lookAtAnswer(m)
		}
	}
}

// lookAtAnswer logs a call that the application made with a client that is not attached:
// a 2xx to an INVITE in a dialog set that is unknown. Answers to our re-INVITEs are known.
func (t *Timers) lookAtAnswer(res *sip.Response) {
	if !res.IsSuccess() || res.CSeq() == nil || res.CSeq().MethodName != sip.INVITE {
		return
	}
	id := sipmsg.CallID(res)
	if t.calls.Sets.Find(id, sipmsg.FromTag(res)) == nil && t.servers.called.CompareAndSwap(false, true) {
		t.log.Error("an INVITE bypassed the timers: create its client with NewClient, or pass the client to Attach", "call_id", id)
	}
}

func (v *servers) look(req *sip.Request, log *slog.Logger) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case req.IsInvite() && sipmsg.ToTag(req) == "":
		v.callID = sipmsg.CallID(req)
		v.check(req, log)
	case req.IsAck() && v.callID == sipmsg.CallID(req) && !v.reached.Load():
		// An ACK means that the INVITE was answered, but not through our handlers.
		log.Error("requests bypass the timers: OnNoRoute is registered on the attached sipgo.Server itself, "+
			"or another server was made for the user agent after it", "call_id", v.callID)
		v.settled.Store(true)
	}
	if v.checked && v.reached.Load() {
		v.settled.Store(true)
	}
}

// invited notes that an INVITE leaves through an attached client. At the first one it checks
// for handlers that bypass the timers.
func (t *Timers) invited(invite *sip.Request) {
	if called := &t.servers.called; !called.Load() {
		called.Store(true)
	}
	if !t.servers.settled.Load() {
		t.servers.invited(invite, t.log)
	}
}

func (v *servers) invited(invite *sip.Request, log *slog.Logger) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.check(invite, log)
}

// check logs handlers that bypass the timers. The lock is held.
func (v *servers) check(invite *sip.Request, log *slog.Logger) {
	if v.checked {
		return
	}
	for _, s := range v.all {
		v.checked = true
		past := bypassing(s.Server)
		if len(past) == 0 {
			continue
		}
		log.Error("handlers bypass the timers: register them on the Server that NewServer or Attach returned, not on the sipgo.Server inside it",
			"methods", strings.Join(past, ", "), "call_id", sipmsg.CallID(invite))
		if slices.Contains(past, string(sip.INVITE)) {
			v.settled.Store(true) // no call will reach us
		}
	}
}
