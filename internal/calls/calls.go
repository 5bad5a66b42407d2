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

// Config is the configuration by the options of package middleware.
type Config struct {
	Policy     sessiontimer.Policy // of calls for which PolicyFunc chooses no other
	PolicyFunc PolicyFunc          // may be nil
	OnEvent    func(sessiontimer.Event)
	Log        *slog.Logger
	StatsBy    func(dialogstore.Dialog) string // may be nil

	AnswerUpdate   bool  // even if the application has a handler for UPDATE
	AnswerReInvite *bool // nil: depends on the application
	OfferUpdate    *bool // nil: depends on the application
}

// Calls are the calls of one user agent. The methods may be called concurrently.
type Calls struct {
	Store   *dialogstore.Observed
	Sets    *dialogset.Sets
	Log     *slog.Logger
	Workers *workers.Workers // run functions of the application, which may take long
	Context context.Context  // ends when the timers are closed

	// Proved is called when the peer of a dialog has proved that it is there.
	Proved func(dialogstore.ID)
	// Elsewhere reports whether another node owns a call that this one does not know, and
	// whether the answer is certain; nil if calls are not shared.
	Elsewhere func(context.Context, dialogstore.ID) (is, sure bool)
	// Ask sends a refresh in a call that was taken over, to learn whether the peer still has
	// the session; nil if calls are not shared.
	Ask func(dialogstore.ID)
	// HandedOver reports whether other nodes own all calls from now on.
	HandedOver func() bool

	Relays    Relays
	OwnTimers OwnTimers
	Figures   Figures

	config    Config
	adopted   adopted
	listeners listeners
	app       atomic.Pointer[application]
	leftAlone atomic.Bool // LeaveAlone was called
	socket    atomic.Pointer[string]
}

// New returns Calls that end with ctx. The caller must set Store and Proved.
func New(ctx context.Context, config Config) *Calls {
	c := &Calls{HandedOver: func() bool { return false }, Sets: dialogset.New(), Log: config.Log, Workers: workers.New(), Context: ctx, config: config, Figures: newFigures(config.StatsBy)}
	c.SetApplication(Application{})
	return c
}

// CameInAt notes the address of our socket that received a call, as host:port.
func (c *Calls) CameInAt(addr string) {
	if last := c.socket.Load(); addr != "" && (last == nil || *last != addr) {
		kept := addr // a pointer to addr would allocate for each call
		c.socket.Store(&kept)
	}
}

// Socket returns the address of our socket that received the latest call; empty if there was
// none.
func (c *Calls) Socket() string {
	if last := c.socket.Load(); last != nil {
		return *last
	}
	return ""
}

// Detached returns ctx without its deadline and cancellation, for work that must be finished
// once it has begun.
func Detached(ctx context.Context) context.Context {
	if ctx.Done() == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}
