// Package diagotimer adds session timers (RFC 4028) to diago with one option:
//
//	timers, err := middleware.New(ua)
//	dg := diago.NewDiago(ua, diago.WithTransport(t), diagotimer.Option(timers, server))
//
// Dialogs, media and handlers of the application stay as they are. A call whose
// peer vanished ends like one that was hung up: its context is cancelled, its
// media closed, its entry gone from diago's cache.
package diagotimer

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// transports are those that diago knows.
var transports = []string{"udp", "tcp", "tls", "ws", "wss"}

// HookError says that calls made by diago have no session timers, because the
// client of a transport could not be reached.
type HookError struct{ Reason string }

func (e *HookError) Error() string { return "diagotimer: " + e.Reason }

// Option puts timers between diago and its user agent. server must be made with
// sipgo.NewServer for the same user agent and handed to nothing else; ids name
// the transports that have an ID, beside which another of the same protocol
// stands.
//
// The option stands behind diago.WithTransport, and behind and instead of
// diago.WithServer, WithClient and WithServerRequestMiddleware, of which diago
// heeds the last only. With a BindPort of 0 call Rehook once diago serves. An
// option cannot return an error: what could not be hooked is logged at level
// error, and Rehook returns it.
func Option(timers *middleware.Timers, server *sipgo.Server, ids ...string) diago.DiagoOption {
	return func(dg *diago.Diago) {
		diago.WithServer(server)(dg)
		invite := new(inviteHandler)
		diago.WithServerRequestMiddleware(func(next sipgo.RequestHandler) sipgo.RequestHandler {
			return timers.Handler(invite.learn(next))
		})(dg)
		timers.SetHost(middleware.Host{
			Bye:       byeHandler(dg),
			Invite:    invite.handle,
			Methods:   server.RegisteredMethods,
			ReInvites: true,
		})
		server.OnUpdate(timers.Handler(nil))
		if err := Rehook(dg, timers, ids...); err != nil {
			slog.Default().Error("calls out have no session timers", "error", err)
		}
	}
}

// Rehook reaches for the clients of diago's transports once more: diago makes
// new ones for transports with BindPort 0 when it begins to listen, so call it
// after ServeBackground and before the first call. The error is a *HookError.
func Rehook(dg *diago.Diago, timers *middleware.Timers, ids ...string) error {
	hooked := 0
	for _, tr := range transports {
		if hook(dg, timers, diago.NewDialogOptions{Transport: tr}, tr) {
			hooked++
		}
	}
	var missing []string
	for _, id := range ids {
		if !hook(dg, timers, diago.NewDialogOptions{TransportID: id}, id) {
			missing = append(missing, id)
		}
	}
	switch {
	case len(missing) > 0:
		return &HookError{fmt.Sprintf("no transport has the ID %s", strings.Join(missing, ", "))}
	case hooked == 0 && len(ids) == 0:
		return &HookError{"no transport to hook; diagotimer.Option must come after diago.WithTransport"}
	}
	return nil
}

// hook sets the requester of one transport's client. A dialog that is never
// sent shows the client without any I/O.
func hook(dg *diago.Diago, timers *middleware.Timers, opts diago.NewDialogOptions, names ...string) bool {
	d, err := dg.NewDialog(sip.Uri{Scheme: "sip", Host: "hook.invalid"}, opts)
	if err != nil {
		return false
	}
	defer func() { _ = d.Close() }()
	client := d.UA.Client
	if client.TxRequester == nil {
		client.TxRequester = timers.Requester(client, names...)
	}
	return true
}

// inviteHandler is diago's handler of INVITEs. diago shows it only together with
// an INVITE, so it is unknown, and an offer in an UPDATE refused, before the
// first one came.
type inviteHandler struct {
	handler atomic.Pointer[sipgo.RequestHandler]
}

func (h *inviteHandler) learn(next sipgo.RequestHandler) sipgo.RequestHandler {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		if req.IsInvite() && h.handler.Load() == nil {
			h.handler.Store(&next)
		}
		next(req, tx)
	}
}

func (h *inviteHandler) handle(req *sip.Request, tx sip.ServerTransaction) {
	if next := h.handler.Load(); next != nil {
		(*next)(req, tx)
	}
}

// byeHandler ends a dialog as diago does when the peer hangs up.
func byeHandler(dg *diago.Diago) sipgo.RequestHandler {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		ctx := context.Background()
		if id, err := sip.DialogIDFromRequestUAS(req); err == nil {
			if d, err := dg.DialogCacheServer().DialogLoad(ctx, id); err == nil {
				_ = d.ReadBye(req, tx)
				_ = d.DialogMedia.Close()
				return
			}
		}
		if id, err := sip.DialogIDFromRequestUAC(req); err == nil {
			if d, err := dg.DialogCacheClient().DialogLoad(ctx, id); err == nil {
				_ = d.ReadBye(req, tx)
				_ = d.DialogMedia.Close()
			}
		}
	}
}
