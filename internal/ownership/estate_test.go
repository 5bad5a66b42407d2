package ownership

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// A call is due once each node before this one in its order has had its second, those of our
// own earlier runs at once, and in the order in which the registry lists them.
func TestDue(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := &claimer{Node: idle(t), mine: nameHash("me")}
		v := &view{others: []uint64{nameHash("a"), nameHash("b"), nameHash("c")}}
		var held []failover.Held
		for i := range 100 {
			held = append(held, failover.Held{Key: failover.Key{ID: call(fmt.Sprint(i)).ID, Epoch: uint64(i)}})
		}
		since := time.Now()
		for _, past := range []time.Duration{0, rankEvery - 1, rankEvery, 2*rankEvery + 1, 3 * rankEvery} {
			time.Sleep(time.Until(since.Add(past)))
			for _, how := range []How{Died, Left, Earlier} {
				var want []failover.Key
				var next time.Time
				for _, h := range held {
					at := since.Add(time.Duration(rank(h.ID, c.mine, v.others)) * rankEvery)
					if how == Earlier || !at.After(time.Now()) {
						want = append(want, h.Key)
					} else if next.IsZero() || at.Before(next) {
						next = at
					}
				}
				e := &estate{gone: gone{how: how, since: since}}
				keys, due := c.due(e, v, held)
				if !slices.Equal(keys, want) || !due.Equal(next) {
					t.Errorf("%v after it %v: %d calls, and the next one after %v; want %d, and %v", past, how, len(keys), due.Sub(since), len(want), next.Sub(since))
				}
			}
		}
	})
}

// A full page with nothing to claim is followed by a larger one, up to the largest.
func TestPageAfter(t *testing.T) {
	for _, c := range []struct {
		page, claimed, held int
		larger              bool
		next                int
	}{
		{pageSize, 0, pageSize, true, 2 * pageSize},
		{4 * pageSize, 0, 4 * pageSize, true, 8 * pageSize},
		{pageSize, 0, pageSize - 1, false, pageSize},
		{4 * pageSize, 0, 100, false, 4 * pageSize},
		{4 * pageSize, 1, 4 * pageSize, false, pageSize},
		{mostPaged / 2, 0, mostPaged / 2, true, mostPaged},
		{mostPaged, 0, mostPaged, false, mostPaged},
	} {
		e := &estate{page: c.page}
		if larger := e.pageAfter(c.claimed, c.held); larger != c.larger || e.page != c.next {
			t.Errorf("%d claimed of %d held in a page of %d: larger %v, next %d; want %v, %d", c.claimed, c.held, c.page, larger, e.page, c.larger, c.next)
		}
	}
}

// A call that another node has taken, or that has ended, and one that cannot be read, are
// not worth an error in the log.
func TestWhyNotClaimed(t *testing.T) {
	for _, c := range []struct {
		err           error
		lost, corrupt bool
	}{
		{&failover.FencedError{}, true, false},
		{fmt.Errorf("wrapped: %w", failover.ErrUnknown), true, false},
		{&failover.CorruptError{Reason: errDown}, false, true},
		{errors.New("disk full"), false, false},
	} {
		if lost(c.err) != c.lost || corrupt(c.err) != c.corrupt {
			t.Errorf("%v: lost %v, corrupt %v; want %v, %v", c.err, lost(c.err), corrupt(c.err), c.lost, c.corrupt)
		}
	}
}
