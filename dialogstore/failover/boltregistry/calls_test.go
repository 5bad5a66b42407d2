package boltregistry_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/boltregistry"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/sample"
)

var alice, bob = failover.Node{Name: "alice", Run: "1"}, failover.Node{Name: "bob", Run: "1"}

// call returns a state of a call in epoch 1.
func call(callID string, version uint64) failover.Entry {
	return failover.Entry{Epoch: 1, Dialog: sample.Practice(callID, version)}
}

func calls(prefix string, n int, version uint64) []failover.Entry {
	all := make([]failover.Entry, n)
	for i := range all {
		all[i] = call(fmt.Sprint(prefix, i), version)
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

func idsOf(entries []failover.Entry) []dialogstore.ID {
	ids := make([]dialogstore.ID, len(entries))
	for i := range entries {
		ids[i] = entries[i].Dialog.ID
	}
	return ids
}

func mustPut(t testing.TB, r *boltregistry.Registry, me failover.Node, entries ...failover.Entry) {
	t.Helper()
	errs, err := r.Put(t.Context(), me, entries)
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func mustBeat(t testing.TB, r *boltregistry.Registry, me failover.Node) failover.Pulse {
	t.Helper()
	p, err := r.Beat(t.Context(), me)
	if err != nil {
		t.Fatalf("Beat: %v", err)
	}
	return p
}

// versions returns which versions of the calls are stored, 0 for those that are not.
func versions(t testing.TB, r *boltregistry.Registry, entries []failover.Entry) []uint64 {
	t.Helper()
	read, err := r.Read(t.Context(), idsOf(entries))
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	all := make([]uint64, len(read))
	for i := range read {
		all[i] = read[i].Dialog.Version
	}
	return all
}

// A call that cannot be encoded is an error of the caller, and none of the batch is written.
func TestPutOfUnnamed(t *testing.T) {
	r := open(t, newFile(t))
	all := calls("call-", 2, 1)
	all[1].Dialog.Session.Refresher = 99
	if errs, err := r.Put(t.Context(), alice, all); err == nil || errs != nil {
		t.Errorf("%v, %v; want an error", errs, err)
	}
	if n := r.Len(); n != 0 {
		t.Errorf("%d keys are written, want none", n)
	}
}
