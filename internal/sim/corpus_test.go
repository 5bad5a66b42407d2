package sim

import (
	"testing"
	"time"
)

// corpus are seeds that once failed, with what it was, and a few others.
var corpus = []struct {
	stack Stack
	seed  uint64
	why   string
}{
	{Alone, 1, "a few of everything"},
	{Alone, 4, "a pause that a refused re-INVITE came out of twice"},
}

// TestCorpus runs them.
func TestCorpus(t *testing.T) {
	for _, c := range corpus {
		t.Run(c.stack.Name+": "+c.why, func(t *testing.T) { runWithin(t, time.Minute, c.stack, c.seed) })
	}
}
