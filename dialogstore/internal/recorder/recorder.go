// Package recorder runs checks that are expected to fail, and records what they require, for
// the tests of the conformance suites.
package recorder

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
)

// recorder takes the place of a test, and remembers its failures and what it logged.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	said   []string // the first lines of its failures, with … for each value
	logged []string
}

func (r *recorder) Helper() {}

func (r *recorder) Error(...any) { r.Errorf("") }

func (r *recorder) Errorf(format string, args ...any) {
	for i := range args {
		args[i] = word{args[i]}
	}
	first, _, _ := strings.Cut(fmt.Sprintf(format, args...), "\n")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, first)
}

// word is an argument of a failure that shows itself only if it is a word of it.
type word struct{ any }

// Format implements fmt.Formatter.
func (w word) Format(f fmt.State, verb rune) {
	text, ok := w.any.(string)
	if !ok || verb != 's' || strings.Trim(text, "0123456789") == "" {
		text = "…"
	}
	_, _ = io.WriteString(f, text)
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.said) > 0
}

func (r *recorder) Logf(format string, args ...any) {
	r.logged = append(r.logged, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(r) // ends the check alone
}

// Fails runs a check and reports whether it failed; t does not. The check may report
// failures from several goroutines, but must call Fatalf and Logf only in its own.
func Fails(t *testing.T, check func(testing.TB)) bool { return run(t, check).Failed() }

// Logged runs a check as Fails does, and returns what it logged.
func Logged(t *testing.T, check func(testing.TB)) []string { return run(t, check).logged }

// Said runs a check as Fails does, and returns the first lines of its failures, with … in
// place of values.
func Said(t *testing.T, check func(testing.TB)) []string { return run(t, check).said }

func run(t *testing.T, check func(testing.TB)) *recorder {
	r := &recorder{TB: t}
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(r) {
				panic(p)
			}
		}()
		check(r)
	}()
	return r
}
