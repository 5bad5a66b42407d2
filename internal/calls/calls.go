package calls

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/workers"
)

// Config is what the application has chosen.
type Config struct {
	Policy     sessiontimer.Policy // of calls for which PolicyFunc says nothing else
	PolicyFunc PolicyFunc          // may be nil
	OnEvent    func(sessiontimer.Event)
	Log        *slog.Logger
	StatsBy    func(dialogstore.Dialog) string // may be nil

	AnswerUpdate   bool  // although the application has a handler for UPDATE
	AnswerReInvite *bool // nil for what suits the application
	OfferUpdate    *bool // likewise
}

// Calls are the calls of one user agent. Its methods may be called by any number of
// goroutines.
type Calls struct {
	Store   *dialogstore.Observed
	Sets    *dialogset.Sets
	Log     *slog.Logger
	Workers *workers.Workers // for what an application may take long to do
	Context context.Context  // ends with the timers

	// Proved tells the store that the peer of a dialog is there.
	Proved func(dialogstore.ID)
	// Elsewhere asks the other nodes whether one of them has a call that this one does
	// not; nil where calls are not shared.
	Elsewhere func(context.Context, dialogstore.ID) bool

	Relays    Relays
	OwnTimers OwnTimers
	Figures   Figures

	config    Config
	adopted   adopted
	listeners listeners
	app       atomic.Pointer[application]
	leftAlone atomic.Bool // a call that could not be kept
	socket    atomic.Pointer[string]
}

// New makes calls that end with ctx. Whoever calls it sets Store and Proved.
func New(ctx context.Context, config Config) *Calls {
	c := &Calls{Sets: dialogset.New(), Log: config.Log, Workers: workers.New(), Context: ctx, config: config, Figures: newFigures(config.StatsBy)}
	c.SetApplication(Application{})
	return c
}

// CameInAt notes the socket of ours at which a call came in, as host:port.
func (c *Calls) CameInAt(addr string) {
	if last := c.socket.Load(); addr != "" && (last == nil || *last != addr) {
		c.socket.Store(&addr)
	}
}

// Socket is where a call came in last; empty if none did.
func (c *Calls) Socket() string {
	if last := c.socket.Load(); last != nil {
		return *last
	}
	return ""
}

// Detached is ctx without its end, for what must be finished once it has begun.
func Detached(ctx context.Context) context.Context {
	if ctx.Done() == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}
