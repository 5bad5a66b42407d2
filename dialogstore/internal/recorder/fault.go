package recorder

import (
	"slices"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/suite"
)

// Fault is a way to break rules of a contract: it makes an S that breaks them of an M that
// keeps them all.
type Fault[M, S any] struct {
	Name  string
	Found []string // the names of the checks that find it
	In    func(M) S
}

// Find checks that a suite finds the faults, and none in an M from sound, which must be an S.
// Each check must find some: one that no fault fails proves nothing.
func Find[M, S any](t *testing.T, checks []suite.Check[S], faults []Fault[M, S], sound func() M) {
	found := make(map[string]bool)
	for _, f := range faults {
		t.Run(f.Name, func(t *testing.T) {
			for _, name := range f.Found {
				found[name] = true
				i := slices.IndexFunc(checks, func(c suite.Check[S]) bool { return c.Name == name })
				if i < 0 {
					t.Fatalf("there is no check %q", name)
				}
				if !fails(t, checks[i], f.In(sound())) {
					t.Errorf("check %q passes what has this fault, want it found", name)
				}
				if fails(t, checks[i], any(sound()).(S)) {
					t.Errorf("check %q finds fault with what has none", name)
				}
			}
		})
	}
	for _, c := range checks {
		if !found[c.Name] {
			t.Errorf("no fault is known that check %q finds", c.Name)
		}
	}
}

func fails[S any](t *testing.T, c suite.Check[S], s S) bool {
	return Fails(t, func(t testing.TB) { c.Run(t, s) })
}
