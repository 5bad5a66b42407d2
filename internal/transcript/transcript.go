// Package transcript keeps text for tests that several goroutines write: a log, or what a
// program prints.
package transcript

import (
	"regexp"
	"strings"
	"sync"
	"time"
)

// Text is an io.Writer that keeps what is written. The zero value is ready to use.
type Text struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // closed by the next Write; nil if nobody waits for it
}

// Write implements io.Writer.
func (t *Text) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
	return t.text.Write(b)
}

// String returns all that was written so far.
func (t *Text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// Await waits until what was written matches re, and returns the match with its groups; nil
// if it does not match within limit.
func (t *Text) Await(re *regexp.Regexp, limit time.Duration) []string {
	over := time.After(limit)
	for {
		text, changed := t.read()
		if m := re.FindStringSubmatch(text); m != nil {
			return m
		}
		select {
		case <-changed:
		case <-over:
			return nil
		}
	}
}

func (t *Text) read() (text string, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return t.text.String(), t.changed
}

// Count returns how often part was written.
func (t *Text) Count(part string) int { return strings.Count(t.String(), part) }

// Lines returns the lines that have part in them.
func (t *Text) Lines(part string) (lines []string) {
	for line := range strings.Lines(t.String()) {
		if strings.Contains(line, part) {
			lines = append(lines, line)
		}
	}
	return lines
}
