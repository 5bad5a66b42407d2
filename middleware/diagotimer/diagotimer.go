// Package diagotimer adds session timers (RFC 4028) to diago, with New in place of
// diago.NewDiago:
//
//	timers, err := middleware.New(ua)
//	dg, err := diagotimer.New(timers, diago.WithTransport(t))
//
// Dialogs, media and handlers of the application stay as they are. A call whose
// peer vanished ends like one that was hung up: its context is cancelled, its
// media closed, its entry gone from diago's cache.
package diagotimer

import (
	"slices"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// New makes a Diago with timers, on the user agent that they are of. It takes what
// diago.NewDiago takes, in any order and with any transports: several of one
// protocol, with port 0, or none at all.
//
// A server given with diago.WithServer may have handlers of its own, but none for
// UPDATE; a client given with diago.WithClient sends for all transports, as diago
// has it, and may have no TxRequester. Both must be of the timers' user agent. The
// error is a *HookError, also where this version of diago is not supported.
//
// An UPDATE that changes the session description is answered by diago as a
// re-INVITE would be. Middleware given with diago.WithServerRequestMiddleware gets
// the requests that diago gets.
func New(timers *middleware.Timers, opts ...diago.DiagoOption) (*diago.Diago, error) {
	var h *hook
	var err error
	dg := diago.NewDiago(timers.UserAgent(), append(slices.Clone(opts), func(dg *diago.Diago) { h, err = place(dg, timers) })...)
	if err != nil {
		return nil, err
	}
	h.take(dg)
	if h.lines != nil {
		for _, transport := range []string{"udp", "tcp", "tls", "ws", "wss"} {
			h.lines.find(transport, nil) // for Restore, which sends before anything comes in
		}
	}
	return dg, nil
}

// Option is for applications that call diago.NewDiago themselves. server must be
// made with sipgo.NewServer for the user agent of the timers. The option stands
// behind diago.WithClient and diago.WithServerRequestMiddleware, of which diago
// heeds the last only, and instead of diago.WithServer; transports may come before
// and after it. ids are not needed any more.
//
// An option cannot return an error: what New would return is logged at level
// error, and calls are as they would be without this package.
func Option(timers *middleware.Timers, server *sipgo.Server, ids ...string) diago.DiagoOption {
	return func(dg *diago.Diago) {
		diago.WithServer(server)(dg)
		h, err := place(dg, timers)
		if err != nil {
			warn(err)
			return
		}
		h.take(dg)
	}
}

func warn(err error) {
	sip.DefaultLogger().Error("calls have no session timers", "error", err)
}
