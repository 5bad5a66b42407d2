// Package diagotimer adds session timers (RFC 4028) to diago, with New in place of
// diago.NewDiago:
//
//	timers, err := middleware.New(ua)
//	dg, err := diagotimer.New(timers, diago.WithTransport(t))
//
// Dialogs, media and handlers of the application stay as they are. A call whose
// peer vanished ends like one that was hung up: its context is cancelled, its
// media closed, its entry gone from diago's cache.
//
// diago does not say which server and which middleware its options gave it. So two
// options of this package stand in for diago's: WithServer and
// WithServerRequestMiddleware. What is given by diago's own options of these names is
// replaced without a word.
package diagotimer

import (
	"slices"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// HookError says why timers cannot be put into a Diago.
type HookError struct{ Reason string }

// Error names the reason.
func (e *HookError) Error() string { return "diagotimer: " + e.Reason }

// New makes a Diago with timers, on the user agent that they are of. It takes what
// diago.NewDiago takes, in any order and with any transports: several of one
// protocol, with port 0, or none at all; but a server and middleware of the
// application's own are given with WithServer and WithServerRequestMiddleware.
// Without WithServer it makes a server.
//
// A server may have handlers of its own, but none for UPDATE; a client given with
// diago.WithClient sends for all transports, as diago has it, and may have no
// TxRequester. Both must be of the timers' user agent. The error is a *HookError.
//
// An UPDATE that changes the session description is answered by diago as a
// re-INVITE would be, once diago has had an INVITE and an ACK that came in: before
// that it is answered 488 (RFC 3311 §5.2), and the peer may send a re-INVITE. Likewise
// diago's media follows the answer to a refresh, which before that is told of by
// sessiontimer.MediaChanged alone.
//
// A call that the application made and closed without a hang-up is refreshed on with
// diago v0.42, which keeps it in its cache: hang up before Close.
//
// Of several transports of one protocol, those after the first are known by the
// Contact of what is sent over them. A first request over one that has an ExternalHost
// leaves from its socket if that is at the port of the Contact and the address of the
// first; else from that of the first, if both have one ExternalHost, or from another.
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

// Option is for applications that call diago.NewDiago themselves. It is the last
// option, behind transports, diago.WithClient and WithServerRequestMiddleware: where no
// transport comes before it, it adds the one that diago would; a client or middleware
// that comes later leaves calls without timers, or with timers that cut them. server must be made with sipgo.NewServer for the user agent of the
// timers, and stands for diago.WithServer; nil is one that WithServer gave, else one
// that is made. ids are not needed any more.
//
// An option cannot return an error: what New would return is logged at level
// error, and calls are as they would be without this package.
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
	sip.DefaultLogger().Error("calls have no session timers", "error", err)
}
