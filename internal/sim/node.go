package sim

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// node is a user agent of the cluster, through all its lives.
type node struct {
	w    *world
	name string
	addr string

	// Only the conductor starts and stops nodes.
	ua     *sipua.UA // written under mu
	cancel context.CancelFunc

	mu         sync.Mutex
	ctx        context.Context // of this life
	calls      map[string]sipua.Dialog
	up         bool
	open       bool            // the application listens
	leaving    bool            // it hands its calls over
	lives      int             // how many times it has started
	since      time.Duration   // when it last started
	deaths     []time.Duration // the end of each life
	departures []time.Duration // the planned ones among the deaths
	away       []span          // when it did not run: crashed, stopped or paused
	until      time.Duration   // the end of its pause
}

// span is the time from one moment to another; without an end it still lasts.
type span struct{ from, to time.Duration }

// start begins a life of n, without any memory of earlier ones.
func (n *node) start() {
	n.mu.Lock()
	n.up, n.leaving, n.since = true, false, n.w.now()
	n.lives++
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.calls = make(map[string]sipua.Dialog)
	if len(n.away) > 0 && n.away[len(n.away)-1].to == 0 {
		n.away[len(n.away)-1].to = n.since
	}
	n.mu.Unlock()
	opts := append([]middleware.Option{middleware.WithEventHandler(n.note)}, n.w.plan.Options...)
	opts = append(opts, n.w.stack.Options(n)...)
	ua, hear := sipua.Prepare(n.w, n.w.net, n.name, n.addr, "udp", opts...)
	ua.Accept = func(d *sipgo.DialogServerSession) {
		n.keep(d.InviteRequest.CallID().Value(), d)
		_ = d.RespondSDP([]byte(ua.SDP))
	}
	n.mu.Lock()
	n.ua, n.open = ua, true
	n.mu.Unlock()
	if n.w.stack.Started != nil {
		n.w.stack.Started(n)
	}
	hear()
}

// crash ends a life without a Leave. It returns false if it had ended.
func (n *node) crash() bool {
	died := n.die()
	if died {
		n.w.free(n)
		n.bury()
	}
	return died
}

// die marks the moment of death: from now on nothing that n does has any effect.
func (n *node) die() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.up {
		return false
	}
	n.up, n.open = false, false
	n.deaths = append(n.deaths, n.w.now())
	n.away = append(n.away, span{from: n.w.now()})
	return true
}

// bury stops the goroutines of a life that has ended.
func (n *node) bury() {
	n.w.fenced.count(n)
	n.cancel()
	n.ua.Kill()
}

// leave is crash, but hands the calls over first.
func (n *node) leave() bool {
	n.mu.Lock()
	n.leaving = true
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(n.ctx, 10*time.Second)
	defer cancel()
	_ = n.w.stack.Leave(ctx, n.ua.Timers)
	crashed := n.crash()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.departures = append(n.departures, n.deaths[len(n.deaths)-1])
	return crashed
}

// standsStill returns how much longer n is paused, and whether its life goes on.
func (n *node) standsStill(life int) (paused time.Duration, runs bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.until - n.w.now(), n.up && n.lives == life
}

func (n *node) keep(id string, d sipua.Dialog) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.calls != nil {
		n.calls[id] = d
	}
}

func (n *node) drop(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.calls, id)
}

// running returns the user agent of the present life, with its context; false if there is
// none.
func (n *node) running() (*sipua.UA, context.Context, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ua, n.ctx, n.open
}

// dial makes the application of n call a peer.
func (n *node) dial(addr string) {
	ua, life, up := n.running()
	if !up {
		return
	}
	ctx, cancel := context.WithTimeout(life, timeout+4*time.Second)
	defer cancel()
	host, port, _ := sip.ParseAddr(addr)
	d, err := ua.Invite(ctx, sip.Uri{Scheme: "sip", User: "peer", Host: host, Port: port})
	if err != nil {
		return
	}
	if err := d.WaitAnswer(ctx, sipgo.AnswerOptions{}); err != nil {
		return
	}
	if d.Ack(ctx) == nil {
		n.keep(d.InviteRequest.CallID().Value(), d)
	}
}

// hangUp makes the application of n hang up, if it has that call.
func (n *node) hangUp(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.calls[id]
	delete(n.calls, id)
	if d == nil || !n.up {
		return false
	}
	life := n.ctx
	go func() {
		ctx, cancel := context.WithTimeout(life, timeout+4*time.Second)
		defer cancel()
		_ = d.(interface{ Bye(context.Context) error }).Bye(ctx)
	}()
	return true
}

// ran reports whether n ran for all of the time from one moment to another.
func (n *node) ran(from, to time.Duration) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.away {
		if s.from < to && (s.to == 0 || s.to > from) {
			return false
		}
	}
	return true
}

// died reports whether a life of n ended between two moments.
func (n *node) died(from, to time.Duration) bool {
	_, died := n.deathAfter(from, to)
	return died
}

// deathAfter returns when a life of n first ended between two moments.
func (n *node) deathAfter(from, to time.Duration) (at time.Duration, died bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := slices.IndexFunc(n.deaths, func(at time.Duration) bool { return from <= at && at <= to })
	if i < 0 {
		return 0, false
	}
	return n.deaths[i], true
}
