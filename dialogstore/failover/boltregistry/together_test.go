package boltregistry

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// Writes that come together are committed together: a write waits a little for others, and
// what comes later waits for the next commit.
func TestCommittedTogether(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r, err := Open(filepath.Join(t.TempDir(), "calls"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		commits := func() (n int) {
			_ = r.db.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil })
			return n
		}
		before := commits()
		want := func(when string, n int) {
			t.Helper()
			synctest.Wait()
			if got := commits() - before; got != n {
				t.Errorf("%s there are %d commits, want %d", when, got, n)
			}
		}
		beat := func(name string) {
			go func() {
				if _, err := r.Beat(t.Context(), failover.Node{Name: name}); err != nil {
					t.Error(err)
				}
			}()
		}
		beat("a")
		want("at once", 0)
		time.Sleep(gather - 1)
		beat("b")
		want("just before", 0)
		time.Sleep(time.Nanosecond)
		want("when the first has waited long enough", 1)
		beat("c")
		want("after that", 1)
		time.Sleep(gather)
		want("in the end", 2)
	})
}
