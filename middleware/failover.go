package middleware

import (
	"context"
	"net"
	"strconv"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/internal/ownership"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// sharing is the configuration of WithFailover.
type sharing struct {
	registry failover.Registry
	settings failover.Settings
	err      error // of the settings
}

// validate checks the settings. smallest is the smallest session interval that the policy
// allows: a takeover must be fast enough for it.
func (s *sharing) validate(smallest time.Duration) error {
	if s.err != nil {
		return s.err
	}
	if err := s.settings.Suits(s.registry); err != nil {
		return err
	}
	return s.settings.Fits(smallest)
}

// listenPatience is how long a node waits for the application to listen before it takes
// calls over.
const listenPatience = time.Second

// startNode starts the node when the application listens: requests in calls that are taken
// over must leave from its socket, so that the peers' answers arrive there. An application
// that only calls may never listen.
func (t *Timers) startNode() {
	look := time.Tick(10 * time.Millisecond)
	for begun := time.Now(); !t.listens() && time.Since(begun) < listenPatience; {
		select {
		case <-look:
		case <-t.calls.Context.Done():
			return
		}
	}
	if t.calls.Context.Err() == nil {
		t.started.Do(t.node.Start)
	}
}

func (t *Timers) listens() bool {
	for _, network := range []string{"udp", "tcp", "tls", "ws", "wss"} {
		if len(t.ua.TransportLayer().ListenPorts(network)) > 0 {
			return true
		}
	}
	return false
}

// takeovers implements ownership.Host.
type takeovers struct{ t *Timers }

// newNode returns the node of t.
func newNode(t *Timers) *ownership.Node {
	s := t.opts.failover.settings
	if s.Address != "" {
		s.Takeover = atAddress(s.Takeover, s.Address)
	}
	return ownership.New(ownership.Config{Registry: t.opts.failover.registry, Settings: s, Host: takeovers{t}, Usable: indialog.Usable,
		Policy: t.opts.policy, Logger: t.log})
}

// Expect implements ownership.Host.
func (h takeovers) Expect(a *ownership.Adoption) (forget func()) {
	return h.t.calls.Expect(a.Dialog.ID, a.From.Name, a.Decision.Restored && !a.Decision.End)
}

// Adopt implements ownership.Host.
func (h takeovers) Adopt(ctx context.Context, a *ownership.Adoption) {
	t, d := h.t, &a.Dialog
	change := a.Change()
	t.calls.Count(&change)
	t.calls.Adopt(d, overtaken(a))
	t.log.Info("call taken over", "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag,
		"from", a.From.Name, "how", a.How.String(), "interval", d.Session.Interval, "expires", d.Session.ExpiresAt())
	t.calls.Tell(sessiontimer.TakenOver{Call: d.Call(time.Now()), From: a.From.Name})
	switch {
	case a.Decision.End:
		t.announcer.add(announcement{id: d.ID, news: hangUp})
	case len(a.Decision.SDP) > 0:
		t.announcer.add(announcement{id: d.ID, news: newDescription, next: refresher.Attempt{Method: sessiontimer.MethodReInvite}})
	case overdue(d.Session):
		t.calls.Doubtful(d.ID, d.Session) // the peer is asked now
		t.announcer.add(announcement{id: d.ID})
	case a.Decision.Contact != "":
		t.announcer.add(announcement{id: d.ID})
	default:
		t.refresher.DialogChanged(ctx, &change)
	}
}

// overtaken reports whether a refresh of the peer was due at a time when the former owner may
// have been reachable for the peer, but cut off from the registry.
func overtaken(a *ownership.Adoption) bool {
	s, now := a.Dialog.Session, time.Now()
	due := now.Sub(s.RefreshAt())
	return a.How == ownership.Died && s.Active() && due >= 0 && due <= a.After
}

// overdue reports whether the stored session has expired. Its former owner may have refreshed
// it since, while the registry was unreachable, so the peer is asked before the call ends.
func overdue(s sessiontimer.Session) bool {
	return s.Active() && !time.Now().Before(s.HangupAt())
}

// Release implements ownership.Host.
func (h takeovers) Release(r *ownership.Release) {
	t, d := h.t, &r.Dialog
	t.calls.Release(d.ID)
	change := dialogstore.Change{Before: *d}
	t.calls.Count(&change)
	t.refresher.DialogChanged(context.Background(), &change)
	t.calls.Tell(sessiontimer.Released{Call: d.Call(time.Now()), To: r.To.Name})
}

// atAddress wraps decide: calls that are kept get a Contact with the address of this
// node, unless decide chose a Contact or it is that address already.
func atAddress(decide failover.Takeover, hostport string) failover.Takeover {
	host, port, _ := net.SplitHostPort(hostport)
	n, _ := strconv.Atoi(port)
	return func(d dialogstore.Dialog) failover.Decision {
		decision := decide(d)
		if decision.Contact == "" || decision.End { // a call that is to end goes on while the registry is silent
			decision.Contact = sipmsg.Relocated(d.Contact, host, n)
		}
		return decision
	}
}

// Leave hands all calls over before a planned stop: the other nodes take them over at
// once, instead of waiting for the lease of this node to run out. From then on this node
// refreshes nothing, and no call has timers here. Only the BYEs of calls that have ended
// before are still sent. Call Close afterwards.
//
// Once the calls are handed over, or may be according to the registry, a peer's re-INVITE
// or UPDATE that still arrives here gets a 500 with Retry-After (RFC 3261 §14.2): the new
// owner of the call answers the next one. Other requests, such as a BYE, still reach the
// application.
//
// Leave first writes what the registry does not have yet. If ctx ends before that is
// done, or the registry cannot be reached, Leave returns the error, and the other nodes
// take the calls over after the lease. After Close it returns ErrClosed. Without
// WithFailover it does nothing and returns nil.
func (t *Timers) Leave(ctx context.Context) error {
	if t.node == nil {
		return nil
	}
	if t.calls.Context.Err() != nil {
		return ErrClosed
	}
	t.refresher.Retire()
	t.started.Do(t.node.Start)
	return t.node.Leave(ctx)
}
