package diagotimer

import (
	"fmt"
	"strings"
	"sync"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// transports are those that diago knows.
var transports = []string{"udp", "tcp", "tls", "ws", "wss"}

// setup is held while clients are hooked. The goroutine of a request takes it
// before diago uses a client, which makes Rehook safe while diago serves.
var setup sync.Mutex

// HookError says that calls over some transports have no session timers, because
// the client that diago sends with could not be reached.
type HookError struct{ Reason string }

// Error names the reason.
func (e *HookError) Error() string { return "diagotimer: " + e.Reason }

// Rehook reaches for the clients of diago's transports once more: diago makes
// new ones for transports with BindPort 0 when it begins to listen, so call it
// after ServeBackground and before the first call, with the ids given to Option.
// The error is a *HookError.
func Rehook(dg *diago.Diago, timers *middleware.Timers, ids ...string) error {
	setup.Lock()
	defer setup.Unlock()
	var missing, taken []string
	hooked := 0
	try := func(name string, client *sipgo.Client) {
		switch {
		case client == nil:
			missing = append(missing, name)
		case !hook(client, timers, name):
			taken = append(taken, name)
		default:
			hooked++
		}
	}
	for _, name := range transports {
		try(name, clientOf(dg, diago.NewDialogOptions{Transport: name}))
	}
	missing = nil // nobody has all five
	for _, id := range ids {
		try(id, clientOf(dg, diago.NewDialogOptions{TransportID: id}))
	}
	switch {
	case len(missing) > 0:
		return &HookError{fmt.Sprintf("no transport has the ID %s", strings.Join(missing, ", "))}
	case len(taken) > 0:
		return &HookError{fmt.Sprintf("the client for %s has a TxRequester already", strings.Join(taken, ", "))}
	case hooked == 0:
		return &HookError{"no transport to hook; diagotimer.Option must come after diago.WithTransport"}
	}
	return nil
}

// requester marks a client that is hooked.
type requester struct {
	sipgo.ClientTransactionRequester
	timers *middleware.Timers
}

// hook sets the requester of a client; false if it has one of somebody else.
func hook(client *sipgo.Client, timers *middleware.Timers, name string) bool {
	if client.TxRequester == nil {
		client.TxRequester = requester{timers.Requester(client, name), timers}
	}
	return hookedBy(client, timers)
}

func hookedBy(client *sipgo.Client, timers *middleware.Timers) bool {
	r, ok := client.TxRequester.(requester)
	return ok && r.timers == timers
}

// clientOf is the client of a transport, nil if there is no such transport. A
// dialog that is never sent shows it without any I/O.
func clientOf(dg *diago.Diago, opts diago.NewDialogOptions) *sipgo.Client {
	d, err := dg.NewDialog(sip.Uri{Scheme: "sip", Host: "hook.invalid"}, opts)
	if err != nil {
		return nil
	}
	defer func() { _ = d.Close() }()
	return d.UA.Client
}

// hooks knows which transports are hooked. Where one is not, what diago sends
// would not be numbered together with the refreshes, so calls that come in over
// it must do without timers.
type hooks struct {
	dg     *diago.Diago
	timers *middleware.Timers
	on     sync.Map // transports that are hooked
	warned sync.Map // and that were found not to be
}

// guard hands a request to timed, or to bare if its transport is not hooked.
func (h *hooks) guard(timed, bare sipgo.RequestHandler) sipgo.RequestHandler {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		if h.hooked(sip.NetworkToLower(req.Transport())) {
			timed(req, tx)
		} else {
			bare(req, tx)
		}
	}
}

func (h *hooks) hooked(transport string) bool {
	if _, ok := h.on.Load(transport); ok {
		return true
	}
	setup.Lock()
	client := clientOf(h.dg, diago.NewDialogOptions{Transport: transport})
	hooked := client != nil && hookedBy(client, h.timers)
	setup.Unlock()
	if hooked {
		h.on.Store(transport, true)
	} else if _, again := h.warned.LoadOrStore(transport, true); !again {
		sip.DefaultLogger().Error("calls have no session timers", "transport", transport, "error", &HookError{
			"the transport is not hooked; call Rehook after ServeBackground, or put diagotimer.Option after diago.WithTransport"})
	}
	return hooked
}
