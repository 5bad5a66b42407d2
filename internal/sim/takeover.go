package sim

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// Takeover decides what happens to calls that are taken over: a share of them is ended,
// another share gets a new description, and the rest is kept.
type Takeover struct{ Ends, Describes float64 }

// drawTakeover draws a Takeover. More than half of the runs keep all calls, like the default.
func drawTakeover(random *rand.Rand) Takeover {
	return pick(random, Takeover{}, Takeover{}, Takeover{}, Takeover{Ends: 1}, Takeover{Describes: 1}, Takeover{0.3, 0.3})
}

// share maps a call to a number between 0 and 1, the same at every node.
func share(callID string) float64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(callID))
	return float64(h.Sum32()) / math.MaxUint32
}

// ends reports whether a takeover ends the call.
func (t Takeover) ends(callID string) bool { return share(callID) < t.Ends }

// describes reports whether a takeover gives the call a new description.
func (t Takeover) describes(callID string) bool {
	return !t.ends(callID) && share(callID) > 1-t.Describes
}

// decide is a failover.Takeover.
func (t Takeover) decide(d dialogstore.Dialog) failover.Decision {
	switch {
	case t.ends(d.CallID):
		return failover.Decision{End: true}
	case t.describes(d.CallID):
		return failover.Decision{SDP: []byte(strings.Replace(sdp, "peer 1 1", "taker 1 1", 1))}
	}
	return failover.Decision{}
}

// endedByTakeover reports whether a BYE comes from a node that took the call over to end it.
func (v *view) endedByTakeover(bye *exchange) bool {
	return v.plan.Takeover.ends(v.ID) && strings.Contains(bye.reason, "cause=41") && v.claimedBy(bye.node, bye)
}

// claimedBy reports whether n had taken the call over before it sent e.
func (v *view) claimedBy(n *node, e *exchange) bool {
	for _, g := range v.grants {
		if g.from.Name != "" && g.at <= e.sent && v.registry.lifeOf(g.to).n == n {
			return true
		}
	}
	return false
}

// spared checks the reverse of S3: a node does not refresh a call that it took over to end,
// unless it could not ask then whether the call was its own.
func (v *view) spared() {
	if !v.plan.Takeover.ends(v.ID) {
		return
	}
	for _, g := range v.grants {
		n := v.registry.lifeOf(g.to).n
		if g.from.Name == "" || g.served == 0 || !v.registry.healthy(n, g.at-enough, g.served+lease) {
			continue
		}
		for i := range v.Ledger {
			e := &v.Ledger[i]
			if x := v.exchangeOf(e); !e.Own && e.Accepted() && e.Refresh() && x.node == n && x.sent >= g.served && !v.grantedTo(n, g.at, x.sent) {
				v.fail("S3", e.At, "%s refreshes a call that it took over to end it", n.name)
				return
			}
		}
	}
}
