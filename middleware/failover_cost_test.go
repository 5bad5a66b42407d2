package middleware_test

import (
	"testing"

	"github.com/sipgo-contrib/sessiontimer/internal/fresh"
)

// What is kept of an idle call more where it is shared, without what the registry keeps.
func TestSharedCallMemory(t *testing.T) {
	if !fresh.Process(t) {
		return
	}
	const most = 250
	idleCall(t, hooked, hooked)
	for _, c := range []struct {
		name           string
		caller, callee end
		alone          [2]end
	}{
		{"caller", written, fields, [2]end{hooked, fields}},
		{"callee", fields, written, [2]end{fields, hooked}},
	} {
		var kept float64
		for range 3 {
			without, with := idleCall(t, c.alone[0], c.alone[1]), idleCall(t, c.caller, c.callee)
			kept = with - without
			t.Logf("%s: %.0f bytes a call, %.0f where it is not shared: %.0f more", c.name, with, without, kept)
			if kept <= most {
				break
			}
		}
		if kept > most {
			t.Errorf("%s: %.0f bytes a call more where it is shared, want %d at most", c.name, kept, most)
		}
	}
}

// A message allocates once more at most where its call is shared. The registry answers
// nothing meanwhile, so what is counted is on the path of the message.
func TestSharedCallAllocations(t *testing.T) {
	withoutRace(t)
	info := func(e end) float64 { return leastAllocs(100, sendInfo(t, e)) }
	call := func(caller, callee end) float64 {
		alice, bob := pair(t, "udp", caller, callee)
		return leastAllocs(100, func() { alice.call(t, bob) })
	}
	for _, c := range []struct {
		name     string
		messages float64 // that change what is stored
		run      func(e end) float64
	}{
		{"INFO", 1, info},
		{"call, caller", 3, func(e end) float64 { return call(e, stock) }},
		{"call, callee", 3, func(e end) float64 { return call(stock, e) }},
	} {
		without, with := c.run(hooked), c.run(distant)
		t.Logf("%s: %v allocations, %v where it is shared", c.name, without, with)
		if with > without+c.messages {
			t.Errorf("%s: %v allocations, %v where it is shared, want %v more at most", c.name, without, with, c.messages)
		}
	}
}
