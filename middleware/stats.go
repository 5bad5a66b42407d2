package middleware

import (
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/ownership"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// Stats are the figures of Timers: a plain value. Figures of type int are as of now, the
// others count from New on.
type Stats struct {
	CallStats                      // of all calls
	Named     map[string]CallStats // of those with a name, by that; nil without WithStatsBy

	Intervals  refresher.Histogram // that were negotiated by first INVITEs
	Retries422 uint64              // our INVITEs and UPDATEs sent again after a 422 (RFC 4028 §7.3)

	Refresher refresher.Stats
	Node      *NodeStats // nil without WithFailover
}

// CallStats count calls.
type CallStats struct {
	Dialogs   ByRefresher  // there are
	Incoming  Negotiations // by the peer's first INVITE
	Outgoing  Negotiations // by ours
	Refreshed BySender     // refreshes that were accepted
	Failed    ByMethod[Failures]
	// Expired counts the calls that we hung up: those of the event Expired. Each cause
	// that can be has a key.
	Expired map[sessiontimer.Cause]uint64
}

// ByRefresher is how many dialogs are refreshed by whom.
type ByRefresher struct{ Local, Peer, None int }

// Total returns how many dialogs there are.
func (r ByRefresher) Total() int { return r.Local + r.Peer + r.None }

// Negotiations are what came of first INVITEs.
type Negotiations struct {
	Local uint64 // a timer, and we refresh
	Peer  uint64 // a timer, and the peer refreshes
	None  uint64 // a call without a timer
	// Refused: no call because of the timer, by 422, 421 or 420. An INVITE of ours
	// that was sent again after a 422 and accepted is not one.
	Refused uint64
}

// ByMethod is something of refreshes by UPDATE and by INVITE.
type ByMethod[T any] struct{ Update, Invite T }

// BySender is how many refreshes were sent by whom: by the timers or the application
// above them, or by the peer.
type BySender struct{ Local, Peer ByMethod[uint64] }

// Failures are refreshes of the timers that got no 2xx: those of the event RefreshFailed.
type Failures struct {
	Status3xx, Status4xx, Status5xx, Status6xx uint64 // by the final response

	Unanswered uint64 // no final response in time
	Unsent     uint64 // could not be sent
}

// NodeStats are those of a node that shares its calls (WithFailover).
type NodeStats struct {
	Nodes    int           // that live, as this one sees it
	Owned    int           // calls
	Waiting  int           // calls of which the registry is to hear
	LeaseAge time.Duration // since the last good heartbeat was sent; negative before the first
	Degraded bool          // the registry is out of reach, or was just now

	Kept    uint64 // calls that were taken over and go on
	Ended   uint64 // and that were hung up, as WithTakeover says
	Refused uint64 // and whose stored dialog made no sense

	Delay refresher.Histogram // of takeovers: since the former owner was last seen

	// Calls that were let go because another node has them, by how that was noticed.
	FencedByRegistry uint64 // the registry refused a write
	FencedByLease    uint64 // asked before a request, for want of a good heartbeat
	FencedByPeer     uint64 // asked because the peer had answered 500
}

// Stats returns the figures as they are now. It is cheap with any number of calls: nothing
// is searched, and no call waits for it.
func (t *Timers) Stats() Stats {
	var all calls.Counts
	s := Stats{Retries422: t.calls.Figures.Retries422.Load(), Refresher: t.refresher.Stats()}
	s.Intervals.Bounds, s.Intervals.Counts, s.Intervals.Sum = t.calls.Figures.Intervals.Read()
	if t.opts.statsBy != nil {
		s.Named = make(map[string]CallStats)
	}
	for name, c := range t.calls.Figures.Read() {
		if all.Add(&c); name != "" {
			s.Named[name] = statsOf(&c)
		}
	}
	s.CallStats = statsOf(&all)
	if t.node != nil {
		n := nodeStatsOf(t.node.Stats())
		s.Node = &n
	}
	return s
}

func statsOf(c *calls.Counts) CallStats {
	return CallStats{
		Dialogs: ByRefresher{int(c.Dialogs[sessiontimer.Local]), int(c.Dialogs[sessiontimer.Peer]), int(c.Dialogs[sessiontimer.Nobody])},

		Incoming:  negotiationsOf(&c.Negotiated[calls.Incoming]),
		Outgoing:  negotiationsOf(&c.Negotiated[calls.Outgoing]),
		Refreshed: BySender{Local: byMethod(c.Refreshed[sessiontimer.Local]), Peer: byMethod(c.Refreshed[sessiontimer.Peer])},
		Failed:    ByMethod[Failures]{failuresOf(&c.Failed[calls.Update]), failuresOf(&c.Failed[calls.Invite])},
		Expired:   expiredOf(&c.Expired),
	}
}

func negotiationsOf(n *calls.Negotiations) Negotiations {
	return Negotiations{Local: n[sessiontimer.Local], Peer: n[sessiontimer.Peer], None: n[sessiontimer.Nobody], Refused: n[calls.TimerRefused]}
}

func byMethod(n calls.ByMethod) ByMethod[uint64] {
	return ByMethod[uint64]{Update: n[calls.Update], Invite: n[calls.Invite]}
}

func failuresOf(n *calls.Failures) Failures {
	return Failures{n[calls.Status3xx], n[calls.Status4xx], n[calls.Status5xx], n[calls.Status6xx], n[calls.Unanswered], n[calls.Unsent]}
}

// causes are those for which we hang up.
var causes = [...]sessiontimer.Cause{sessiontimer.CauseExpired, sessiontimer.CauseRefreshAnswered, sessiontimer.CauseRefreshUnanswered,
	sessiontimer.CauseNoACK, sessiontimer.CauseDialogClosed, sessiontimer.CauseTakenOver}

func expiredOf(n *calls.Expired) map[sessiontimer.Cause]uint64 {
	m := make(map[sessiontimer.Cause]uint64, len(causes))
	for _, c := range causes {
		m[c] = n[c]
	}
	return m
}

func nodeStatsOf(s ownership.Stats) NodeStats {
	return NodeStats{
		Nodes: s.Nodes, Owned: s.Owned, Waiting: s.Waiting, LeaseAge: s.LeaseAge, Degraded: s.Degraded,
		Kept: s.Kept, Ended: s.Ended, Refused: s.Refused,
		Delay:            refresher.Histogram{Bounds: ownership.Delays[:], Counts: s.Delayed[:], Sum: s.Delay},
		FencedByRegistry: s.Fenced[ownership.ByRegistry],
		FencedByLease:    s.Fenced[ownership.ByLease],
		FencedByPeer:     s.Fenced[ownership.ByPeer],
	}
}
