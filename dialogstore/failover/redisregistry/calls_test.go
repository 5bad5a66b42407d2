package redisregistry_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/redisregistry"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/sample"
)

var (
	alice = failover.Node{Name: "alice", Run: "1"}
	bob   = failover.Node{Name: "bob", Run: "1"}
)

// call returns a state of a call.
func call(callID string, epoch, version uint64) failover.Entry {
	return failover.Entry{Epoch: epoch, Dialog: sample.Practice(callID, version)}
}

// Where a node that serves calls is, and its peer.
const (
	nodeAddr = "10.0.0.1:5060"
	peerAddr = "10.0.0.2:5060"
)

// toPeer returns a call with the peer, which a node elsewhere has begun.
func toPeer(callID string) dialogstore.Dialog {
	d := sample.Practice(callID, 1)
	d.RouteSet, d.RemoteTarget = nil, "sip:peer@"+peerAddr
	d.Contact, d.LocalAddr = "<sip:node@10.0.0.3:5060>", "10.0.0.3:5060"
	d.PeerTimer, d.PeerUpdate = true, true
	return d
}

func calls(n int, version uint64) []failover.Entry {
	all := make([]failover.Entry, n)
	for i := range all {
		all[i] = call(fmt.Sprint("call-", i), 1, version)
	}
	return all
}

func keysOf(entries []failover.Entry) []failover.Key {
	keys := make([]failover.Key, len(entries))
	for i := range entries {
		keys[i] = entries[i].Key()
	}
	return keys
}

func mustBeat(t testing.TB, r *redisregistry.Registry, me failover.Node) failover.Pulse {
	t.Helper()
	p, err := r.Beat(t.Context(), me)
	if err != nil {
		t.Fatalf("Beat: %v", err)
	}
	return p
}

func mustPut(t testing.TB, r *redisregistry.Registry, me failover.Node, entries ...failover.Entry) {
	t.Helper()
	errs, err := r.Put(t.Context(), me, entries)
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func mustDrop(t testing.TB, r *redisregistry.Registry, me failover.Node, keys ...failover.Key) {
	t.Helper()
	errs, err := r.Drop(t.Context(), me, keys)
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatalf("Drop: %v", err)
	}
}

func mustClaim(t testing.TB, r *redisregistry.Registry, me, from failover.Node, keys ...failover.Key) []failover.Claimed {
	t.Helper()
	claimed, err := r.Claim(t.Context(), me, from, keys)
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	for _, c := range claimed {
		if c.Err != nil {
			t.Fatalf("Claim: %v", c.Err)
		}
	}
	return claimed
}

// ownedBy returns how many calls a node owns.
func ownedBy(t testing.TB, r *redisregistry.Registry, node failover.Node) int {
	t.Helper()
	held, err := r.Owned(t.Context(), node, 1<<30)
	if err != nil {
		t.Fatalf("Owned: %v", err)
	}
	return len(held)
}

func key(callID string, epoch uint64) failover.Key {
	e := call(callID, epoch, 1)
	return e.Key()
}
