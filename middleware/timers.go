package middleware

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/boundedlog"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
	"github.com/sipgo-contrib/sessiontimer/internal/workers"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// ErrClosed is returned by Restore after Close.
var ErrClosed = errors.New("middleware: timers are closed")

// Timers runs the session timers of one user agent. All methods may be called
// by any number of goroutines, but NewServer, Attach, Handler, Requester and
// SetHost belong before the first message.
type Timers struct {
	opts      options
	ua        *sipgo.UserAgent
	log       *slog.Logger
	store     *dialogstore.Observed
	adopt     func(context.Context) error           // loads what the process before stored
	proved    func(context.Context, dialogstore.ID) // the peer is there: its dialog may be stored
	refresher *refresher.Scheduler
	sets      *dialogset.Sets
	workers   *workers.Workers // for the responses to INVITEs and UPDATEs, and BYEs to the application
	steps     workers.Crew     // what sipgo may take long to do for us
	host      atomic.Pointer[host]
	leftAlone atomic.Bool // a call that could not be kept
	servers   servers
	relays    relays
	ownTimers ownTimers
	ctx       context.Context // ends with Close
	cancel    context.CancelFunc

	mu         sync.Mutex
	requesters map[string][]*requester // by transport, in order; "" are those for the rest
}

// host is the Host that was set last.
type host struct {
	Host
	allow func() sip.Header // for an application that sends none
}

// Host is what an adapter tells of the stack above, in SetHost.
type Host struct {
	// Bye ends the application's dialog: it gets a BYE as if the peer had sent
	// it, and a transaction that answers nobody.
	Bye sipgo.RequestHandler
	// Invite gets changed offers of UPDATEs, as re-INVITEs. May be nil.
	Invite sipgo.RequestHandler
	// Ack gets an ACK after each INVITE that Invite or Media accepts. May be nil.
	Ack sipgo.RequestHandler
	// Media gets a description of the peer that the application has not seen, as a
	// re-INVITE within the call which needs no answer: the answer to a refresh of ours
	// told of other media. May be nil.
	Media sipgo.RequestHandler
	// Gone reports whether the application has dropped a dialog without a BYE, so that
	// nobody would miss the call. It is asked at each refresh, ours or the peer's.
	// May be nil.
	Gone func(dialogstore.Dialog) bool
	// Methods lists what the application handles, for Allow. May be nil.
	Methods func() []string
	// ReInvites says that the application answers re-INVITEs itself.
	ReInvites bool
	// LateOffer reports whether it also answers one that has no session description,
	// with an offer (RFC 3261 §14.2). Where it does not, the timers do. Nil: always.
	LateOffer func(dialogstore.Dialog) bool
}

// New makes the timers of a user agent. The error is a *sessiontimer.ConfigError
// that names the option and what is allowed.
func New(ua *sipgo.UserAgent, opts ...Option) (*Timers, error) {
	o := defaultOptions()
	for _, opt := range opts {
		opt(&o)
	}
	o.policy.MinSE = o.policy.Floor()
	if o.minSE != nil {
		o.policy.MinSE = *o.minSE
	}
	if o.logger == nil {
		o.logger = defaultOptions().logger
	}
	o.logger = slog.New(boundedlog.New(containedLog{o.logger.Handler()}))
	if ua == nil {
		return nil, &sessiontimer.ConfigError{Option: "UserAgent", Value: ua, Allowed: "a user agent of sipgo.NewUA"}
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	t := &Timers{
		opts:       o,
		ua:         ua,
		log:        o.logger,
		refresher:  refresher.New(),
		sets:       dialogset.New(),
		workers:    workers.New(),
		requesters: make(map[string][]*requester),
		adopt:      func(context.Context) error { return nil },
		proved:     func(context.Context, dialogstore.ID) {},
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.SetHost(Host{})
	memory := dialogstore.NewMemory()
	t.store = dialogstore.Observe(memory, t.refresher, observer{t})
	if o.store != nil {
		k := kept{Memory: memory, copies: o.store, unproved: new(sync.Map), policy: o.policy, log: o.logger}
		t.store, t.adopt = dialogstore.Observe(k, t.refresher, observer{t}), k.adopt
		t.proved = k.proved
	}
	t.refresher.Configure(refresher.Config{Store: t.store, Pipeline: pipeline{t}, Event: t.tell, Logger: o.logger,
		Jitter: o.jitter, Limits: o.limits})
	return t, nil
}

// SetHost tells the middleware about the stack above. Attach and diagotimer do
// this; it is for adapters to other stacks and hand-written handler chains.
func (t *Timers) SetHost(h Host) {
	t.host.Store(&host{Host: h, allow: sync.OnceValue(h.allowField)})
}

// UserAgent is the one given to New.
func (t *Timers) UserAgent() *sipgo.UserAgent { return t.ua }

// Store tells the state of every call. Only read it: what is written there
// changes or ends the timers of a call.
func (t *Timers) Store() dialogstore.Store { return t.store }

// Restore takes up the calls of a store that survived the process. Call it once,
// after Attach and before the first message; what is overdue happens at once,
// within WithRefreshLimits. Calls whose application dialogs are not restored by the application still get
// their refreshes and, if the peer is gone, a BYE.
func (t *Timers) Restore(ctx context.Context) error {
	if t.ctx.Err() != nil {
		return ErrClosed
	}
	if err := t.adopt(ctx); err != nil {
		return err
	}
	return t.refresher.Restore(ctx)
}

// Close stops all timers and gives up the refreshes under way; no call is hung up
// and the store keeps its dialogs. What the application still sends within its calls
// is numbered on, and further calls have no timers. Close it before the user agent.
//
// It waits for 5 s at most, and returns a *CloseError if something does not end; it
// may be called again, to wait on.
func (t *Timers) Close() error {
	t.cancel()
	t.sets.Close()
	t.workers.Stop()
	begun := time.Now()
	left := t.refresher.CloseWithin(closePatience)
	if left += t.steps.WaitFor(closePatience - time.Since(begun)); left > 0 {
		return &CloseError{left}
	}
	return nil
}

// policyFor is the policy of a new call.
func (t *Timers) policyFor(invite *sip.Request, outgoing bool) sessiontimer.Policy {
	if t.ctx.Err() != nil {
		return sessiontimer.Policy{} // nobody would keep what was promised
	}
	base := t.opts.policy
	if t.opts.policyFunc == nil {
		return base
	}
	p := t.askPolicy(invite, outgoing, base)
	if err := p.Validate(); err != nil {
		t.log.Error("policy of the call is invalid, using the default", "call_id", sipmsg.CallID(invite), "error", err)
		return base
	}
	return p
}

// askPolicy is policyFunc, or base if that panics.
func (t *Timers) askPolicy(invite *sip.Request, outgoing bool, base sessiontimer.Policy) (p sessiontimer.Policy) {
	p = base
	defer t.contain("policy function", dialogstore.ID{CallID: sipmsg.CallID(invite)})
	return t.opts.policyFunc(invite, outgoing, base)
}

// leavesCallsAlone reports whether there may be calls which the timers know nothing of.
func (t *Timers) leavesCallsAlone() bool {
	return t.leftAlone.Load() || t.relays.any.Load() || t.opts.policy.Mode == sessiontimer.Off || t.opts.policyFunc != nil
}

// answersUpdate tells whether an incoming UPDATE reaches this middleware, so
// that Allow may say so.
func (t *Timers) answersUpdate() bool { return t.host.Load().Methods != nil }

func (t *Timers) answersReInvite() bool {
	if t.opts.answerReInvite != nil {
		return *t.opts.answerReInvite
	}
	return !t.host.Load().ReInvites && !t.ownTimers.Load()
}

func (t *Timers) offersUpdate() bool {
	if t.opts.offerUpdate != nil {
		return *t.opts.offerUpdate
	}
	return t.host.Load().ReInvites
}

// detached is ctx without its end, for what must be finished once it has begun.
func detached(ctx context.Context) context.Context {
	if ctx.Done() == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}
