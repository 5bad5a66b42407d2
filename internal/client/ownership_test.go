package client

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/ownership"
)

// Without failover all calls are ours, always.
func TestSole(t *testing.T) {
	ctx, id := context.Background(), dialogstore.ID{CallID: "call", LocalTag: "ours", RemoteTag: "theirs"}
	var o Ownership = Sole{}
	k := o.Key(id)
	if k != (failover.Key{ID: id, Epoch: 1}) || o.Shared() {
		t.Errorf("key %+v, shared: %t", k, o.Shared())
	}
	if !o.MayRefresh(ctx, k) || !o.MayHangUp(ctx, k, false) || !o.MayHangUp(ctx, k, true) {
		t.Error("a call is not ours to refresh or to hang up")
	}
	if answer, jump := o.Refused(ctx, k); answer != ownership.Mine || jump {
		t.Errorf("a refusal: %v, jump: %t", answer, jump)
	}
}

// A refresh is sent only in a call that is ours.
func TestToRefresh(t *testing.T) {
	for may, want := range map[bool]error{true: nil, false: errNotOurs} {
		o := node{may: func(bool) bool { return may }}
		if err := toRefresh(context.Background(), o, failover.Key{}); !errors.Is(err, want) || (err == nil) != may {
			t.Errorf("ours: %t: %v, want %v", may, err, want)
		}
	}
}

// A BYE is sent if the registry still says that the call is ours. For a second after that was
// asked, or if the call is over for the peer anyway, it is also sent if the registry does not
// answer.
func TestToHangUp(t *testing.T) {
	for _, c := range []struct {
		over  bool
		after time.Duration
		asked bool // what MayHangUp gets
	}{
		{false, 0, true},
		{false, time.Second - 1, true},
		{false, time.Second, false},
		{true, time.Second, true},
		{true, time.Hour, true},
	} {
		bubble.Test(t, func(t *testing.T) {
			may := toHangUp(c.over)
			time.Sleep(c.after)
			for _, answer := range []bool{true, false} {
				asked := !c.asked
				o := node{may: func(over bool) bool { asked = over; return answer }}
				err := may(context.Background(), o, failover.Key{})
				if asked != c.asked || (err == nil) != answer || err != nil && !errors.Is(err, errMaybeNotOurs) {
					t.Errorf("over: %t, after %v: the registry is asked with over: %t, says %t: %v", c.over, c.after, asked, answer, err)
				}
			}
		})
	}
}
