// Package suite is what the conformance suites of stores and registries have in common.
package suite

import "testing"

// Check is one rule of a contract. S is what must keep it.
type Check[S any] struct {
	Name string
	Rule string // printed if the check fails
	Run  func(t testing.TB, s S)
}

// Judge runs the check.
func (c Check[S]) Judge(t testing.TB, s S) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("the rule: %s", c.Rule)
		}
	}()
	c.Run(t, s)
}
