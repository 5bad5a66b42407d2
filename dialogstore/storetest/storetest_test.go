package storetest

import (
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/recorder"
)

func TestObservedMemory(t *testing.T) {
	opened := 0
	Run(t, func(*testing.T) dialogstore.Store {
		opened++
		return dialogstore.Observe(dialogstore.NewMemory())
	})
	if opened != len(checks()) {
		t.Errorf("%d stores were opened, want one for each of %d checks", opened, len(checks()))
	}
}

func TestChecksFindFaults(t *testing.T) {
	var all []recorder.Fault[store, store]
	for _, f := range faults {
		all = append(all, recorder.Fault[store, store](f))
	}
	recorder.Find(t, checks(), all, func() store { return dialogstore.NewMemory() })
}
