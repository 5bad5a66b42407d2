package failover

import (
	"fmt"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// CorruptError is the error of a claim whose stored state cannot be used: it does not parse,
// is out of bounds, or was written by a later version that this one must not read.
type CorruptError struct {
	ID     dialogstore.ID
	Reason error
}

// Error implements error.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("failover: stored state of call %q: %v", e.ID.CallID, e.Reason)
}

// Unwrap returns e.Reason.
func (e *CorruptError) Unwrap() error { return e.Reason }
