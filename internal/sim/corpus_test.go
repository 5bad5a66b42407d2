package sim

import (
	"testing"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// corpus are seeds that once failed, with what it was, and a few others.
var corpus = []struct {
	stack Stack
	seed  uint64
	why   string
}{
	{few(Alone), 1, "a few of everything"},
	{small, 4, "pauses, partitions, a slow registry"},
	{small, 8, "a registry that goes back"},
	{few(Pair), 1, "two nodes at one address"},
	{few(Pair), 4, "the same, with other faults"},
	{Pair, 339, "a refresh that the former owner could not write"},
	{Cluster, 329481975809, "calls taken over within a transaction of their end could not end again"},
	{Cluster, 164332775452, "a call ran out, and the registry did not say whose it was when the BYE was to leave"},
	{Cluster, 790992799600, "a Contact was told again though the peer had been refreshed meanwhile"},
	{Cluster, 790992799493, "the registry lost a claim, and a lax peer was refreshed by two nodes"},
	{Cluster, 797141825145, "a call that was to end went on with the Contact of the dead node"},
	{Cluster, 797141825080, "the registry forgot an end sooner, since its clock jumped"},
	{Cluster, 297882465794, "a call ended, and its BYE was kept back"},
	{Cluster, 7025, "two nodes took a call over in one epoch, since the registry had lost the first claim"},
	{Cluster, 249605188149, "a node whose claim the registry had lost kept a call without a timer"},
	{Cluster, 367078555403, "a new owner hung up that could not know of the last refresh of the former one"},
	{Cluster, 367078555486, "a slow registry went back to an older state, and no answer showed it"},
	{Alone, 327496624230, "bad weather swallowed all six copies of a refresh"},
	{Cluster, 705771915777, "a call was hung up that had been refreshed while the registry was down"},
}

// TestCorpus runs them. Those with hundreds of peers take minutes under the race detector.
func TestCorpus(t *testing.T) {
	for _, c := range corpus {
		if bubble.UnderRace && c.stack.Peers[1] > 60 {
			continue
		}
		t.Run(c.stack.Name+": "+c.why, func(t *testing.T) { runWithin(t, patience, c.stack, c.seed, func(Figures) {}) })
	}
}
