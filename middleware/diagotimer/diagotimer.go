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
	"errors"
	"reflect"
	"sync/atomic"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Option puts timers between diago and its user agent. server must be made with
// sipgo.NewServer for the same user agent and handed to nothing else; ids name
// the transports that have an ID, beside which another of the same protocol
// stands.
//
// The option stands behind diago.WithTransport, and behind and instead of
// diago.WithServer, WithClient and WithServerRequestMiddleware, of which diago
// heeds the last only. With a BindPort of 0 call Rehook once diago serves. An
// option cannot return an error: what could not be hooked is logged at level
// error, and Rehook returns it. Calls over a transport that is not hooked are as
// they would be without this package.
//
// An UPDATE that changes the session description is answered by diago as a
// re-INVITE would be. diago shows its handler only with an INVITE that comes in,
// so until the first one, of whatever call, such an UPDATE is answered 488.
func Option(timers *middleware.Timers, server *sipgo.Server, ids ...string) diago.DiagoOption {
	return func(dg *diago.Diago) {
		diago.WithServer(server)(dg)
		h := &hooks{dg: dg, timers: timers}
		invite := new(inviteHandler)
		diago.WithServerRequestMiddleware(func(next sipgo.RequestHandler) sipgo.RequestHandler {
			return h.guard(timers.Handler(invite.learn(next)), next)
		})(dg)
		timers.SetHost(middleware.Host{
			Bye:       byeHandler(dg),
			Invite:    invite.handle,
			Gone:      gone(dg),
			Methods:   server.RegisteredMethods,
			ReInvites: true,
		})
		server.OnUpdate(h.guard(timers.Handler(nil), notAllowed))
		if err := Rehook(dg, timers, ids...); err != nil {
			sip.DefaultLogger().Error("calls have no session timers", "error", err)
		}
	}
}

// inviteHandler is diago's handler of INVITEs. diago shows it only together with
// an INVITE.
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

// session is what ends a dialog of diago, in every version of it.
type session interface {
	ReadBye(*sip.Request, sip.ServerTransaction) error
	Close() error
}

// byeHandler ends a dialog as diago does when the peer hangs up.
func byeHandler(dg *diago.Diago) sipgo.RequestHandler {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		ctx := context.Background()
		if id, err := sip.DialogIDFromRequestUAS(req); err == nil {
			if d, err := dg.DialogCacheServer().DialogLoad(ctx, id); err == nil {
				hungUp(d, req, tx)
				return
			}
		}
		if id, err := sip.DialogIDFromRequestUAC(req); err == nil {
			if d, err := dg.DialogCacheClient().DialogLoad(ctx, id); err == nil {
				hungUp(d, req, tx)
			}
		}
	}
}

// hungUp tells a dialog of its end. Where a dialog is its media too, before diago
// v0.42, the peer's BYE closes these alone; the rest is the application's.
func hungUp(d session, req *sip.Request, tx sip.ServerTransaction) {
	_ = d.ReadBye(req, tx)
	if m, ok := d.(interface{ Media() *diago.DialogMedia }); ok {
		_ = m.Media().Close()
		return
	}
	_ = d.Close()
}

// gone reports whether the application has closed a dialog without hanging up.
// Such a dialog leaves diago's cache, but for one that it made itself: since
// v0.42 that stays until it has ended.
func gone(dg *diago.Diago) func(dialogstore.Dialog) bool {
	return func(d dialogstore.Dialog) bool {
		ctx := context.Background()
		if in, err := dg.DialogCacheServer().DialogLoad(ctx, sip.DialogIDMake(d.CallID, d.LocalTag, d.RemoteTag)); err == nil {
			return closed(in)
		}
		out, err := dg.DialogCacheClient().DialogLoad(ctx, sip.DialogIDMake(d.CallID, d.RemoteTag, d.LocalTag))
		if err != nil {
			return errors.Is(err, sipgo.ErrDialogDoesNotExists)
		}
		return closed(out)
	}
}

// closed reports whether Close was called on a dialog. diago keeps that to itself,
// in a field of every version; without it a dialog counts as open.
func closed(dialog any) bool {
	field := reflect.ValueOf(dialog).Elem().FieldByName("closed")
	if !field.IsValid() || field.Type() != reflect.TypeFor[atomic.Uint32]() {
		return false
	}
	return (*atomic.Uint32)(field.Addr().UnsafePointer()).Load() != 0
}

// notAllowed answers an UPDATE as diago does.
func notAllowed(req *sip.Request, tx sip.ServerTransaction) {
	_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusMethodNotAllowed, "Method Not Allowed", nil))
}
