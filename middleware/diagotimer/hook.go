package diagotimer

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// hook connects a Diago with the timers of its user agent.
type hook struct {
	dg         *diago.Diago
	timers     *middleware.Timers
	server     *sipgo.Server
	client     *sipgo.Client // diago's
	lines      *lines        // nil if the application gave the client
	middleware requestMiddleware

	invite, ack learned
	checked     sync.Once
	bypassed    atomic.Bool // diago sends with another client
}

// learned is a handler of diago's, known once the first request has come in.
type learned struct {
	handler atomic.Pointer[sipgo.RequestHandler]
}

func (l *learned) from(handler sipgo.RequestHandler) {
	if l.handler.Load() == nil {
		first := handler // allocates only the first
		l.handler.Store(&first)
	}
}

// place wraps the timers around what diago's options have set. If it returns an error
// diago is unchanged. server may be nil.
func place(dg *diago.Diago, timers *middleware.Timers, server *sipgo.Server) (*hook, error) {
	own := taken(dg)
	h := &hook{dg: dg, timers: timers, server: server, middleware: own.middleware}
	if h.server == nil {
		h.server = own.server
	}
	if err := h.checkServer(); err != nil {
		return nil, err
	}
	if err := h.placeClient(); err != nil {
		return nil, err
	}
	if h.server == nil {
		var err error
		if h.server, err = sipgo.NewServer(timers.UserAgent()); err != nil {
			return nil, &HookError{err.Error()}
		}
	}
	diago.WithServer(h.server)(dg)
	diago.WithServerRequestMiddleware(h.around)(dg)
	return h, nil
}

// checkServer refuses a server that cannot be used.
func (h *hook) checkServer() error {
	switch {
	case h.server == nil:
		return nil
	case h.server.UserAgent != h.timers.UserAgent():
		return &HookError{"the server is of another user agent than the timers"}
	case slices.Contains(h.server.RegisteredMethods(), string(sip.UPDATE)):
		return &HookError{"the server has a handler for UPDATE; give it to timers.Adapter().Handler and register that afterwards"}
	}
	return nil
}

// placeClient makes diago send through the timers: with the client that the application
// gave, or with one for all transports.
func (h *hook) placeClient() error {
	shown := transportsOf(h.dg)
	if len(shown) == 0 { // diago's default
		diago.WithTransport(diago.Transport{Transport: "udp", BindHost: "127.0.0.1", BindPort: 5060})(h.dg)
		shown = transportsOf(h.dg)
	}
	client := shown[0].client
	diago.WithClient(nil)(h.dg)
	shown = transportsOf(h.dg) // each with the client that diago made
	ua := h.timers.UserAgent()
	switch {
	case shown[0].client.UserAgent != ua:
		diago.WithClient(client)(h.dg)
		return &HookError{"the Diago is of another user agent than the timers"}
	case client == shown[0].client:
		lines, err := newLines(h.dg, h.timers, shown)
		if err != nil {
			return err
		}
		h.lines, h.client = lines, lines.client
	default:
		diago.WithClient(client)(h.dg)
		switch {
		case client.UserAgent != ua:
			return &HookError{"the client is of another user agent than the timers"}
		case client.TxRequester != nil:
			return &HookError{"the client has a TxRequester already"}
		}
		client.TxRequester = h.timers.Adapter().Requester(client)
		h.client = client
	}
	diago.WithClient(h.client)(h.dg)
	return nil
}

// around is the middleware. diago calls it for each request.
func (h *hook) around(next sipgo.RequestHandler) sipgo.RequestHandler {
	bare := h.within(next)
	timed := h.timers.Adapter().Handler(bare)
	return func(req *sip.Request, tx sip.ServerTransaction) {
		switch req.Method {
		case sip.INVITE:
			h.invite.from(next)
		case sip.ACK:
			h.ack.from(next)
		}
		h.handle(timed, bare, req, tx)
	}
}

// within wraps the application's middleware around a handler of diago's.
func (h *hook) within(next sipgo.RequestHandler) sipgo.RequestHandler {
	if h.middleware == nil {
		return next
	}
	return h.middleware(next)
}

// handle passes a request to timed, or to bare if diago bypasses the timers.
func (h *hook) handle(timed, bare sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	if opens(req) { // diago looks up its transports for these anyway
		h.checked.Do(func() { h.check(req) })
		if h.lines != nil {
			h.lines.arrived(req) // its transport listens
		}
	}
	if h.bypassed.Load() {
		bare(req, tx)
		return
	}
	timed(req, tx)
}

// check finds out whether a later option of diago replaced our client.
func (h *hook) check(req *sip.Request) {
	if t, ok := transportOf(h.dg, sip.NetworkToLower(req.Transport())); ok && t.client != h.client {
		h.bypassed.Store(true)
		warn(&HookError{"diagotimer.Option must come after diago.WithClient"})
	}
}

// opens reports whether a request starts a call.
func opens(req *sip.Request) bool {
	return req.IsInvite() && req.To() != nil && !req.To().Params.Has("tag")
}

// take registers the handler of UPDATE, and tells the timers about diago, which may send
// at once in calls that were taken over.
func (h *hook) take() {
	timed := h.timers.Adapter().Handler(nil)
	h.server.OnUpdate(func(req *sip.Request, tx sip.ServerTransaction) { h.handle(timed, notAllowed, req, tx) })
	h.timers.Adapter().SetHost(middleware.Host{
		Bye:       byeHandler(h.dg),
		Invite:    h.reInvite,
		Media:     h.reInvite,
		Ack:       h.acknowledge,
		Gone:      gone(h.dg),
		Methods:   h.server.RegisteredMethods,
		ReInvites: true,
		LateOffer: func(d dialogstore.Dialog) bool { return !usesICE(d.SDP) },
	})
}

// reInvite passes a re-INVITE to diago without the timers. Until diago's ACK handler is
// known it refuses re-INVITEs, since an accepted one would need that handler; except in an
// incoming call that waits for its first ACK, where diago itself refuses them.
func (h *hook) reInvite(req *sip.Request, tx sip.ServerTransaction) {
	handler := h.invite.handler.Load()
	if handler == nil || h.ack.handler.Load() == nil && cameIn(h.dg, req) == nil {
		_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusNotAcceptableHere, "Not Acceptable Here", nil))
		return
	}
	h.within(*handler)(req, tx)
}

func (h *hook) acknowledge(req *sip.Request, tx sip.ServerTransaction) {
	if handler := h.ack.handler.Load(); handler != nil {
		h.within(*handler)(req, tx)
	}
}

// usesICE reports whether a session description is that of a WebRTC dialog, in which
// diago refuses a re-INVITE without a description.
func usesICE(sdp []byte) bool { return bytes.Contains(sdp, []byte("a=ice-ufrag:")) }

// notAllowed answers an UPDATE as diago does.
func notAllowed(req *sip.Request, tx sip.ServerTransaction) {
	_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusMethodNotAllowed, "Method Not Allowed", nil))
}
