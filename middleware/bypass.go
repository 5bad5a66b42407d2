package middleware

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// servers are the attached servers of the user agent. sipgo hands all requests to
// the server that was made last; the timers tell its application.
//
// They also look for what bypasses the timers, at the first INVITE of
// either direction and until a request has reached a handler of ours, and an INVITE
// a client of ours. Afterwards a message costs one atomic load.
type servers struct {
	active  atomic.Pointer[Server] // where requests arrive, or the last handler was registered
	reached atomic.Bool            // a request has arrived there
	settled atomic.Bool            // there is nothing left to look for in requests
	called  atomic.Bool            // an INVITE has left through a client of ours, or its absence was logged

	mu      sync.Mutex
	all     []*Server
	checked bool   // for handlers that bypass the timers
	callID  string // of an INVITE that may bypass us
}

// bypassing are the methods, of those that the timers must see, for which a
// sipgo.Server has a handler. Handlers behind the timers are not in its table.
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

// add takes up a server. The first one comes with a look at what arrives: sipgo
// calls it for each message, after it has begun to hand it on.
func (t *Timers) add(s *Server) {
	t.servers.mu.Lock()
	defer t.servers.mu.Unlock()
	t.servers.all = append(t.servers.all, s)
	if len(t.servers.all) == 1 {
		t.ua.TransportLayer().OnMessage(t.look)
	}
}

// changed notes that the handlers of s did.
func (t *Timers) changed(s *Server) {
	if !t.servers.reached.Load() || t.servers.active.Load() == s {
		t.servers.active.Store(s)
		t.setHost(s.host())
	}
}

// reach notes that a request arrives at s.
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
			t.lookAt(m)
		}
	case *sip.Response:
		if !t.servers.called.Load() {
			t.lookAtAnswer(m)
		}
	}
}

// lookAtAnswer looks for a call that the application made with another client. The
// answer to a refresh of ours, in a call that came in, is none.
func (t *Timers) lookAtAnswer(res *sip.Response) {
	if !res.IsSuccess() || res.CSeq() == nil || res.CSeq().MethodName != sip.INVITE {
		return
	}
	id := sipmsg.CallID(res)
	if t.calls.Sets.Find(id, sipmsg.FromTag(res)) == nil && t.servers.called.CompareAndSwap(false, true) {
		t.log.Error("an INVITE bypassed the timers: make its client with NewClient, or give it to Attach", "call_id", id)
	}
}

func (t *Timers) lookAt(req *sip.Request) {
	v := &t.servers
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case req.IsInvite() && sipmsg.ToTag(req) == "":
		v.callID = sipmsg.CallID(req)
		t.check(req)
	case req.IsAck() && v.callID == sipmsg.CallID(req) && !v.reached.Load():
		// Whoever sends an ACK had a response, and it was not ours.
		t.log.Error("requests bypass the timers: OnNoRoute is registered on the attached sipgo.Server itself, "+
			"or another server was made for the user agent after it", "call_id", v.callID)
		v.settled.Store(true)
	}
	if v.checked && v.reached.Load() {
		v.settled.Store(true)
	}
}

// invited notes that an INVITE leaves through a client of ours. With the first one it
// looks for handlers that bypass the timers.
func (t *Timers) invited(invite *sip.Request) {
	if called := &t.servers.called; !called.Load() {
		called.Store(true)
	}
	if t.servers.settled.Load() {
		return
	}
	t.servers.mu.Lock()
	defer t.servers.mu.Unlock()
	t.check(invite)
}

// check logs handlers that bypass the timers. servers.mu is held.
func (t *Timers) check(invite *sip.Request) {
	v := &t.servers
	if v.checked {
		return
	}
	for _, s := range v.all {
		v.checked = true
		past := bypassing(s.Server)
		if len(past) == 0 {
			continue
		}
		t.log.Error("handlers bypass the timers: register them on what NewServer or Attach returned, not on the sipgo.Server inside",
			"methods", strings.Join(past, ", "), "call_id", sipmsg.CallID(invite))
		if slices.Contains(past, string(sip.INVITE)) {
			v.settled.Store(true) // no call will reach us
		}
	}
}
