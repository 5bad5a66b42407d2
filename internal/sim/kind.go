package sim

import (
	"math/rand/v2"
	"time"
)

// Kind is how a peer behaves. The zero Kind conforms to RFC 3261, 3311 and 4028, and leaves
// refreshing to the node.
type Kind struct {
	Interval  time.Duration // the Session-Expires that it asks for, and the longest that it accepts
	LaxCSeq   bool          // accepts requests of any number
	LaxExpiry bool          // never hangs up an expired session
	NoUpdate  bool          // does not support UPDATE
	Plain     bool          // does not support session timers
	Refreshes bool          // wants to refresh
	Impatient bool          // hangs up when its own refresh is not answered (RFC 4028 §10), instead of trying again
	Filters   bool          // accepts packets only from the address that its requests go to
	Slow      time.Duration // delay of its answers to refreshes
	MinSE     time.Duration // refuses refreshes with a smaller interval with 422
}

// drawKind draws a Kind. Long intervals are more frequent, since short ones cause most of the
// work.
func drawKind(random *rand.Rand) Kind {
	one := func(of int) bool { return random.IntN(of) == 0 }
	k := Kind{
		Interval:  1800 * time.Second,
		LaxCSeq:   one(4),
		LaxExpiry: one(4),
		NoUpdate:  one(3),
		Plain:     one(30),
		Refreshes: one(4),
		Impatient: one(2),
		Filters:   one(10),
	}
	switch {
	case one(60):
		k.Interval = pick[time.Duration](random, 90, 91, 120, 300) * time.Second
	case one(8):
		k.Interval = pick[time.Duration](random, 600, 900, 3600, 3600, 3600) * time.Second
	}
	if one(10) {
		k.Slow = time.Duration(200+random.IntN(4000)) * time.Millisecond
	}
	if one(12) {
		k.MinSE = pick[time.Duration](random, 200, 2000, 4000) * time.Second
	}
	return k
}

func pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }
