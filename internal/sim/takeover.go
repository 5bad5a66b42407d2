package sim

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// Takeover is what an application makes of calls that are taken over: a share ends with its
// node, another one gets a new description, and the rest is kept.
type Takeover struct{ Ends, Describes float64 }

// drawTakeover draws it. More than half of the runs keep all calls, as is the default.
func drawTakeover(random *rand.Rand) Takeover {
	return pick(random, Takeover{}, Takeover{}, Takeover{}, Takeover{Ends: 1}, Takeover{Describes: 1}, Takeover{0.3, 0.3})
}

// share tells calls apart: it is the same for one call at every node.
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

// endedByTakeover reports whether a BYE is that of a node which took a call over to end it.
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

// spared is S3 the other way round: a node does not refresh what it took over to end, unless
// it could not ask then whether the call was its own.
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
