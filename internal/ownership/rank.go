package ownership

import (
	"hash/fnv"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// The surviving nodes share the calls of a dead one without talking to each other: each call
// has its own order of nodes (rendezvous hashing), and all nodes compute the same one.

// nameHash returns the hash of a node.
func nameHash(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return h.Sum64()
}

// idHash returns the hash of a call.
func idHash(id dialogstore.ID) uint64 {
	h := fnv.New64a()
	for _, s := range [...]string{id.CallID, "\x00", id.LocalTag, "\x00", id.RemoteTag} {
		_, _ = h.Write([]byte(s))
	}
	return h.Sum64()
}

// rank returns how many of the others come before me in the order of a call.
func rank(id dialogstore.ID, me uint64, others []uint64) (n int) {
	call := idHash(id)
	mine := mix(call ^ me)
	for _, other := range others {
		if theirs := mix(call ^ other); theirs > mine || theirs == mine && other > me {
			n++
		}
	}
	return n
}

// mix spreads each bit over all of them (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
