package diagotimer

import (
	"slices"
	"testing"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo/sip"
)

// noted is a dialog that notes how it is ended.
type noted struct{ calls *[]string }

// ReadBye implements session.
func (n noted) ReadBye(*sip.Request, sip.ServerTransaction) error {
	*n.calls = append(*n.calls, "bye")
	return nil
}

// Close implements session.
func (n noted) Close() error {
	*n.calls = append(*n.calls, "close")
	return nil
}

// withMedia is a dialog as before diago v0.42: it is its own media.
type withMedia struct{ noted }

// Media returns its media.
func (w withMedia) Media() *diago.DialogMedia {
	*w.calls = append(*w.calls, "media")
	return new(diago.DialogMedia)
}

// The peer's BYE closes a dialog, and only the media of one that is its own media.
func TestHungUp(t *testing.T) {
	var calls []string
	for _, c := range []struct {
		d    session
		want []string
	}{{noted{&calls}, []string{"bye", "close"}}, {withMedia{noted{&calls}}, []string{"bye", "media"}}} {
		calls = nil
		if hungUp(c.d, nil, nil); !slices.Equal(calls, c.want) {
			t.Errorf("%T: %v, want %v", c.d, calls, c.want)
		}
	}
}
