package storetest_test

import (
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/storetest"
)

// In the tests of the store this function is called TestStore.
func ExampleRun() {
	_ = func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) dialogstore.Store {
			s := dialogstore.NewMemory() // your store, empty
			t.Cleanup(func() {})         // close it
			return s
		})
	}
	// Output:
}
