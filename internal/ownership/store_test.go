package ownership

import (
	"context"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// What strangers can make alone is not written, nor that it went.
func TestUnprovedIsNotWritten(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		one, two := call("one"), call("two")
		one.OwnsCallID, two.OwnsCallID = false, false
		a.create(one)
		a.create(two)
		a.refresh(one.ID)
		l.pass(time.Second)
		if _, err := a.Delete(context.Background(), two.ID); err != nil {
			t.Fatal(err)
		}
		a.writeAll(time.Now())
		l.pass(time.Second)
		if n := len(a.way.requests("Put")) + len(a.way.requests("Drop")); n != 0 {
			t.Errorf("%d writes before the peer is proved", n)
		}
		a.Proved(one.ID)
		l.pass(time.Second)
		if got := l.owner(one.ID); got != "a" {
			t.Errorf("owned by %q once the peer is proved", got)
		}
		if a.exceptions() != 0 {
			t.Errorf("%d entries are kept of ordinary calls", a.exceptions())
		}
	})
}

// Create fails for a dialog that is there, and does not make it unproved.
func TestCreateTwice(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		d := call("one")
		a.create(d)
		d.OwnsCallID = false
		if err := a.Create(context.Background(), d); err == nil {
			t.Error("created twice")
		}
		l.pass(time.Second)
		a.refresh(d.ID)
		l.pass(time.Second)
		if got := l.stored(d.ID).Dialog.LocalCSeq; got != 11 {
			t.Errorf("stored CSeq %d, want 11", got)
		}
	})
}

// A call that came and went before the registry heard of it is not worth a word; one
// that it has heard of is removed, and does not come back.
func TestEndedCalls(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		l.pass(10 * time.Millisecond)
		one, two := call("one"), call("two")
		a.create(one)
		l.pass(time.Second)
		a.way.slowBy(100 * time.Millisecond)
		a.refresh(one.ID)
		l.pass(time.Millisecond) // it is being written
		for _, d := range []dialogstore.Dialog{two, one} {
			if d.ID == two.ID {
				a.create(d)
			}
			if _, err := a.Delete(context.Background(), d.ID); err != nil {
				t.Fatal(err)
			}
		}
		l.pass(time.Second)
		drops := a.way.requests("Drop")
		if len(drops) != 1 || drops[0].calls != 1 {
			t.Errorf("drops %v, want one of one call", drops)
		}
		if got := l.owner(one.ID); got != "" {
			t.Errorf("the ended call is owned by %q", got)
		}
	})
}

// What a change leaves to be written: the latest state, or the end. Of a call that the peer began,
// nothing before it has proved that it is there (a forged INVITE must not fill the registry).
func TestWhatIsMarked(t *testing.T) {
	ctx := context.Background()
	peers := func(name string) dialogstore.Dialog {
		d := call(name)
		d.OwnsCallID = false
		return d
	}
	change := func(d dialogstore.Dialog) (dialogstore.State, error) { return d.State, nil }
	id := call("one").ID
	for _, c := range []struct {
		name    string
		does    func(n *labNode) error
		marked  bool
		is      mark
		held    int
		fails   bool
		nothing bool // it pokes nobody
	}{
		{name: "ours", does: func(n *labNode) error { return n.Create(ctx, call("one")) }, marked: true, is: mark{isNew: true}},
		{name: "ours, stored already", does: func(n *labNode) error { _ = n.Memory.Create(ctx, call("one")); return n.Create(ctx, call("one")) }, fails: true, nothing: true},
		{name: "the peer's", does: func(n *labNode) error { return n.Create(ctx, peers("one")) }, held: 1, nothing: true},
		{name: "the peer's, changed", does: func(n *labNode) error {
			_ = n.Create(ctx, peers("one"))
			_, _, err := n.Update(ctx, id, change)
			return err
		}, held: 1},
		{name: "the peer's, proved", does: func(n *labNode) error { n.create(peers("one")); n.Proved(id); return nil }, marked: true, is: mark{isNew: true}},
		{name: "the peer's, proved twice", does: func(n *labNode) error {
			n.create(peers("one"))
			n.Proved(id)
			n.marks = newMarks()
			n.Proved(id)
			return nil
		}},
		{name: "the peer's, stored already", does: func(n *labNode) error { _ = n.Memory.Create(ctx, peers("one")); return n.Create(ctx, peers("one")) }, fails: true, nothing: true},
		{name: "the peer's, stored already and unproved", does: func(n *labNode) error { n.create(peers("one")); return n.Create(ctx, peers("one")) }, fails: true, held: 1, nothing: true},
		{name: "the peer's, ended unproved", does: func(n *labNode) error { n.create(peers("one")); _, err := n.Delete(ctx, id); return err }},
		{name: "changed", does: func(n *labNode) error {
			_ = n.Memory.Create(ctx, call("one"))
			_, _, err := n.Update(ctx, id, change)
			return err
		}, marked: true},
		{name: "not changed", does: func(n *labNode) error {
			_ = n.Memory.Create(ctx, call("one"))
			_, _, err := n.Update(ctx, id, func(dialogstore.Dialog) (dialogstore.State, error) { return dialogstore.State{}, errDown })
			return err
		}, fails: true, nothing: true},
		{name: "ended", does: func(n *labNode) error { _ = n.Memory.Create(ctx, call("one")); _, err := n.Delete(ctx, id); return err }, marked: true, is: mark{drop: 1}},
		{name: "ended, of a later epoch", does: func(n *labNode) error {
			_ = n.Memory.Create(ctx, call("one"))
			n.hold(id, holding{claimed: 4})
			_, err := n.Delete(ctx, id)
			return err
		}, marked: true, is: mark{drop: 4}},
		{name: "not stored", does: func(n *labNode) error { _, err := n.Delete(ctx, id); return err }, fails: true, nothing: true},
		{name: "ours, after the node has left", does: func(n *labNode) error { n.over.Store(true); return n.Create(ctx, call("one")) }, nothing: true},
		{name: "ended, after the node has left", does: func(n *labNode) error {
			_ = n.Memory.Create(ctx, call("one"))
			n.over.Store(true)
			_, err := n.Delete(ctx, id)
			return err
		}},
	} {
		inLab(t, func(l *lab) {
			n := l.prepare("a")
			err := c.does(n)
			is, marked := n.marks.all[id]
			if (err != nil) != c.fails || marked != c.marked || is != c.is || n.exceptions() != c.held {
				t.Errorf("%s: %v; to be written %v %+v, %d held; want %v %+v, %d", c.name, err, marked, is, n.exceptions(), c.marked, c.is, c.held)
			}
			if poked := len(n.work) > 0; poked == c.nothing {
				t.Errorf("%s: the writer is woken: %v", c.name, poked)
			}
		})
	}
}
