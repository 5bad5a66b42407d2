package failover_test

import (
	"errors"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

func TestErrorTexts(t *testing.T) {
	id, torn := dialogstore.ID{CallID: "c"}, errors.New("torn")
	corrupt := &failover.CorruptError{ID: id, Reason: torn}
	for _, c := range []struct {
		err  error
		want string
	}{
		{corrupt, `failover: stored state of call "c": torn`},
		{&failover.FencedError{ID: id, Ownership: failover.Ownership{Epoch: 3}}, `failover: call "c" has ended in epoch 3`},
		{&failover.FencedError{ID: id, Ownership: failover.Ownership{Owner: failover.Node{Name: "b", Run: "1"}, Epoch: 3}}, `failover: call "c" belongs to b in epoch 3`},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	if !errors.Is(corrupt, torn) {
		t.Error("the reason of a *CorruptError is not in its chain")
	}
}

func TestKeepAndEnd(t *testing.T) {
	if d := failover.End(dialogstore.Dialog{}); !d.End || d.Restored || d.Contact != "" || d.SDP != nil {
		t.Errorf("End decides %+v", d)
	}
	if d := failover.Keep(dialogstore.Dialog{}); d.End || d.Restored || d.Contact != "" || d.SDP != nil {
		t.Errorf("Keep decides %+v", d)
	}
}
