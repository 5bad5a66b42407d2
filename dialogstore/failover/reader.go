package failover

import (
	"context"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Reader is a Registry that can read calls without claiming them, for WithEligible.
type Reader interface {
	Registry

	// Read returns the stored state of calls, in the order of ids, with the current Age.
	// The Entry is zero for a call that the registry does not have, that has ended, or
	// whose stored state cannot be used.
	Read(ctx context.Context, ids []dialogstore.ID) ([]Entry, error)
}
