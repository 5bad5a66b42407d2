package boltregistry_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/boltregistry"
)

var alice, bob = failover.Node{Name: "alice", Run: "1"}, failover.Node{Name: "bob", Run: "1"}

// call returns a state of a call in epoch 1.
func call(callID string, version uint64) failover.Entry {
	sdp := []byte("v=0\r\no=- 4711 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8 0 101\r\n" +
		"a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n")
	return failover.Entry{Epoch: 1, Dialog: dialogstore.Dialog{
		Origin: dialogstore.Origin{
			ID:        dialogstore.ID{CallID: callID, LocalTag: "1928301774", RemoteTag: "a6c85cf"},
			LocalURI:  "<sip:answer@example.com>;tag=1928301774",
			RemoteURI: `"Alice" <sip:alice@example.net>;tag=a6c85cf`,
			Transport: "udp",
			Policy:    sessiontimer.DefaultPolicy(),
		},
		State: dialogstore.State{
			Version:      version,
			RemoteTarget: "sip:alice@192.0.2.7:5062",
			Contact:      "<sip:answer@192.0.2.1:5060>",
			LocalAddr:    "192.0.2.1:5060",
			LocalCSeq:    uint32(version),
			SDP:          sdp,
			SDPType:      "application/sdp",
			PeerSDP:      sdp,
			PeerSDPType:  "application/sdp",
			Session:      sessiontimer.Session{Interval: 30 * time.Minute, Refresher: sessiontimer.Local},
		},
	}}
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
