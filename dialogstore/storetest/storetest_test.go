package storetest

import (
	"slices"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/recorder"
)

func TestObservedMemory(t *testing.T) {
	opened := 0
	Run(t, func(*testing.T) dialogstore.Store {
		opened++
		return dialogstore.Observe(dialogstore.NewMemory())
	})
	if opened != len(checks()) {
		t.Errorf("%d stores were opened, want one for each of %d checks", opened, len(checks()))
	}
}

// fails runs the check against a store and reports whether it failed.
func fails(t *testing.T, c check, s dialogstore.Store) bool {
	return recorder.Fails(t, func(t testing.TB) { c.run(t, s) })
}

func checkNamed(t *testing.T, name string) check {
	t.Helper()
	for _, c := range checks() {
		if c.name == name {
			return c
		}
	}
	t.Fatalf("there is no check %q", name)
	return check{}
}

func TestChecksFindFaults(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			for _, name := range f.found {
				c := checkNamed(t, name)
				if !fails(t, c, f.in(dialogstore.NewMemory())) {
					t.Errorf("check %q passes a store with this fault, want it found", name)
				}
				if fails(t, c, dialogstore.NewMemory()) {
					t.Errorf("check %q finds fault with Memory, want none", name)
				}
			}
		})
	}
}

// A check that no faulty store fails proves nothing.
func TestEachCheckFindsAFault(t *testing.T) {
	found := make(map[string]bool)
	for _, f := range faults {
		for _, name := range f.found {
			found[name] = true
		}
	}
	for _, c := range checks() {
		if !found[c.name] {
			t.Errorf("no fault is known that check %q finds", c.name)
		}
	}
}

// A check that fails says which rule of the contract it is about.
func TestRuleOfAFailedCheck(t *testing.T) {
	for _, fails := range []bool{false, true} {
		c := check{rule: "each to its own", run: func(t testing.TB, _ dialogstore.Store) {
			if fails {
				t.Fatalf("it is not")
			}
		}}
		var want []string
		if fails {
			want = []string{"the rule: each to its own"}
		}
		if got := recorder.Logged(t, func(t testing.TB) { c.judge(t, nil) }); !slices.Equal(got, want) {
			t.Errorf("a check that fails, %t, logs %q, want %q", fails, got, want)
		}
	}
}
