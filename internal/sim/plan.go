package sim

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Plan is everything that is drawn from a seed before a run.
type Plan struct {
	Seed       uint64
	Nodes      int
	Peers      int
	Faulty     time.Duration       // how long there are faults
	CallLength time.Duration       // on average
	Beat       time.Duration       // of nodes that share calls
	Options    []middleware.Option // of all nodes
	Takeover   Takeover            // of nodes that share calls
	Faults     []Fault             // in order
}

// Fault is one thing that goes wrong.
type Fault struct {
	At   time.Duration
	Kind FaultKind
	For  time.Duration // how long it lasts
	Node int           // the node concerned, if any
	Rate float64       // the share of peers, packets or replies concerned
}

// FaultKind is the kind of a Fault.
type FaultKind string

// The kinds.
const (
	Weather        FaultKind = "loss, duplication, reordering and delay"
	Partition      FaultKind = "partition of a node and peers"
	Crash          FaultKind = "crash, and restart under the same name"
	Leave          FaultKind = "planned stop, and restart under the same name"
	Pause          FaultKind = "pause and resume"
	CutOff         FaultKind = "partition of a node and the registry"
	RegistryDown   FaultKind = "registry down"
	RegistrySlow   FaultKind = "registry slow"
	RepliesLost    FaultKind = "replies lost of writes that were done"
	RegistryEmpty  FaultKind = "registry emptied"
	RegistryBack   FaultKind = "registry rolled back"
	RegistryJumped FaultKind = "registry's clock jumped"
)

// kinds sets how often each fault occurs in an hour of a run that has it, and how long it
// lasts.
var kinds = []struct {
	kind          FaultKind
	hourly        float64
	least, most   time.Duration
	ofTheRegistry bool
}{
	{Weather, 2, time.Minute, 20 * time.Minute, false},
	{Partition, 6, time.Second, 2 * time.Minute, false},
	{Crash, 2, 100 * time.Millisecond, 10 * time.Minute, false},
	{Leave, 1, time.Second, 5 * time.Minute, false},
	{Pause, 6, 100 * time.Millisecond, 20 * time.Second, false},
	{CutOff, 4, time.Second, 2 * time.Minute, true},
	{RegistryDown, 2, time.Second, 5 * time.Minute, true},
	{RegistrySlow, 2, 10 * time.Second, 5 * time.Minute, true},
	{RepliesLost, 2, 10 * time.Second, 5 * time.Minute, true},
	{RegistryEmpty, 0.5, 0, 0, true},
	{RegistryBack, 0.5, time.Second, time.Minute, true},
	{RegistryJumped, 0.5, time.Second, 10 * time.Minute, true},
}

// Draw makes the plan of a seed. A plan has about half of the kinds of faults, so that a few
// runs combine any two kinds, and some runs have a kind alone.
func Draw(seed uint64, nodes, peers [2]int, registry bool) Plan {
	random := rand.New(rand.NewPCG(seed, 1))
	p := Plan{Seed: seed, Faulty: time.Hour + spread(random, 3*time.Hour)}
	p.Nodes = nodes[0] + random.IntN(nodes[1]-nodes[0]+1)
	p.Peers = peers[0] + max(random.IntN(peers[1]-peers[0]+1), random.IntN(peers[1]-peers[0]+1))
	p.CallLength = 10*time.Minute + spread(random, 4*time.Hour)
	// From a separate source, so that additions here leave the rest of a seed as it is.
	random = rand.New(rand.NewPCG(seed, 5))
	p.Beat = pick(random, lease/12, lease/6, lease/3, lease/3, lease/3, lease/3)
	p.Options = drawOptions(random)
	p.Takeover = drawTakeover(rand.New(rand.NewPCG(seed, 6)))
	for _, k := range kinds {
		if k.ofTheRegistry && !registry || random.IntN(2) == 0 {
			continue
		}
		pace := time.Duration(float64(time.Hour) / k.hourly)
		for at := 2*time.Minute + spread(random, 2*pace); at < p.Faulty; at += time.Second + spread(random, 2*pace) {
			f := Fault{At: at, Kind: k.kind, Node: random.IntN(p.Nodes), Rate: random.Float64()}
			if f.For = k.least; k.most > k.least {
				f.For += spread(random, k.most-k.least)
			}
			f.For = min(f.For, p.Faulty-at)
			p.Faults = append(p.Faults, f)
		}
	}
	slices.SortStableFunc(p.Faults, func(a, b Fault) int { return int(a.At - b.At) })
	return p
}

// drawOptions returns options that an application may set; half of the runs have the defaults.
func drawOptions(random *rand.Rand) []middleware.Option {
	if random.IntN(2) == 0 {
		return nil
	}
	return []middleware.Option{
		middleware.WithJitter(pick(random, 0, 0.05, 0.1, 0.19)),
		middleware.WithMethod(pick(random, sessiontimer.MethodAuto, sessiontimer.MethodAuto, sessiontimer.MethodReInvite)),
		middleware.WithRefresher(pick(random, sessiontimer.Auto, sessiontimer.Local, sessiontimer.Peer)),
		middleware.WithMode(pick(random, sessiontimer.Offer, sessiontimer.Accept, sessiontimer.Always)),
		middleware.WithSessionExpires(pick[time.Duration](random, 1800, 1800, 600, 3600) * time.Second),
	}
}
