package diagotimer

import (
	"bytes"
	"reflect"
	"slices"
	"sync"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// hook is what stands between a Diago and its user agent.
type hook struct {
	timers *middleware.Timers
	lines  *lines        // nil if the application gave a client
	placed func() bool   // whether no option of diago's took the place of ours
	inside fieldsOfDiago // where an option puts what it sets
}

type requestMiddleware = func(next sipgo.RequestHandler) sipgo.RequestHandler

// fieldsOfDiago are those that its options set.
type fieldsOfDiago struct {
	client     **sipgo.Client
	server     **sipgo.Server
	transports *[]diago.Transport
	middleware *requestMiddleware
}

func open(dg *diago.Diago) (f fieldsOfDiago, err error) {
	if f.client, err = inside[*sipgo.Client](dg, "client"); err != nil {
		return f, err
	}
	if f.server, err = inside[*sipgo.Server](dg, "server"); err != nil {
		return f, err
	}
	if f.transports, err = inside[[]diago.Transport](dg, "transports"); err != nil {
		return f, err
	}
	if f.middleware, err = inside[requestMiddleware](dg, "serverMiddleware"); err != nil {
		return f, err
	}
	// What is read later.
	if _, err = inside[*sipgo.Client](new(diago.Transport), "client"); err != nil {
		return f, err
	}
	_, err = inside[handlers](new(sipgo.Server), "requestHandlers")
	return f, err
}

// place puts the timers around what diago's options have set. It changes nothing
// if it returns an error.
func place(dg *diago.Diago, timers *middleware.Timers) (*hook, error) {
	f, err := open(dg)
	if err != nil {
		return nil, err
	}
	h := &hook{timers: timers, inside: f}
	if err := h.check(*f.client, *f.server); err != nil {
		return nil, err
	}
	client := *f.client
	if client != nil {
		client.TxRequester = timers.Requester(client)
	} else {
		if client, err = sipgo.NewClient(timers.UserAgent(), sipgo.WithClientNAT()); err != nil {
			return nil, &HookError{err.Error()}
		}
		h.lines = &lines{timers: timers, transports: f.transports, rest: timers.Requester(client)}
		client.TxRequester = h.lines
		diago.WithClient(client)(dg)
	}
	diago.WithServerRequestMiddleware(h.around(*f.middleware))(dg)
	around := reflect.ValueOf(*f.middleware).Pointer()
	h.placed = sync.OnceValue(func() bool {
		ok := *f.client == client && reflect.ValueOf(*f.middleware).Pointer() == around
		if !ok {
			warn(&HookError{"diagotimer.Option must come after diago.WithClient and diago.WithServerRequestMiddleware"})
		}
		return ok
	})
	return h, nil
}

// check refuses what the application has given to diago and cannot be used.
func (h *hook) check(client *sipgo.Client, server *sipgo.Server) error {
	ua := h.timers.UserAgent()
	switch {
	case client != nil && client.UserAgent != ua:
		return &HookError{"the client is of another user agent than the timers"}
	case client != nil && client.TxRequester != nil:
		return &HookError{"the client has a TxRequester already"}
	case server != nil && server.UserAgent != ua:
		return &HookError{"the server is of another user agent than the timers"}
	case server != nil && slices.Contains(server.RegisteredMethods(), string(sip.UPDATE)):
		return &HookError{"the server has a handler for UPDATE; give it to timers.Handler and register that afterwards"}
	}
	return nil
}

// around makes the middleware. diago asks for it anew for each request.
func (h *hook) around(app requestMiddleware) requestMiddleware {
	return func(next sipgo.RequestHandler) sipgo.RequestHandler {
		if app != nil {
			next = app(next)
		}
		timed := h.timers.Handler(next)
		return func(req *sip.Request, tx sip.ServerTransaction) {
			if r, ok := tx.(*revealing); ok {
				r.handler = next
				return
			}
			h.handle(timed, next, req, tx)
		}
	}
}

// handle gives a request to timed, or to bare if diago sends past the timers.
func (h *hook) handle(timed, bare sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	if !h.placed() {
		bare(req, tx)
		return
	}
	if h.lines != nil {
		h.lines.find(req.Transport(), nil) // refreshes of this call leave over it
	}
	timed(req, tx)
}

// take takes over UPDATE, and tells the timers about diago.
func (h *hook) take(dg *diago.Diago) {
	server := *h.inside.server
	h.timers.SetHost(middleware.Host{
		Bye:       byeHandler(dg),
		Invite:    func(req *sip.Request, tx sip.ServerTransaction) { h.reveal(sip.INVITE)(req, tx) },
		Media:     func(req *sip.Request, tx sip.ServerTransaction) { h.reveal(sip.INVITE)(req, tx) },
		Ack:       func(req *sip.Request, tx sip.ServerTransaction) { h.reveal(sip.ACK)(req, tx) },
		Gone:      gone(dg),
		Methods:   server.RegisteredMethods,
		ReInvites: true,
		LateOffer: func(d dialogstore.Dialog) bool { return !usesICE(d.SDP) },
	})
	timed := h.timers.Handler(nil)
	server.OnUpdate(func(req *sip.Request, tx sip.ServerTransaction) { h.handle(timed, notAllowed, req, tx) })
}

// usesICE reports whether a description is that of a WebRTC dialog. diago refuses a
// re-INVITE without one in these.
func usesICE(sdp []byte) bool { return bytes.Contains(sdp, []byte("a=ice-ufrag:")) }

// notAllowed answers an UPDATE as diago does.
func notAllowed(req *sip.Request, tx sip.ServerTransaction) {
	_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusMethodNotAllowed, "Method Not Allowed", nil))
}

// handlers are those of a server.
type handlers = map[sip.RequestMethod]sipgo.RequestHandler

// revealing is the transaction of a request that has the middleware show diago's
// handler, and goes no further.
type revealing struct {
	sip.ServerTransaction
	handler sipgo.RequestHandler
}

// reveal is diago's handler of a method, past the timers.
func (h *hook) reveal(method sip.RequestMethod) sipgo.RequestHandler {
	all, err := inside[handlers](*h.inside.server, "requestHandlers")
	if err != nil {
		return notAllowed // found out when the timers were put in place
	}
	r := &revealing{handler: notAllowed}
	(*all)[method](sip.NewRequest(method, sip.Uri{}), r)
	return r.handler
}
