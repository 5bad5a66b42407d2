package ownership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// A registry that panics, or answers with too few or too many results, has failed.
func TestWrongAnswers(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		for _, c := range []struct {
			name   string
			answer func() ([]int, error)
			want   string // of the error
		}{
			{"as many", func() ([]int, error) { return []int{1, 2}, nil }, ""},
			{"too few", func() ([]int, error) { return []int{1}, nil }, errShort.Error()},
			{"too many", func() ([]int, error) { return []int{1, 2, 3}, nil }, errShort.Error()},
			{"an error", func() ([]int, error) { return nil, errDown }, errDown.Error()},
			{"a panic", func() ([]int, error) { panic("torn") }, "ownership: the registry panicked: torn"},
		} {
			got, err := askAll(context.Background(), n.Node, 2, func(context.Context) ([]int, error) { return c.answer() })
			if text := errorText(err); text != c.want || err == nil && len(got) != 2 {
				t.Errorf("%s: %v, %q; want %q", c.name, got, text, c.want)
			}
		}
		if taken := len(n.places); taken != 0 {
			t.Errorf("%d places are still taken", taken)
		}
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// An answer is waited for as long as it is worth, no more than so many at once, and not
// after the context of the question has ended.
func TestAsk(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		answer := func(after time.Duration) func(context.Context) (int, error) {
			return func(context.Context) (int, error) { time.Sleep(after); return 1, nil }
		}
		ended, end := context.WithCancel(context.Background())
		time.AfterFunc(time.Millisecond, end)
		for _, c := range []struct {
			name  string
			ctx   context.Context
			after time.Duration
			want  error
		}{
			{"cancelled", ended, time.Second, context.Canceled},
			{"in time", context.Background(), time.Second - 1, nil},
			{"late", context.Background(), time.Second + 1, errNoAnswer},
		} {
			if _, err := ask(c.ctx, n.Node, n.places, time.Second, answer(c.after)); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
		}
		l.pass(time.Minute)
		one := make(places, 1)
		one <- struct{}{}
		if _, err := ask(context.Background(), n.Node, one, time.Second, answer(0)); !errors.Is(err, errTooMany) {
			t.Errorf("all places taken: %v", err)
		}
		<-one
		if v, err := ask(context.Background(), n.Node, one, time.Second, answer(0)); err != nil || v != 1 {
			t.Errorf("a place is free: %d, %v", v, err)
		}
	})
}

// Whether the registry has a call that this node does not, and whether that is sure.
func TestElsewhere(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		there, ended := a.calls(2)[0], dialogstore.ID{CallID: "a-1", LocalTag: "l", RemoteTag: "r"}
		l.pass(time.Second)
		if _, err := a.Delete(context.Background(), ended); err != nil {
			t.Fatal(err)
		}
		l.pass(time.Second)
		want := func(name string, id dialogstore.ID, is, sure bool, asked int) {
			t.Helper()
			before := len(b.way.requests("Owner"))
			gotIs, gotSure := b.Elsewhere(context.Background(), id)
			if n := len(b.way.requests("Owner")) - before; gotIs != is || gotSure != sure || n != asked {
				t.Errorf("%s: %v, sure %v, asked %d times; want %v, %v, %d", name, gotIs, gotSure, n, is, sure, asked)
			}
		}
		want("another node's", there, true, true, 1)
		want("ended", ended, false, true, 1)
		want("nobody's", call("none").ID, false, true, 1)
		b.way.cut()
		want("no registry", there, false, false, 1)
		b.MayRefresh(context.Background(), failover.Key{ID: there, Epoch: 1}) // the lease is good
		b.lease.suspect.Store(true)
		b.MayRefresh(context.Background(), failover.Key{ID: there, Epoch: 1})
		want("just after no answer", there, false, false, 0)
		l.pass(silentFor)
		want("a second later", there, false, false, 1)
	})
}

// After no answer the registry is asked about a single call again a second later.
func TestSilenceLastsASecond(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		n.way.cut()
		for _, c := range []struct {
			after time.Duration // the first question
			asked int
		}{{0, 1}, {time.Second - 1, 1}, {time.Second, 2}} {
			l.at(c.after)
			n.confirm(context.Background(), failover.Key{Epoch: 1}, ByLease)
			if got := len(n.way.requests("Owner")); got != c.asked {
				t.Errorf("after %v it was asked %d times, want %d", c.after, got, c.asked)
			}
		}
	})
}

// A request that is given up says nothing about the registry: the next one asks again.
func TestGivenUpQuestion(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.node("a")
		id := n.calls(1)[0]
		l.pass(time.Second)
		n.lease.suspect.Store(true)
		n.way.slowBy(100 * time.Millisecond)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Millisecond, cancel)
		if got := n.confirm(ctx, n.Key(id), ByLease); got != Silent {
			t.Errorf("a question that was given up is answered with %v", got)
		}
		if got := n.confirm(context.Background(), n.Key(id), ByLease); got != Mine {
			t.Errorf("the next question is answered with %v", got)
		}
	})
}

// Whether a call is ours, by what the registry has and the epoch in which we own it.
func TestIsMine(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		other, none := failover.Node{Name: "b"}, failover.Node{}
		for _, c := range []struct {
			owner failover.Node
			epoch uint64
			want  bool
		}{
			{other, 1, true}, {none, 0, true}, {n.me, 2, true}, {n.me, 3, true}, {none, 2, true}, {other, 2, false}, {other, 3, false}, {none, 3, false},
		} {
			if got := n.isMine(failover.Key{Epoch: 2}, failover.Ownership{Owner: c.owner, Epoch: c.epoch}); got != c.want {
				t.Errorf("owned by %q in epoch %d, and by us in epoch 2: ours is %v", c.owner.Name, c.epoch, got)
			}
		}
	})
}

// What a refused write that names us as the owner leads to: a later epoch is ours from then
// on, and the call is written in it.
func TestRefusedByOurselves(t *testing.T) {
	for _, c := range []struct {
		name          string
		claimed       uint64
		key, registry uint64 // epochs
		want          uint64
		again         bool
	}{
		{"a later epoch", 0, 1, 3, 3, true},
		{"the same epoch", 0, 1, 1, 1, false},
		{"a later epoch of a claimed call", 2, 2, 3, 3, true},
		{"claimed again meanwhile", 4, 2, 3, 4, false},
	} {
		inLab(t, func(l *lab) {
			n := l.prepare("a")
			id := call("one").ID
			n.hold(id, holding{claimed: c.claimed})
			n.refused(failover.Key{ID: id, Epoch: c.key}, failover.Ownership{Owner: n.me, Epoch: c.registry})
			if _, again := n.marks.all[id]; n.epochOf(id) != c.want || again != c.again {
				t.Errorf("%s: epoch %d, to be written: %v; want %d, %v", c.name, n.epochOf(id), again, c.want, c.again)
			}
		})
	}
}

// A call that has ended meanwhile is not written, and one that is being adopted is not
// released before the next write says so.
func TestContentsAndRelease(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		ids, none := n.calls(1), call("none").ID
		entries, keys := n.contents([]marked{{id: none}, {id: ids[0]}, {none, mark{drop: 3}}})
		if len(entries) != 1 || entries[0].Dialog.ID != ids[0] || len(keys) != 1 || keys[0] != (failover.Key{ID: none, Epoch: 3}) {
			t.Errorf("to be written: %v and %v", entries, keys)
		}
		n.marks = newMarks()
		to := failover.Ownership{Owner: failover.Node{Name: "b"}, Epoch: 2}
		done := n.turns.wait(ids[0])
		n.release(n.Key(ids[0]), to, ByRegistry)
		if _, again := n.marks.all[ids[0]]; !again || len(n.letGo()) != 0 {
			t.Errorf("amid an adoption: written again: %v, released: %v", again, n.letGo())
		}
		done()
		n.release(failover.Key{ID: ids[0], Epoch: 2}, to, ByRegistry)
		n.release(failover.Key{ID: none, Epoch: 1}, to, ByRegistry)
		if len(n.letGo()) != 0 || n.Stats().Fenced != [fences]uint64{} {
			t.Errorf("of another epoch, and of no call: released %v", n.letGo())
		}
		n.release(n.Key(ids[0]), to, ByPeer)
		if got := n.letGo(); len(got) != 1 || got[0].Fence != ByPeer || got[0].To != to.Owner || got[0].Epoch != 2 || n.Stats().Fenced[ByPeer] != 1 || n.Stats().Waiting != 0 {
			t.Errorf("released %+v, %+v", got, n.Stats())
		}
		if line := `msg="call released: another node owns it" call_id=a-0 local_tag=l remote_tag=r owner=b epoch=2 fence=peer`; n.logs.Count(line) != 1 {
			t.Errorf("logged %s; want %s", n.logs.String(), line)
		}
	})
}

// Nothing stays known of a call that was let go: should it begin anew, it is in its first
// epoch.
func TestReleaseForgetsTheEpoch(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		id := n.calls(1)[0]
		n.mu.Lock()
		n.hold(id, holding{claimed: 2})
		n.mu.Unlock()
		n.release(failover.Key{ID: id, Epoch: 2}, failover.Ownership{Owner: failover.Node{Name: "b"}, Epoch: 3}, ByRegistry)
		if len(n.letGo()) != 1 || len(n.held) != 0 || n.epochOf(id) != 1 {
			t.Errorf("released %v; of %d calls something is known, of this one epoch %d", n.letGo(), len(n.held), n.epochOf(id))
		}
	})
}

// answering is a registry with some answers of its own.
type answering struct {
	failover.Registry
	put  func(n int) []error
	read func() error
}

// Put implements failover.Registry.
func (a answering) Put(_ context.Context, _ failover.Node, entries []failover.Entry) ([]error, error) {
	return a.put(len(entries)), nil
}

// Read implements failover.Reader.
func (a answering) Read(context.Context, []dialogstore.ID) ([]failover.Entry, error) {
	return nil, a.read()
}

// One call that cannot be written for a reason that is not its owner fails the batch, so
// that it is written again.
func TestPutFailsForOne(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		ids := n.calls(3)
		errFull := errors.New("disk full")
		n.cfg.Registry = answering{Registry: n.way, put: func(int) []error {
			return []error{nil, &failover.FencedError{ID: ids[1], Ownership: failover.Ownership{Owner: failover.Node{Name: "b"}, Epoch: 2}}, errFull}
		}}
		entries, _ := n.contents([]marked{{id: ids[0]}, {id: ids[1]}, {id: ids[2]}})
		if err := n.put(entries); !errors.Is(err, errFull) || len(n.letGo()) != 1 || n.letGo()[0].Dialog.ID != ids[1] {
			t.Errorf("%v, released %v; want the error of the third and the second released", err, n.letGo())
		}
	})
}

// Calls that cannot be read are not claimed by a node that may serve only some.
func TestEligibleCannotRead(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		n.cfg.Settings.Eligible = func(dialogstore.Dialog) bool { return true }
		n.cfg.Registry = answering{Registry: n.way, read: func() error { return errDown }}
		c := &claimer{Node: n.Node}
		keys := []failover.Key{{ID: call("one").ID, Epoch: 1}}
		if got, err := c.eligible(&estate{}, keys); !errors.Is(err, errDown) || len(got) != 0 {
			t.Errorf("eligible: %v, %v; want the error of the registry", got, err)
		}
		if got, err := c.eligible(&estate{gone: gone{how: Earlier}}, keys); err != nil || !slices.Equal(got, keys) {
			t.Errorf("of an earlier run: %v, %v; want all, unread", got, err)
		}
		b := failover.Node{Name: "b"}
		if _, err := l.registry.Put(context.Background(), b, []failover.Entry{{Epoch: 1, Dialog: call("one")}}); err != nil {
			t.Fatal(err)
		}
		n.good()
		if many, _, err := c.claimPage(&estate{gone: gone{Node: b, how: Left}, page: pageSize}, &view{}); many != 0 || !errors.Is(err, errDown) || len(n.way.requests("Claim")) != 0 {
			t.Errorf("%d calls, %v, claimed %d times; want the error of the registry", many, err, len(n.way.requests("Claim")))
		}
	})
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

// A 500 in a call that has ended meanwhile leaves nothing behind.
func TestRefusedInEndedCall(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.node("a")
		id := n.calls(1)[0]
		l.pass(time.Second)
		k := n.Key(id)
		if _, err := n.Delete(context.Background(), id); err != nil {
			t.Fatal(err)
		}
		n.way.cut()
		if a, jump := n.Refused(context.Background(), k); a != Silent || jump || n.exceptions() != 0 || n.doubts(id) {
			t.Errorf("%v, jump %v, %d holdings left", a, jump, n.exceptions())
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

// Estates are opened and closed as nodes go and come back. One with claims whose result is
// unknown stays until they are settled.
func TestEnter(t *testing.T) {
	a, b := failover.Node{Name: "a"}, failover.Node{Name: "b"}
	since := time.Now()
	c := &claimer{estates: make(map[failover.Node]*estate)}
	c.enter(&view{gone: []gone{{Node: a, count: 1, since: since}, {Node: b, count: 1, since: since}}})
	if len(c.estates) != 2 || c.estates[a].page != pageSize || c.estates[a].closed {
		t.Fatalf("%d estates, of a: %+v; want one of each node", len(c.estates), c.estates[a])
	}
	for _, e := range c.estates {
		e.idle, e.again, e.page = 3, since.Add(time.Minute), 2*pageSize
	}
	c.enter(&view{gone: []gone{{Node: a, count: 2, since: since}, {Node: b, count: 1, since: since.Add(1)}}})
	if e := c.estates[a]; e.idle != 3 || e.again.IsZero() || e.count != 2 {
		t.Errorf("of one that is still gone: %+v, want it as it was, with the new count", e)
	}
	if e := c.estates[b]; e.idle != 0 || !e.again.IsZero() || !e.since.Equal(since.Add(1)) || e.page != 2*pageSize {
		t.Errorf("of one that is gone again: %+v, want it looked at now", e)
	}
	c.estates[b].unsure = []failover.Key{{Epoch: 1}}
	if c.enter(&view{}); len(c.estates) != 1 || !c.estates[b].closed {
		t.Errorf("%d estates of nodes that are back, want the one with an open question", len(c.estates))
	}
	c.estates[b].unsure = nil
	if c.enter(&view{}); len(c.estates) != 0 {
		t.Errorf("%d estates of nodes that are back, want none", len(c.estates))
	}
}

// What goes wrong with a call is logged with its identifiers.
func TestLogsNameTheCall(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		d := call("one")
		n.refuse(&failover.Claimed{Entry: failover.Entry{Epoch: 2, Dialog: d}}, errDown)
		func() {
			defer n.contain(d.ID)
			panic("torn")
		}()
		const ids = "call_id=one local_tag=l remote_tag=r "
		for _, line := range []string{`level=ERROR msg="call not taken over: its stored dialog is unusable" ` + ids + `error="connection refused"`, `level=ERROR msg="panic while taking over a call" ` + ids + "panic=torn stack="} {
			if n.logs.Count(line) != 1 {
				t.Errorf("logged %s; want %s", n.logs.String(), line)
			}
		}
		if got := n.marks.all[d.ID]; got.drop != 2 || n.Stats().Refused != 1 {
			t.Errorf("to be written: %+v, %d refused; want it dropped in epoch 2", got, n.Stats().Refused)
		}
	})
}

// What a pulse says about this node is logged, and leads to a sweep: at once if the registry
// was emptied, after the claims under way if others took this node for dead, and from time to
// time.
func TestHeed(t *testing.T) {
	for _, c := range []struct {
		name    string
		news    news
		since   time.Duration // the last sweep
		wanted  time.Duration // from now; negative for none
		suspect bool
		over    uint64
		log     string
	}{
		{"nothing", news{}, sweepEvery - 1, -1, false, 0, ""},
		{"a sweep is due", news{}, sweepEvery, 0, false, 0, ""},
		{"emptied", news{emptied: true}, 0, 0, false, 1, `msg="the registry has lost data, writing all calls again" node=a`},
		{"buried", news{buried: true, emptied: true}, 0, aLease / 2, true, 0, `msg="other nodes declared this node dead, checking which calls it still owns" node=a`},
		{"a twin", news{twin: true}, 0, aLease / 2, true, 0, `msg="another process uses this node's name and takes its calls" node=a`},
	} {
		inLab(t, func(l *lab) {
			n, now := l.prepare("a"), time.Now()
			b := &beater{Node: n.Node, swept: now.Add(-c.since)}
			b.heed(c.news, now)
			wanted := time.Duration(-1)
			if !n.sweeps.wanted.IsZero() {
				wanted = n.sweeps.wanted.Sub(now)
			}
			if wanted != c.wanted || n.lease.suspect.Load() != c.suspect || n.trouble.over.Load() != c.over || b.swept.Equal(now) != (c.wanted >= 0 || c.since == 0) {
				t.Errorf("%s: a sweep after %v, suspect %v, over %d; want %v, %v, %d", c.name, wanted, n.lease.suspect.Load(), n.trouble.over.Load(), c.wanted, c.suspect, c.over)
			}
			if n.logs.Count(c.log) != 1 && c.log != "" || c.log == "" && n.logs.String() != "" {
				t.Errorf("%s: logged %s; want %s", c.name, n.logs.String(), c.log)
			}
		})
	}
}
