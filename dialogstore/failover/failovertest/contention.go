package failovertest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// contention checks what happens when many nodes act at once.
var contention = []check{
	{"claims at once", "Of several concurrent claims of a call exactly one succeeds, and the others learn who won.", claimsAtOnce},
	{"puts at once", "Of several concurrent puts of a call the newest version is kept.", putsAtOnce},
	{"claim among puts", "A claim returns the newest state whose Put succeeded, and no later Put succeeds.", claimAmongPuts},
	{"drop among puts", "A Put that races a Drop does not bring the call back.", dropAmongPuts},
	{"one owner an epoch", "Under contention each epoch has one owner, and epochs rise by one.", oneOwner},
	{"one owner an epoch, replies lost", "The same holds when replies are lost and requests repeated.", oneOwnerLossy},
	{"everything at once", "Any number of goroutines and nodes may call any method at once.", everythingAtOnce},
}

// Each check starts workers goroutines, each of which acts rounds times.
const (
	workers = 8
	rounds  = 25
)

// atOnce runs f in a goroutine for each worker, which is a node, and starts them together.
// f must not use Fatalf.
func atOnce(f func(worker int, me failover.Node)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for w := range workers {
		wg.Go(func() {
			<-start
			f(w, worker(w))
		})
	}
	close(start)
	wg.Wait()
}

func worker(w int) failover.Node { return failover.Node{Name: fmt.Sprint("node-", w), Run: "1"} }

// put1, drop1, claim1 and owner1 are for one call, and for any goroutine.

func put1(t testing.TB, r failover.Registry, me failover.Node, e failover.Entry) error {
	errs, err := r.Put(t.Context(), me, []failover.Entry{e})
	if err != nil {
		return err
	}
	return errs[0]
}

func drop1(t testing.TB, r failover.Registry, me failover.Node, k failover.Key) error {
	errs, err := r.Drop(t.Context(), me, []failover.Key{k})
	if err != nil {
		return err
	}
	return errs[0]
}

func claim1(t testing.TB, r failover.Registry, me, from failover.Node, k failover.Key) (failover.Claimed, error) {
	c, err := r.Claim(t.Context(), me, from, []failover.Key{k})
	if err != nil {
		return failover.Claimed{}, err
	}
	return c[0], c[0].Err
}

func owner1(t testing.TB, r failover.Registry, callID string) (failover.Ownership, error) {
	owners, err := r.Owner(t.Context(), []dialogstore.ID{key(callID, 0).ID})
	if err != nil {
		return failover.Ownership{}, err
	}
	return owners[0], nil
}

// fenced reports whether err is a *FencedError, and returns the owner that it names. Any
// other error fails the check.
func fenced(t testing.TB, what string, err error) (failover.Ownership, bool) {
	t.Helper()
	var f *failover.FencedError
	if errors.As(err, &f) {
		return f.Ownership, true
	}
	if err != nil {
		t.Errorf("%s: error is %v, want none but a *FencedError", what, err)
	}
	return failover.Ownership{}, false
}

func claimsAtOnce(t testing.TB, r failover.Registry) {
	for round := range rounds {
		callID := fmt.Sprint("call-", round)
		mustPut(t, r, alice, entry(callID, 1, 1))
		var won atomic.Int32
		var winners [workers]failover.Node
		atOnce(func(w int, me failover.Node) {
			_, err := claim1(t, r, me, alice, key(callID, 1))
			if o, lost := fenced(t, "Claim that came second", err); lost {
				winners[w] = o.Owner
			} else {
				winners[w] = me
				won.Add(1)
			}
		})
		if won.Load() != 1 {
			t.Fatalf("%d of %d claims at once succeed, want exactly one", won.Load(), workers)
		}
		for _, winner := range winners {
			if winner != winners[0] {
				t.Fatalf("nodes that claim at once are told of different winners: %v", winners)
			}
		}
		wantOwner(t, r, callID, winners[0], 2)
	}
}

func putsAtOnce(t testing.TB, r failover.Registry) {
	for round := range rounds {
		callID := fmt.Sprint("call-", round)
		atOnce(func(w int, _ failover.Node) {
			for _, version := range []int{w + 1 + workers, w + 1} {
				if err := put1(t, r, alice, entry(callID, 1, uint64(version))); err != nil {
					t.Errorf("Put among others of the same node: %v, want no error", err)
				}
			}
		})
		wantStored(t, r, alice, entry(callID, 1, 2*workers))
	}
}

func claimAmongPuts(t testing.TB, r failover.Registry) {
	for round := range rounds {
		callID := fmt.Sprint("call-", round)
		mustPut(t, r, alice, entry(callID, 1, 1))
		var got failover.Claimed
		newest := amongPuts(t, r, callID, func() { got, _ = claim1(t, r, bob, alice, key(callID, 1)) })
		if got.Err != nil || got.Dialog.Version != newest {
			t.Fatalf("Claim among puts gives version %d, %v, want %d, the newest that was stored without an error",
				got.Dialog.Version, got.Err, newest)
		}
		wantState(t, "Claim among puts", mustClaim(t, r, carol, bob, key(callID, 2)), entry(callID, 1, newest), 3)
	}
}

func dropAmongPuts(t testing.TB, r failover.Registry) {
	for round := range rounds {
		callID := fmt.Sprint("call-", round)
		amongPuts(t, r, callID, func() {
			if err := drop1(t, r, alice, key(callID, 1)); err != nil {
				t.Errorf("Drop among puts of the same node: %v, want no error", err)
			}
		})
		wantOwner(t, r, callID, nobody, 1)
	}
	wantOwned(t, r, alice)
}

// amongPuts calls do while several goroutines put newer and newer states of a call of alice.
// Each goes on until it is fenced, or has put one more state after do returned. amongPuts
// returns the newest version whose Put succeeded.
func amongPuts(t testing.TB, r failover.Registry, callID string, do func()) (newest uint64) {
	var done atomic.Bool
	var stored [workers]uint64
	atOnce(func(w int, _ failover.Node) {
		if w == 0 {
			runtime.Gosched() // let the others begin
			do()
			done.Store(true)
			return
		}
		for version := uint64(w + 1); ; version += workers {
			last := done.Load()
			if _, lost := fenced(t, "Put", put1(t, r, alice, entry(callID, 1, version))); lost {
				return
			}
			stored[w] = version
			if last {
				return
			}
			runtime.Gosched()
		}
	})
	return max(1, slices.Max(stored[:]))
}

// ledger records who owned a call in which epoch, as the workers learn it.
type ledger struct {
	mu     sync.Mutex
	owners map[uint64]failover.Node
}

func (l *ledger) enter(t testing.TB, o failover.Ownership) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other, ok := l.owners[o.Epoch]; ok && other != o.Owner {
		t.Errorf("epoch %d has two owners, %s and %s", o.Epoch, other.Name, o.Owner.Name)
	}
	l.owners[o.Epoch] = o.Owner
}

func oneOwner(t testing.TB, r failover.Registry) {
	contend(t, func(int) failover.Registry { return r }, r)
}

func oneOwnerLossy(t testing.TB, r failover.Registry) {
	contend(t, func(w int) failover.Registry {
		way, dice := NewFaulty(r), rand.New(rand.NewPCG(1, uint64(w)))
		way.Set(func(string) Fault { return Fault{Down: dice.IntN(10) == 0, Lost: dice.IntN(3) == 0} })
		return way
	}, r)
}

// contend makes the workers take one call from each other and put states of it. way returns
// the registry through which a worker acts.
func contend(t testing.TB, way func(worker int) failover.Registry, r failover.Registry) {
	l := ledger{owners: map[uint64]failover.Node{1: alice}}
	mustPut(t, r, alice, entry("call", 1, 1))
	atOnce(func(w int, me failover.Node) {
		mine := way(w)
		for round := range rounds {
			takeAndPut(t, mine, me, uint64(1+round), &l)
		}
	})
	last, err := owner1(t, r, "call")
	if err != nil || last.Owner == nobody {
		t.Fatalf("Owner at last = %v, %v, want a node and no error", last, err)
	}
	l.enter(t, last)
	if last.Epoch < 1+workers {
		t.Errorf("after claims of %d nodes the epoch is %d, want %d at least", workers, last.Epoch, 1+workers)
	}
	for epoch := range last.Epoch {
		if _, ok := l.owners[epoch+1]; !ok {
			t.Errorf("of %d epochs number %d had no owner, want them to rise by one", last.Epoch, epoch+1)
		}
	}
	if len(l.owners) != int(last.Epoch) {
		t.Errorf("%d epochs had owners, but the last is %d: epochs rise", len(l.owners), last.Epoch)
	}
}

// takeAndPut makes me the owner of the call, and puts a state of it.
func takeAndPut(t testing.TB, r failover.Registry, me failover.Node, version uint64, l *ledger) {
	var mine failover.Ownership
	for mine.Owner != me {
		o := insist(func() (failover.Ownership, error) { return owner1(t, r, "call") })
		l.enter(t, o)
		if o.Owner == me {
			mine = o
			break
		}
		err := insistOn(func() error {
			c, err := claim1(t, r, me, o.Owner, key("call", o.Epoch))
			if err == nil {
				mine = failover.Ownership{Owner: me, Epoch: c.Epoch}
			}
			return err
		})
		if other, lost := fenced(t, "Claim", err); lost {
			l.enter(t, other)
		} else if err != nil {
			return
		} else if mine.Epoch != o.Epoch+1 {
			t.Errorf("Claim in epoch %d gives epoch %d, want one more", o.Epoch, mine.Epoch)
		}
	}
	l.enter(t, mine)
	runtime.Gosched() // let others come between
	err := insistOn(func() error { return put1(t, r, me, entry("call", mine.Epoch, version)) })
	if other, lost := fenced(t, "Put", err); lost {
		l.enter(t, other)
		if other.Epoch <= mine.Epoch {
			t.Errorf("Put by the owner of epoch %d is fenced by epoch %d, want a later one", mine.Epoch, other.Epoch)
		}
	}
}

// insist repeats do until no fault is injected.
func insist[R any](do func() (R, error)) R {
	for {
		if result, err := do(); !errors.Is(err, ErrFault) {
			return result
		}
	}
}

func insistOn(do func() error) error {
	return insist(func() (error, error) { err := do(); return err, err })
}

func everythingAtOnce(t testing.TB, r failover.Registry) {
	beat(t, r, alice)
	atOnce(func(w int, me failover.Node) {
		for round := range rounds {
			live(t, r, me, fmt.Sprintf("call-%d-%d", w, round))
		}
	})
	p := beat(t, r, alice)
	if len(p.Nodes) != workers+1 {
		t.Errorf("a pulse has %d nodes, want %d", len(p.Nodes), workers+1)
	}
	for w := range workers {
		wantSeen(t, p, failover.Beating{Node: worker(w), Left: true})
		wantOwned(t, r, worker(w))
	}
}

// live puts a call, takes it over by another run of the same node, and drops it. It uses all
// methods.
func live(t testing.TB, r failover.Registry, me failover.Node, callID string) {
	next := failover.Node{Name: me.Name, Run: callID}
	p, beatErr := r.Beat(t.Context(), me)
	_, buryErr := r.Bury(t.Context(), me, math.MaxUint32)
	putErr := put1(t, r, me, entry(callID, 1, 1))
	held, ownedErr := r.Owned(t.Context(), me, math.MaxInt)
	c, claimErr := claim1(t, r, next, me, key(callID, 1))
	dropErr := drop1(t, r, next, key(callID, 2))
	o, ownerErr := owner1(t, r, callID)
	if err := errors.Join(beatErr, buryErr, putErr, ownedErr, claimErr, dropErr, ownerErr, r.Leave(t.Context(), me)); err != nil {
		t.Errorf("one of all methods: %v, want no error", err)
	}
	known := false
	for _, b := range p.Nodes {
		known = known || b.Node == me
	}
	if !known || len(held) != 1 || held[0].Key != key(callID, 1) {
		t.Errorf("a node that beats and puts one call is known: %v, and owns %v, want that call", known, held)
	}
	if c.Epoch != 2 || c.Dialog.ID != key(callID, 0).ID || o != (failover.Ownership{Epoch: 2}) {
		t.Errorf("a call that is claimed and dropped gives epoch %d of %v, then %v", c.Epoch, c.Dialog.ID, o)
	}
}
