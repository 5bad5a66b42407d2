package dialogset

import (
	"context"

	"github.com/emiago/sipgo/sip"
)

// anOffer is a request in flight.
type anOffer string

func (o anOffer) Branch() string                                 { return string(o) }
func (anOffer) Cancel(ctx context.Context) (*sip.Request, error) { return nil, nil }

// closed reports whether a channel is closed.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
