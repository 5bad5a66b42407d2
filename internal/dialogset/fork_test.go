package dialogset

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// forked is a set with a record of the forks that became dialogs.
type forked struct {
	*Set
	joined []string
}

func newForked() *forked { return &forked{Set: New().Open("call", "us")} }

func (f *forked) answer(tag string) {
	f.Fork(tag, func(context.Context) { f.joined = append(f.joined, tag) })
}

func (f *forked) want(t *testing.T, tags ...string) {
	t.Helper()
	if !slices.Equal(f.joined, tags) {
		t.Errorf("dialogs of %q, want %q", f.joined, tags)
	}
}

// C-23: of many answers as many are remembered as keptForks says, the first ones.
func TestForksKept(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newForked()
		var tags []string
		for i := range 3 * keptForks {
			tags = append(tags, fmt.Sprint(i))
			f.answer(tags[i])
			f.answer(tags[i]) // sent again
		}
		for _, tag := range tags {
			f.TakeFork(t.Context(), tag)
		}
		f.want(t, tags[:keptForks]...)
		f.answer("later") // there is room again
		f.TakeFork(t.Context(), "later")
		f.TakeFork(t.Context(), "later")
		f.want(t, append(tags[:keptForks:keptForks], "later")...)
	})
}

// C-23: each of three forks is remembered for 64*T1 of its own (RFC 3261 §13.3.1.4).
func TestForksForgottenApart(t *testing.T) {
	for _, c := range []struct {
		at     time.Duration // when all three are acknowledged
		joined []string
	}{
		{32*time.Second - 1, []string{"one", "two", "three"}},
		{32*time.Second + 1, []string{"two", "three"}},
		{42*time.Second - 1, []string{"two", "three"}},
		{42*time.Second + 1, []string{"three"}},
		{47*time.Second - 1, []string{"three"}},
		{47*time.Second + 1, nil},
	} {
		bubble.Test(t, func(t *testing.T) {
			start, f := time.Now(), newForked()
			f.answer("one")
			time.Sleep(10 * time.Second)
			f.answer("two")
			time.Sleep(5 * time.Second)
			f.answer("three")
			time.Sleep(c.at - time.Since(start))
			synctest.Wait()
			for _, tag := range []string{"one", "two", "three"} {
				f.TakeFork(t.Context(), tag)
			}
			f.want(t, c.joined...)
		})
	}
}

// One that is hung up before its ACK becomes no dialog, and the others are not concerned.
func TestForkEnded(t *testing.T) {
	tags := []string{"one", "two", "three"}
	for _, ended := range tags {
		bubble.Test(t, func(t *testing.T) {
			f := newForked()
			for _, tag := range tags {
				f.answer(tag)
			}
			f.mu.Lock()
			f.endFork(ended)
			f.endFork("unknown")
			f.mu.Unlock()
			f.answer(ended)
			for _, tag := range tags {
				f.TakeFork(t.Context(), tag)
			}
			f.want(t, slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return tag == ended })...)
		})
	}
}
