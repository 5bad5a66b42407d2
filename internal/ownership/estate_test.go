package ownership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// A node that cannot be sure of its lease buries nobody, and one whose burial fails between
// two batches claims no more until it has succeeded.
func TestBury(t *testing.T) {
	inLab(t, func(l *lab) {
		c := &claimer{Node: l.prepare("idle").Node}
		for _, how := range []How{Died, Left, Earlier} {
			if err := c.bury(&estate{gone: gone{how: how}}); !errors.Is(err, errNotDead) {
				t.Errorf("without a lease, of a node that %v: %v", how, err)
			}
		}
		n, living := l.prepare("a"), failover.Node{Name: "b"}
		n.good()
		c = &claimer{Node: n.Node}
		for range 2 {
			if _, err := l.registry.Beat(context.Background(), living); err != nil {
				t.Fatal(err)
			}
		}
		for count, want := range map[uint64]error{1: errNotDead, 2: nil} {
			if err := c.bury(&estate{gone: gone{Node: living, count: count}}); !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("of a node that has beaten 2 times, seen at %d: %v, want %v", count, err, want)
			}
		}
	})
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		a.calls(2*claimBatch + 50)
		l.pass(10 * time.Second)
		buried := 0
		b.way.set(func() {
			b.way.fail = func(method string) bool {
				if method == "Bury" {
					buried++
				}
				return method == "Bury" && buried == 2
			}
		})
		a.stop()
		l.pass(time.Minute)
		var did []string
		for _, r := range b.way.all() {
			if r.method == "Bury" || r.method == "Claim" {
				did = append(did, r.method)
			}
		}
		got := strings.Join(did, " ")
		if want := "Bury Claim Bury Bury Claim Bury Claim"; !strings.HasPrefix(got, want) || len(b.took()) != 2*claimBatch+50 {
			t.Errorf("%s, %d calls adopted; want %s and all", got, len(b.took()), want)
		}
		if line := `msg="calls of another node taken over" node=b from=a how=died calls=450`; b.logs.Count(line) != 1 {
			t.Errorf("logged %s; want %s", b.logs.String(), line)
		}
	})
}

// While the registry does not list calls, or does not say who owns those whose claim got no
// answer, nothing is claimed, and the question stays open.
func TestNothingClaimedUnasked(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		n.good()
		c := &claimer{Node: n.Node}
		keys := []failover.Key{{ID: call("one").ID, Epoch: 1}}
		for _, failing := range []string{"Owned", "Owner"} {
			n.way.set(func() { n.way.fail = func(method string) bool { return method == failing } })
			e := &estate{gone: gone{Node: failover.Node{Name: "b"}, how: Left}, page: pageSize}
			if failing == "Owner" {
				e.unsure = keys
			}
			many, due, err := c.claimPage(e, &view{})
			if many != 0 || !due.IsZero() || !errors.Is(err, errDown) || len(n.way.requests("Claim")) != 0 {
				t.Errorf("%s fails: %d calls, %v, claimed %d times", failing, many, err, len(n.way.requests("Claim")))
			}
			if failing == "Owner" && !slices.Equal(e.unsure, keys) {
				t.Errorf("%v are still unsure, want %v", e.unsure, keys)
			}
		}
	})
}

// A claim that got no answer is settled before anything else is claimed. One page is listed
// for all its batches.
func TestUnansweredClaimComesFirst(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		n.good()
		b := failover.Node{Name: "b"}
		for i := range 2*claimBatch + 1 {
			if _, err := l.registry.Put(context.Background(), b, []failover.Entry{{Epoch: 1, Dialog: call(fmt.Sprint(i))}}); err != nil {
				t.Fatal(err)
			}
		}
		c := &claimer{Node: n.Node}
		e := &estate{gone: gone{Node: b, how: Left}, page: pageSize}
		did := func() string {
			var all []string
			for _, r := range n.way.all() {
				all = append(all, fmt.Sprint(r.method, " ", r.calls))
			}
			n.way.set(func() { n.way.asked = nil })
			return strings.Join(all, ", ")
		}
		n.way.set(func() { n.way.lose = func(method string) bool { return method == "Claim" } })
		if many, _, err := c.claimPage(e, &view{}); many != 0 || err == nil || len(e.unsure) != claimBatch {
			t.Errorf("%d taken over, %v, %d unsure; want a batch of which nothing is known", many, err, len(e.unsure))
		}
		if got, want := did(), "Owned 1024, Claim 200"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		n.way.set(func() { n.way.lose = nil })
		if many, _, err := c.claimPage(e, &view{}); many != claimBatch || err != nil || len(e.unsure) != 0 {
			t.Errorf("%d taken over, %v, %d unsure; want that batch", many, err, len(e.unsure))
		}
		if got, want := did(), "Owner 200, Claim 200"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if many, _, err := c.claimPage(e, &view{}); many != claimBatch+1 || err != nil || e.claimed != 2*claimBatch+1 {
			t.Errorf("%d taken over, %v, %d in all; want the rest", many, err, e.claimed)
		}
		if got, want := did(), "Owned 1024, Claim 200, Claim 1"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}
