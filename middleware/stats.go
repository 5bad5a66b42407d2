package middleware

import (
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/ownership"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// Stats are the statistics of Timers, a plain value. Fields of type int are current
// values; the others count from New on.
type Stats struct {
	CallStats // of all calls
	// Named has the statistics by the name of the call; nil without WithStatsBy. The empty
	// name is for calls without one, and for INVITEs refused before there was a call.
	Named map[string]CallStats

	Intervals  refresher.Histogram // session intervals negotiated by first INVITEs
	Retries422 uint64              // our INVITEs and UPDATEs that were sent again after a 422 (RFC 4028 §7.3)

	Refresher refresher.Stats
	Node      *NodeStats // nil without WithFailover
}

// CallStats are the statistics of a group of calls.
type CallStats struct {
	Dialogs   ByRefresher        // that exist now
	Incoming  Negotiations       // first INVITEs of peers
	Outgoing  Negotiations       // our first INVITEs
	Refreshed BySender           // refreshes that were accepted
	Failed    ByMethod[Failures] // our refreshes that failed
	// Expired counts the calls that the timers hung up, which are the Expired events, by
	// cause. Each possible cause has a key.
	Expired map[sessiontimer.Cause]uint64
}

// ByRefresher counts dialogs by who refreshes them: us, the peer, or nobody, because they
// have no timer.
type ByRefresher struct{ Local, Peer, None int }

// Total returns the number of dialogs.
func (r ByRefresher) Total() int { return r.Local + r.Peer + r.None }

// Negotiations counts first INVITEs by their outcome.
type Negotiations struct {
	Local uint64 // a timer, and we refresh
	Peer  uint64 // a timer, and the peer refreshes
	None  uint64 // a call without a timer
	// Refused: no call, because the timer was refused with 422, 421 or 420. Our INVITE
	// that was sent again after a 422 and then accepted is not counted.
	Refused uint64
}

// ByMethod holds a T for refreshes by UPDATE and one for refreshes by re-INVITE.
type ByMethod[T any] struct{ Update, Invite T }

// BySender counts refreshes by who sent them: Local is the timers or the application.
type BySender struct{ Local, Peer ByMethod[uint64] }

// Failures counts refreshes of the timers that got no 2xx, which are the RefreshFailed
// events.
type Failures struct {
	Status3xx, Status4xx, Status5xx, Status6xx uint64 // class of the final response

	Unanswered uint64 // no final response in time
	Unsent     uint64 // could not be sent
}

// NodeStats are the statistics of a node that shares its calls: see WithFailover.
type NodeStats struct {
	Nodes    int           // nodes that this one considers alive, with itself
	Owned    int           // calls of this node
	Waiting  int           // calls whose latest state is not in the registry yet
	LeaseAge time.Duration // since the last successful heartbeat was sent; negative before the first
	Degraded bool          // the registry cannot be reached, or could not be a moment ago

	// Calls that this node took over.
	Kept    uint64 // they go on
	Ended   uint64 // they were hung up, as WithTakeover decided
	Refused uint64 // they were dropped: the stored dialog was not usable

	Delay refresher.Histogram // from when the former owner was last seen alive to the takeover

	// Calls that this node released because another one owns them, by how it noticed.
	FencedByRegistry uint64 // the registry refused a write
	FencedByLease    uint64 // it asked the registry before a request, as its heartbeats had failed
	FencedByPeer     uint64 // it asked the registry after the peer had answered 500
}

// Stats returns the current statistics. Its cost does not depend on the number of calls,
// and no call waits for it.
func (t *Timers) Stats() Stats {
	var all calls.Counts
	s := Stats{Retries422: t.calls.Figures.Retries422.Load(), Refresher: t.refresher.Stats()}
	s.Intervals.Bounds, s.Intervals.Counts, s.Intervals.Sum = t.calls.Figures.Intervals.Read()
	if t.opts.statsBy != nil {
		s.Named = make(map[string]CallStats)
	}
	for name, c := range t.calls.Figures.Read() {
		if all.Add(&c); s.Named != nil {
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

// causes are the causes for which the timers hang up.
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
