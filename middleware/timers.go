package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/emiago/sipgo"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/boundedlog"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/client"
	"github.com/sipgo-contrib/sessiontimer/internal/ownership"
	"github.com/sipgo-contrib/sessiontimer/internal/server"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// ErrClosed is returned by Timers.Leave after Timers.Close.
var ErrClosed = errors.New("middleware: timers are closed")

// Timers runs the session timers of one user agent. All methods may be called
// concurrently. NewServer, Attach and Adapter must be called before the first message.
type Timers struct {
	opts      options
	ua        *sipgo.UserAgent
	log       *slog.Logger
	refresher *refresher.Scheduler
	calls     *calls.Calls
	client    *client.Client
	server    *server.Server
	node      *ownership.Node // nil without WithFailover
	announcer announcer
	hosted    sync.Once // the node is about to start
	started   sync.Once // starts node
	servers   servers
	close     context.CancelFunc
}

// New returns the timers of a user agent. The error is a *sessiontimer.ConfigError
// that names the option and the allowed values.
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
	o.logger = slog.New(boundedlog.New(calls.ContainedLog{Handler: o.logger.Handler()}))
	if ua == nil {
		return nil, &sessiontimer.ConfigError{Option: "UserAgent", Value: ua, Allowed: "a user agent of sipgo.NewUA"}
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	return newTimers(ua, o), nil
}

func newTimers(ua *sipgo.UserAgent, o options) *Timers {
	ctx, cancel := context.WithCancel(context.Background())
	c := calls.New(ctx, calls.Config{Policy: o.policy, PolicyFunc: o.policyFunc, OnEvent: o.onEvent, Log: o.logger, StatsBy: o.statsBy,
		AnswerUpdate: o.answerUpdate, AnswerReInvite: o.answerReInvite, OfferUpdate: o.offerUpdate})
	t := &Timers{
		opts:      o,
		ua:        ua,
		log:       o.logger,
		refresher: refresher.New(),
		calls:     c,
		close:     cancel,
	}
	var store dialogstore.Store = dialogstore.NewMemory()
	var owner client.Ownership = client.Sole{}
	c.Proved = func(dialogstore.ID) {}
	if o.failover != nil {
		t.node, t.announcer.t = newNode(t), t
		store, owner = t.node, t.node
		c.Proved, c.Elsewhere, c.HandedOver = t.node.Proved, t.node.Elsewhere, t.node.Left
		c.Ask = func(id dialogstore.ID) { t.announcer.add(announcement{id: id}) }
	}
	c.Store = dialogstore.Observe(store, t.refresher, c.Observer())
	t.client = client.New(c, owner, o.credentials, t.invited)
	t.server = server.New(c, t.client.Hangup)
	t.refresher.Configure(refresher.Config{Store: c.Store, Pipeline: t.client, Event: c.Tell, Logger: o.logger,
		Jitter: o.jitter, Limits: o.limits})
	return t
}

// setHost notes what the application can do. After the first call the node of
// WithFailover starts, which may then take calls over.
func (t *Timers) setHost(h Host) {
	t.calls.SetApplication(calls.Application(h))
	t.hosted.Do(func() {
		if t.node != nil {
			t.client.Steps.Go(t.startNode)
		}
	})
}

// UserAgent returns the user agent given to New.
func (t *Timers) UserAgent() *sipgo.UserAgent { return t.ua }

// Close stops all timers and gives up refreshes in progress. It hangs up no call, and the
// store keeps its dialogs. Requests that the application sends afterwards within its
// calls still get correct CSeq numbers; new calls have no timers. Call Close before
// closing the user agent.
//
// Close waits for up to 5 s, and returns a *CloseError if something has not ended by
// then. It may be called again to wait longer.
func (t *Timers) Close() error {
	t.close()
	t.calls.Sets.Close()
	t.calls.Workers.Stop()
	begun := time.Now()
	left := t.refresher.CloseWithin(closePatience)
	if t.node != nil {
		left += t.node.Close(closePatience - time.Since(begun))
		left += t.announcer.crew.WaitFor(closePatience - time.Since(begun))
	}
	if left += t.client.Steps.WaitFor(closePatience - time.Since(begun)); left > 0 {
		return &CloseError{left}
	}
	return nil
}

// closePatience is how long Close waits.
const closePatience = 5 * time.Second

// CloseError is returned by Timers.Close if something has not ended in time: a write to a
// peer that does not read, a dial that ignores its context, or a callback or registry
// that does not return. Left is the number of goroutines.
type CloseError struct{ Left int }

// Error returns how many goroutines are left.
func (e *CloseError) Error() string {
	return fmt.Sprintf("middleware: %d goroutines have not ended; they end with the connections of the user agent", e.Left)
}
