package failovertest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// lists checks what a node owns, and what all methods have in common.
var lists = []check{
	{"owned in order", "Owned lists calls in the order in which they expire, from those that have expired to those without a timer.", ownedInOrder},
	{"owned limit", "Owned lists no more calls than the limit, the most urgent ones.", ownedLimit},
	{"owned moves", "Owned follows refreshes, claims and drops.", ownedMoves},
	{"owned by nobody", "Owned lists nothing for an unknown node, and no call that has ended.", ownedByNobody},
	{"cancelled", "With a context that has ended, each method returns its error and changes nothing.", cancelled},
}

// aged returns a state of a call whose session began some time ago.
func aged(callID string, version uint64, age time.Duration) failover.Entry {
	e := entry(callID, 1, version)
	e.Age = age
	return e
}

// untimed returns a state of a call without a session timer.
func untimed(callID string, epoch, version uint64) failover.Entry {
	e := entry(callID, epoch, version)
	e.Dialog.Session = sessiontimer.Session{}
	return e
}

func ownedInOrder(t testing.TB, r failover.Registry) {
	short := aged("9 minutes", 1, time.Minute)
	short.Dialog.Session.Interval = 10 * time.Minute
	start := time.Now()
	mustPut(t, r, alice, aged("30 minutes", 1, 0), untimed("no timer", 1, 1), aged("10 minutes", 1, 20*time.Minute),
		aged("expired", 1, 31*time.Minute), short, aged("half a second more", 1, 20*time.Minute-500*time.Millisecond))
	for i, want := range []struct {
		callID string
		left   time.Duration
	}{
		{"expired", -time.Minute},
		{"9 minutes", 9 * time.Minute},
		{"10 minutes", 10 * time.Minute},
		{"half a second more", 10*time.Minute + 500*time.Millisecond},
		{"30 minutes", 30 * time.Minute},
		{"no timer", failover.NoTimer},
	} {
		held := owned(t, r, alice, math.MaxInt)
		if len(held) != 6 {
			t.Fatalf("Owned lists %d calls, want 6", len(held))
		}
		if got := held[i]; got.Key != key(want.callID, 1) {
			t.Errorf("Owned: number %d is %q, want %q", i+1, got.CallID, want.callID)
		} else if want.left == failover.NoTimer {
			if got.Left != failover.NoTimer {
				t.Errorf("Owned: of a call without a timer %v is left, want NoTimer", got.Left)
			}
		} else {
			wantTime(t, "less than is left of "+want.callID, -got.Left, -want.left, start)
		}
	}
}

func ownedLimit(t testing.TB, r failover.Registry) {
	const n = 30
	for i := range n { // the most urgent in the middle
		mustPut(t, r, alice, aged(fmt.Sprint(i*7%n), 1, time.Duration(n-i*7%n)*time.Second))
	}
	for _, limit := range []int{0, 1, 7, n, n + 1, math.MaxInt} {
		held := owned(t, r, alice, limit)
		if len(held) != min(limit, n) {
			t.Errorf("Owned with limit %d lists %d of %d calls, want %d", limit, len(held), n, min(limit, n))
		}
		for i, h := range held {
			if h.CallID != fmt.Sprint(i) {
				t.Errorf("Owned with limit %d: number %d is call %s, want call %d", limit, i, h.CallID, i)
			}
		}
	}
}

func ownedMoves(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, aged("a", 1, 3*time.Minute), aged("b", 1, 2*time.Minute), aged("c", 1, time.Minute))
	wantOwned(t, r, alice, key("a", 1), key("b", 1), key("c", 1))
	mustPut(t, r, alice, aged("a", 2, 0))
	wantOwned(t, r, alice, key("b", 1), key("c", 1), key("a", 1))
	mustPut(t, r, bob, aged("d", 1, 90*time.Second))
	mustClaim(t, r, bob, alice, key("c", 1))
	wantOwned(t, r, alice, key("b", 1), key("a", 1))
	wantOwned(t, r, bob, key("d", 1), key("c", 2))
	mustDrop(t, r, alice, key("b", 1))
	mustPut(t, r, alice, untimed("a", 1, 3), aged("e", 1, 0))
	wantOwned(t, r, alice, key("e", 1), key("a", 1))
}

func ownedByNobody(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 1))
	mustDrop(t, r, alice, key("call", 1))
	wantOwned(t, r, carol)
	wantOwned(t, r, nobody)
}

func cancelled(t testing.TB, r failover.Registry) {
	count := seen(t, beat(t, r, alice), alice).Count
	mustPut(t, r, alice, entry("call", 1, 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, beatErr := r.Beat(ctx, carol)
	_, buryErr := r.Bury(ctx, alice, count)
	_, putErr := r.Put(ctx, alice, []failover.Entry{entry("call", 1, 2), entry("new", 1, 1)})
	_, dropErr := r.Drop(ctx, alice, []failover.Key{key("call", 1)})
	_, claimErr := r.Claim(ctx, bob, alice, []failover.Key{key("call", 1)})
	_, ownedErr := r.Owned(ctx, alice, 1)
	_, ownerErr := r.Owner(ctx, []dialogstore.ID{key("call", 0).ID})
	for method, err := range map[string]error{
		"Beat": beatErr, "Leave": r.Leave(ctx, alice), "Bury": buryErr, "Put": putErr,
		"Drop": dropErr, "Claim": claimErr, "Owned": ownedErr, "Owner": ownerErr,
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: error is %v, want %v", method, err, context.Canceled)
		}
	}
	p := beat(t, r, bob)
	wantNodes(t, p, alice, bob)
	wantSeen(t, p, failover.Beating{Node: alice})
	wantOwner(t, r, "new", nobody, 0)
	wantStored(t, r, alice, entry("call", 1, 1))
}
