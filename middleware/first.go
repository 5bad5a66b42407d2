package middleware

import (
	"sync"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// firstTx is the transaction of a first INVITE as the application sees it. Dialogs
// keep theirs for as long as a call lasts, so it lets go of what it took to answer.
type firstTx struct {
	sip.ServerTransaction

	mu   sync.Mutex
	in   *incoming     // nil once there is a 2xx
	sent *sip.Response // the 2xx
}

// Respond implements sip.ServerTransaction.
func (f *firstTx) Respond(res *sip.Response) error {
	f.mu.Lock()
	in, sent := f.in, f.sent
	if res.IsSuccess() && in != nil && !in.relayed() {
		f.in, f.sent = nil, res
	}
	f.mu.Unlock()
	switch {
	case in == nil:
		if res.IsSuccess() {
			again(sent, res)
		}
		return f.ServerTransaction.Respond(res)
	case !res.IsSuccess():
		return in.Respond(res)
	}
	err := in.Respond(res)
	if err != nil {
		f.mu.Lock()
		f.in, f.sent = in, nil // it was not sent, another may be
		f.mu.Unlock()
	}
	return err
}

// again marks a 2xx that was built anew like the one sent.
func again(sent, res *sip.Response) {
	if res == sent {
		return
	}
	for _, h := range sent.Headers() {
		switch name := h.Name(); name {
		case "Supported", "Require", "Allow", sessiontimer.HeaderSessionExpires:
			sipmsg.Set(res, name, "", h.Value())
		}
	}
}
