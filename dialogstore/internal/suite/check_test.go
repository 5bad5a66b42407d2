package suite_test

import (
	"slices"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/recorder"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/suite"
)

// A check that fails says which rule of the contract it is about.
func TestJudge(t *testing.T) {
	for _, fails := range []bool{false, true} {
		c := suite.Check[int]{Rule: "each to its own", Run: func(t testing.TB, s int) {
			if fails || s != 7 {
				t.Fatalf("it is not")
			}
		}}
		var want []string
		if fails {
			want = []string{"the rule: each to its own"}
		}
		if got := recorder.Logged(t, func(t testing.TB) { c.Judge(t, 7) }); !slices.Equal(got, want) {
			t.Errorf("a check that fails, %t, logs %q, want %q", fails, got, want)
		}
	}
}
