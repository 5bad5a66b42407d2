package server

import (
	"strconv"
	"testing"
)

// RFC 3261 §14.2: a peer whose request meets another waits for 0 to 10 s, and not all
// peers for the same time.
func TestRetryAfter(t *testing.T) {
	seen := make(map[int]bool)
	for range 2000 {
		value := retryAfter().Value()
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > 10 {
			t.Fatalf("Retry-After of %q, want 0 to 10", value)
		}
		seen[n] = true
	}
	if len(seen) != 11 {
		t.Errorf("of 0 to 10 s only %v", seen)
	}
}
