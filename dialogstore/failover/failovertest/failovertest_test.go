package failovertest

import (
	"slices"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/recorder"
)

// A Faulty without faults is as good as its registry. It is not a Clock, so that checks of
// ages are skipped.
func TestFaultyWithoutFaults(t *testing.T) {
	Run(t, func(*testing.T) failover.Registry { return NewFaulty(failover.NewMemory()) })
}

func TestSkipsNameWhatIsMissing(t *testing.T) {
	m := failover.NewMemory()
	contract := struct{ failover.Registry }{m}
	for _, lacks := range []func(failover.Registry) string{lacksClock, lacksFlush, lacksReader} {
		if why := lacks(m); why != "" {
			t.Errorf("for Memory checks are skipped since %s", why)
		}
		if why := lacks(contract); why == "" {
			t.Error("for a registry with the methods of the contract alone no check is skipped")
		}
	}
}

// fails runs the check against a registry and reports whether it found fault.
func fails(t *testing.T, c check, r failover.Registry) bool {
	return recorder.Fails(t, func(t testing.TB) { c.run(t, r) })
}

func checkNamed(t *testing.T, name string) check {
	t.Helper()
	for _, g := range groups() {
		for _, c := range g.checks {
			if c.name == name {
				return c
			}
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
				if !fails(t, c, f.in(failover.NewMemory())) {
					t.Errorf("check %q passes a registry with this fault, want it found", name)
				}
				if fails(t, c, failover.NewMemory()) {
					t.Errorf("check %q finds fault with Memory, want none", name)
				}
			}
		})
	}
}

// A check that no fault can fail proves nothing.
func TestEachCheckFindsAFault(t *testing.T) {
	found := make(map[string]bool)
	for _, f := range faults {
		for _, name := range f.found {
			found[name] = true
		}
	}
	for _, g := range groups() {
		for _, c := range g.checks {
			if !found[c.name] {
				t.Errorf("no fault is known that check %q finds", c.name)
			}
		}
	}
}

// A check that fails says which rule of the contract it is about.
func TestRuleOfAFailedCheck(t *testing.T) {
	for _, fails := range []bool{false, true} {
		c := check{rule: "each to its own", run: func(t testing.TB, _ failover.Registry) {
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
