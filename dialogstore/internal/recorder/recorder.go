// Package recorder runs checks that are expected to fail, for the tests of the
// conformance suites.
package recorder

import "testing"

// recorder takes the place of a test, and remembers whether it failed.
type recorder struct {
	testing.TB
	failed chan struct{}
}

func (r *recorder) Helper() {}

func (r *recorder) Error(...any) { r.Errorf("") }

func (r *recorder) Errorf(string, ...any) {
	select {
	case r.failed <- struct{}{}:
	default:
	}
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(r) // ends the check alone
}

// Fails runs a check and reports whether it failed; t does not. The check may report
// failures from several goroutines, but must call Fatalf only in its own.
func Fails(t *testing.T, check func(testing.TB)) bool {
	r := &recorder{t, make(chan struct{}, 1)}
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(r) {
				panic(p)
			}
		}()
		check(r)
	}()
	return len(r.failed) > 0
}
