package boltregistry_test

import (
	"path/filepath"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/boltregistry"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/failovertest"
)

func open(t testing.TB, path string) *boltregistry.Registry {
	t.Helper()
	r, err := boltregistry.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return r
}

func newFile(t testing.TB) string { return filepath.Join(t.TempDir(), "calls.db") }

func TestRegistry(t *testing.T) {
	failovertest.Run(t, func(t *testing.T) failover.Registry { return open(t, newFile(t)) })
}
