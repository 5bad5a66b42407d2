package ownership

import (
	"context"
	"testing"
	"time"
)

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

// A good beat renews the lease from when it was sent, and wakes whoever waits for the registry. A
// bad one begins trouble, and a silence of other nodes does not last through it.
func TestBeat(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		b := &beater{Node: n.Node, watch: newWatch(n.me, aLease), swept: time.Now()}
		silent := time.Now()
		n.confirms.silent.Store(&silent)
		if _, err := l.registry.Beat(context.Background(), them); err != nil {
			t.Fatal(err)
		}
		n.way.slowBy(100 * time.Millisecond)
		sent := time.Now()
		b.once(sent)
		if s := n.Stats(); s.LeaseAge != 100*time.Millisecond || s.Nodes != 2 || s.Degraded || n.seen.Load() == nil || n.confirms.silent.Load() != nil {
			t.Errorf("after a good beat: %+v, view %v", s, n.seen.Load())
		}
		if len(n.looked) != 1 || len(n.work) != 1 || !b.before.Equal(sent) || !b.due.Equal(sent.Add(b.cfg.Settings.Beat)) {
			t.Errorf("the claimer is woken %d times, the writer %d; the next beat is due after %v", len(n.looked), len(n.work), b.due.Sub(sent))
		}
		still := b.watch.seen[them].still
		if still.IsZero() {
			t.Fatal("the other node was not seen")
		}
		<-n.looked
		view := n.seen.Load()
		n.way.set(func() { n.way.down, n.way.slow = true, 0 })
		b.once(time.Now())
		if s := n.Stats(); !s.Degraded || s.LeaseAge != 100*time.Millisecond || n.seen.Load() != view || len(n.looked) != 0 || !b.watch.seen[them].still.IsZero() {
			t.Errorf("after a bad beat: %+v, silent since %v, the claimer woken %d times", s, b.watch.seen[them].still, len(n.looked))
		}
		n.way.heal()
		l.pass(aLease)
		if b.once(time.Now()); n.Stats().Degraded || n.Stats().LeaseAge != 0 {
			t.Errorf("after a good beat a lease later: %+v", n.Stats())
		}
		n.way.cut()
		n.die()
		if b.once(time.Now()); n.trouble.on.Load() {
			t.Error("a node that leaves takes that for trouble of the registry")
		}
	})
}

// The next beat is due after the usual time; earlier to find a dead node as soon as its lease is
// over; and at once after an answer that took longer, which is no stall.
func TestBeatDue(t *testing.T) {
	for _, c := range []struct {
		name  string
		still time.Duration // the other node, before the beat; 0 for none
		slow  time.Duration
		want  func(b *beater) time.Duration // after the beat
	}{
		{"usually", 0, 0, func(b *beater) time.Duration { return b.cfg.Settings.Beat }},
		{"a node that may be dead soon", aLease - time.Millisecond, 0, func(*beater) time.Duration { return time.Millisecond }},
		{"a node that may be dead later", time.Millisecond, 0, func(b *beater) time.Duration { return b.cfg.Settings.Beat }},
		{"a slow answer", 0, aLease/2 - 1, func(*beater) time.Duration { return aLease/2 - 1 }},
		{"no answer", 0, time.Hour, func(*beater) time.Duration { return aLease / 2 }},
	} {
		inLab(t, func(l *lab) {
			n := l.prepare("a")
			b := &beater{Node: n.Node, watch: newWatch(n.me, aLease), swept: time.Now()}
			l.pass(aLease)
			now := time.Now()
			if c.still > 0 {
				if _, err := l.registry.Beat(context.Background(), them); err != nil {
					t.Fatal(err)
				}
				b.watch.seen[them] = &sight{count: 1, moved: now.Add(-c.still), still: now.Add(-c.still)}
			}
			n.way.slowBy(c.slow)
			if b.once(now); b.due.Sub(now) != c.want(b) {
				t.Errorf("%s: due after %v, want %v", c.name, b.due.Sub(now), c.want(b))
			}
			if c.slow == 0 {
				return
			}
			n.way.slowBy(0)
			b.watch.seen[them] = &sight{still: now}
			at := b.due
			if b.stalls.Look(b.due, at); b.stalls.Since(b.before) {
				t.Errorf("%s: taken for a stall", c.name)
			}
		})
	}
}

// After a stall the others' beats are still unread: no silence lasts through it.
func TestBeatAfterStall(t *testing.T) {
	for _, late := range []time.Duration{time.Second, time.Second + 1} {
		inLab(t, func(l *lab) {
			n := l.prepare("a")
			b := &beater{Node: n.Node, watch: newWatch(n.me, aLease), swept: time.Now()}
			if _, err := l.registry.Beat(context.Background(), them); err != nil {
				t.Fatal(err)
			}
			b.once(time.Now())
			since := b.watch.seen[them].still
			time.Sleep(time.Until(b.due) + late)
			b.once(time.Now())
			if kept := b.watch.seen[them].still.Equal(since); kept != (late <= time.Second) {
				t.Errorf("%v late: the silence goes on: %v", late, kept)
			}
		})
	}
}
