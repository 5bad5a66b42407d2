// Package diagotimer adds session timers (RFC 4028) to diago, with New in place of
// diago.NewDiago:
//
//	timers, err := middleware.New(ua)
//	dg, err := diagotimer.New(timers, diago.WithTransport(t))
//
// The application keeps its dialogs, media and handlers. A call whose peer vanished ends
// like one that was hung up: its context is cancelled, its media is closed, and it
// leaves diago's cache.
//
// Use WithServer and WithServerRequestMiddleware of this package instead of diago's
// options of these names. New silently replaces what diago's own options set, because
// diago has no way to ask for its server and middleware.
package diagotimer

import (
	"slices"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// HookError is the reason why timers cannot be added to a Diago.
type HookError struct{ Reason string }

// Error names the reason.
func (e *HookError) Error() string { return "diagotimer: " + e.Reason }

// New makes a Diago with timers, on the user agent of the timers. It takes the options of
// diago.NewDiago, in any order and with any transports: several of one protocol, with
// port 0, or none at all. Pass your own server and middleware with WithServer and
// WithServerRequestMiddleware. Without WithServer, New makes a server.
//
// A server may have handlers already, but none for UPDATE. A client given with
// diago.WithClient sends for all transports, as in diago, and must have no TxRequester.
// Both must belong to the timers' user agent. Errors are a *HookError.
//
// diago answers an UPDATE that changes the session description like a re-INVITE, once it
// has received an INVITE and an ACK. Before that the UPDATE is answered 488 (RFC 3311
// §5.2), and the peer may send a re-INVITE. Likewise, diago's media follows the answer to
// a refresh only from then on; before that there is only the event
// sessiontimer.MediaChanged.
//
// With diago v0.42, a call that the application made and closed without hanging up stays
// in diago's cache and is still refreshed: hang up before Close.
//
// If a protocol has several transports, those after the first are recognised by the
// Contact of the requests sent over them. The first request over a transport with an
// ExternalHost leaves from its socket if that has the port of the Contact and the address
// of the first transport. Otherwise it leaves from the socket of the first transport if
// both have the same ExternalHost, and from another one if not.
func New(timers *middleware.Timers, opts ...diago.DiagoOption) (*diago.Diago, error) {
	var h *hook
	var err error
	dg := diago.NewDiago(timers.UserAgent(), append(slices.Clone(opts), func(dg *diago.Diago) { h, err = place(dg, timers, nil) })...)
	if err != nil {
		return nil, err
	}
	h.take()
	return dg, nil
}

// Option is for applications that call diago.NewDiago themselves. It must be the last
// option, after transports, diago.WithClient and WithServerRequestMiddleware. If no
// transport comes before it, it adds diago's default. After a client or middleware that
// comes later, calls have no timers, or timers that cut them off.
//
// server replaces diago.WithServer, and must be made with sipgo.NewServer for the user
// agent of the timers. If it is nil, Option takes the one from WithServer or makes one.
// ids are ignored.
//
// An option cannot return an error: the errors of New are logged at level error instead,
// and calls have no timers.
func Option(timers *middleware.Timers, server *sipgo.Server, ids ...string) diago.DiagoOption {
	return func(dg *diago.Diago) {
		h, err := place(dg, timers, server)
		if err != nil {
			warn(err)
			return
		}
		h.take()
	}
}

func warn(err error) {
	sip.DefaultLogger().Error("diagotimer: setup failed, calls have no session timers", "error", err)
}
