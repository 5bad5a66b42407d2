package transcript

import (
	"fmt"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

func TestText(t *testing.T) {
	var text Text
	fmt.Fprint(&text, "one a\ntwo b\n")
	fmt.Fprint(&text, "three a")
	if got := text.String(); got != "one a\ntwo b\nthree a" {
		t.Errorf("%q", got)
	}
	if got := text.Lines("a"); !slices.Equal(got, []string{"one a\n", "three a"}) {
		t.Errorf("lines with a: %q", got)
	}
	if got := text.Count("e"); got != 3 {
		t.Errorf("%d times e, want 3", got)
	}
}

// Await returns as soon as the text matches, and gives up at its limit.
func TestAwait(t *testing.T) {
	re := regexp.MustCompile(`port (\d+);`)
	bubble.Test(t, func(t *testing.T) {
		var text Text
		go func() {
			for _, part := range []string{"port ", "50", "60; "} {
				time.Sleep(time.Second)
				fmt.Fprint(&text, part)
			}
		}()
		begun := time.Now()
		if got := text.Await(re, 2*time.Second+time.Millisecond); got != nil || time.Since(begun) != 2*time.Second+time.Millisecond {
			t.Errorf("too early: %q after %v", got, time.Since(begun))
		}
		if got := text.Await(re, time.Minute); !slices.Equal(got, []string{"port 5060;", "5060"}) || time.Since(begun) != 3*time.Second {
			t.Errorf("%q after %v", got, time.Since(begun))
		}
	})
}

func TestManyWriters(t *testing.T) {
	var text Text
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				fmt.Fprintln(&text, "line")
				_, _ = text.read()
			}
		})
	}
	all.Wait()
	if got := text.Count("line\n"); got != 800 {
		t.Errorf("%d lines, want 800", got)
	}
}
