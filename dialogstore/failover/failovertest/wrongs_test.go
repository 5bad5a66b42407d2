package failovertest

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// pulses tells nodes what f makes of each pulse.
func pulses(f func(me node, p *pulse)) func(*memory) failover.Registry {
	return func(m *memory) failover.Registry {
		return broken{memory: m, beat: func(c ctx, me node) (pulse, error) {
			p, err := m.Beat(c, me)
			f(me, &p)
			return p, err
		}}
	}
}

// nodesAs knows nodes by another name, and gives back those whom it has heard of last.
func nodesAs(as func(node) node) func(*memory) failover.Registry {
	return func(m *memory) failover.Registry {
		back := make(map[node]node)
		known := func(n node) node { back[as(n)] = n; return as(n) }
		unfence := func(err error) error {
			if f, ok := err.(*failover.FencedError); ok {
				return &failover.FencedError{ID: f.ID, Ownership: owner{Owner: back[f.Owner], Epoch: f.Epoch}}
			}
			return err
		}
		return broken{memory: m,
			beat: func(c ctx, me node) (pulse, error) {
				p, err := m.Beat(c, known(me))
				for i := range p.Nodes {
					p.Nodes[i].Node = back[p.Nodes[i].Node]
				}
				return p, err
			},
			leave: func(c ctx, me node) error { return m.Leave(c, known(me)) },
			bury:  func(c ctx, n node, count uint64) (bool, error) { return m.Bury(c, known(n), count) },
			put:   func(_ ctx, me node, e state) error { return unfence(put2(m, known(me), e)) },
			drop:  func(_ ctx, me node, k name) error { return unfence(drop2(m, known(me), k)) },
			claim: func(_ ctx, me, from node, k name) claimed {
				c := claim2(m, known(me), known(from), k)
				c.Err = unfence(c.Err)
				return c
			},
			owned: func(c ctx, n node, limit int) ([]held, error) { return m.Owned(c, known(n), limit) },
			owner: func(c ctx, ids []id) ([]owner, error) {
				owners, err := m.Owner(c, ids)
				for i := range owners {
					owners[i].Owner = back[owners[i].Owner]
				}
				return owners, err
			},
		}
	}
}

// idsAs knows calls by another name, and gives back those that it has heard of last.
func idsAs(as func(id) id) func(*memory) failover.Registry {
	return func(m *memory) failover.Registry {
		back := make(map[id]id)
		return broken{memory: m,
			put: func(_ ctx, me node, e state) error {
				back[as(e.Dialog.ID)], e.Dialog.ID = e.Dialog.ID, as(e.Dialog.ID)
				return put2(m, me, e)
			},
			claim: func(_ ctx, me, from node, k name) claimed {
				k.ID = as(k.ID)
				c := claim2(m, me, from, k)
				c.Dialog.ID = back[k.ID]
				return c
			},
			owned: func(c ctx, n node, limit int) ([]held, error) {
				all, err := m.Owned(c, n, limit)
				for i := range all {
					all[i].ID = back[all[i].ID]
				}
				return all, err
			},
		}
	}
}

func toggling(m *memory) failover.Registry {
	left := make(map[node]bool)
	return broken{memory: m, leave: func(c ctx, me node) error {
		if left[me] = !left[me]; !left[me] {
			_, err := m.Beat(c, me)
			return err
		}
		return m.Leave(c, me)
	}}
}

func tellOnce(m *memory) failover.Registry {
	told := make(map[node]uint64)
	return pulses(func(me node, p *pulse) {
		if p.Buried == told[me] {
			p.Buried = 0
		} else {
			told[me] = p.Buried
		}
	})(m)
}

// buryNow buries a node whatever its count is.
func buryNow(m *memory, n node) (bool, error) {
	p, _ := m.Beat(background, node{Name: "undertaker"})
	for _, b := range p.Nodes {
		if b.Node == n {
			return m.Bury(background, n, b.Count)
		}
	}
	return false, nil
}

func buryOnce(m *memory) failover.Registry {
	done := make(map[string]bool)
	return broken{memory: m, bury: func(c ctx, n node, count uint64) (bool, error) {
		this := fmt.Sprint(n, count)
		if done[this] {
			return false, nil
		}
		done[this] = true
		return m.Bury(c, n, count)
	}}
}

// emptied loses everything but its generation.
type emptied struct {
	*memory
	flush func()
}

func (e emptied) Flush() { e.flush() }

// unfenced makes whoever puts the owner.
func unfenced(m *memory) failover.Registry {
	return broken{memory: m, put: func(_ ctx, me node, e state) error {
		if put2(m, me, e) != nil {
			e.Epoch = owner2(m, e.Dialog.ID).Epoch + 1
			put2(m, me, e)
		}
		return nil
	}}
}

// lastPut keeps what was put last, of whatever version.
func lastPut(m *memory) failover.Registry {
	var mu sync.Mutex
	last := make(map[id]state)
	return broken{memory: m,
		put: func(_ ctx, me node, e state) error {
			mu.Lock()
			defer mu.Unlock()
			err := put2(m, me, e)
			if err == nil {
				last[e.Dialog.ID] = e
			}
			return err
		},
		claim: func(_ ctx, me, from node, k name) claimed {
			mu.Lock()
			defer mu.Unlock()
			c := claim2(m, me, from, k)
			if c.Err == nil {
				c.Dialog = last[k.ID].Dialog
				c.Dialog.Session.Since = time.Time{}
			}
			return c
		},
	}
}

// versioned stores a state where newer says so, of its epoch, its version and the one
// that was stored before.
func versioned(newer func(epoch, version, before uint64) bool) func(*memory) failover.Registry {
	return func(m *memory) failover.Registry {
		before := make(map[id]uint64)
		return broken{memory: m, put: func(_ ctx, me node, e state) error {
			if v, ok := before[e.Dialog.ID]; ok && !newer(e.Epoch, e.Dialog.Version, v) {
				return nil
			}
			err := put2(m, me, e)
			if err == nil {
				before[e.Dialog.ID] = e.Dialog.Version
			}
			return err
		}}
	}
}

func once(m *memory) failover.Registry {
	put := make(map[string]bool)
	return broken{memory: m, put: func(_ ctx, me node, e state) error {
		this := fmt.Sprint(e.Key(), e.Dialog.Version)
		if put[this] {
			return failover.ErrUnknown
		}
		put[this] = true
		return put2(m, me, e)
	}}
}

func impatient(m *memory) failover.Registry {
	return broken{memory: m,
		puts: func(_ ctx, me node, entries []state) ([]error, error) {
			errs := make([]error, len(entries))
			for i, e := range entries {
				if errs[i] = put2(m, me, e); errs[i] != nil {
					break
				}
			}
			return errs, nil
		},
		drops: func(_ ctx, me node, keys []name) ([]error, error) {
			errs := make([]error, len(keys))
			for i, k := range keys {
				if errs[i] = drop2(m, me, k); errs[i] != nil {
					break
				}
			}
			return errs, nil
		},
		takes: func(_ ctx, me, from node, keys []name) ([]claimed, error) {
			all := make([]claimed, len(keys))
			for i, k := range keys {
				if all[i] = claim2(m, me, from, k); all[i].Err != nil {
					break
				}
			}
			return all, nil
		},
	}
}

// forgetful takes a Put of a call that has ended.
func forgetful(m *memory) failover.Registry {
	return broken{memory: m, put: func(_ ctx, me node, e state) error {
		if o := owner2(m, e.Dialog.ID); o.Owner == nobody && o.Epoch >= e.Epoch {
			e.Epoch = o.Epoch + 1
		}
		return put2(m, me, e)
	}}
}

// encounter makes the first two that arrive wait for each other.
func encounter() func() {
	var arrived atomic.Int32
	both := make(chan struct{})
	return func() {
		switch arrived.Add(1) {
		case 1:
			<-both
		case 2:
			close(both)
		}
	}
}

// doubleClaim makes two nodes that claim a call at once owners of one epoch, as often as
// they ask.
func doubleClaim(m *memory) failover.Registry {
	meet := encounter()
	var second sync.Map // claims that came second
	return broken{memory: m, claim: func(_ ctx, me, from node, k name) claimed {
		this := fmt.Sprint(me, from, k)
		if c, again := second.Load(this); again {
			return c.(claimed)
		}
		if owner2(m, k.ID) != (owner{Owner: from, Epoch: k.Epoch}) {
			return claim2(m, me, from, k)
		}
		meet()
		c := claim2(m, me, from, k)
		if c.Err != nil {
			c = claimed{Entry: entry(k.CallID, k.Epoch+1, 1)}
			second.Store(this, c)
		}
		return c
	}}
}

func memorising(m *memory) failover.Registry {
	done := make(map[string]claimed)
	return broken{memory: m, claim: func(_ ctx, me, from node, k name) claimed {
		this := fmt.Sprint(me, from, k)
		c, again := done[this]
		if !again {
			if c = claim2(m, me, from, k); c.Err == nil {
				done[this] = c
			}
		}
		return c
	}}
}

// listed makes other lists of what a node owns.
func listed(f func(all []held, limit int) []held) func(*memory) failover.Registry {
	return func(m *memory) failover.Registry {
		return broken{memory: m, owned: func(c ctx, n node, limit int) ([]held, error) {
			all, err := m.Owned(c, n, 1<<20)
			return f(all, limit), err
		}}
	}
}

// storing keeps of each state what f leaves of it.
func storing(f func(state) state) func(*memory) failover.Registry {
	return func(m *memory) failover.Registry {
		return broken{memory: m, put: func(_ ctx, me node, e state) error { return put2(m, me, f(e)) }}
	}
}

// merging leaves a field as it was where the newer state has none.
func merging(m *memory) failover.Registry {
	last := make(map[id]state)
	return broken{memory: m, put: func(_ ctx, me node, e state) error {
		old, next := last[e.Dialog.ID], e
		was, is := reflect.ValueOf(&old.Dialog.State).Elem(), reflect.ValueOf(&next.Dialog.State).Elem()
		for i := range is.NumField() {
			if is.Field(i).IsZero() {
				is.Field(i).Set(was.Field(i))
			}
		}
		last[e.Dialog.ID] = next
		return put2(m, me, next)
	}}
}

// shared gives room for more, the same to everyone.
func shared(m *memory) failover.Registry {
	routes := make([]string, 0, 8)
	return broken{memory: m, claim: func(_ ctx, me, from node, k name) claimed {
		c := claim2(m, me, from, k)
		c.Dialog.RouteSet = append(routes[:0], c.Dialog.RouteSet...)
		return c
	}}
}

// fast is a registry whose clock runs so many times as fast.
type fast struct {
	*memory
	times time.Duration
}

func (f fast) Advance(by time.Duration) { f.memory.Advance(by * f.times) }

func clocked(times time.Duration) func(*memory) failover.Registry {
	return func(m *memory) failover.Registry { return fast{m, times} }
}

// reads returns what f makes of each entry that is read.
func reads(f func(m *memory, i id, e state) state) func(*memory) failover.Registry {
	return func(m *memory) failover.Registry {
		return broken{memory: m, read: func(c ctx, ids []id) ([]state, error) {
			entries, err := m.Read(c, ids)
			for i := range entries {
				entries[i] = f(m, ids[i], entries[i])
			}
			return entries, err
		}}
	}
}

// anyway does what a cancelled caller asked for, and then returns the error of its context.
func anyway[R any](c ctx, do func(ctx) (R, error)) (R, error) {
	result, err := do(context.WithoutCancel(c))
	return result, cmp.Or(c.Err(), err)
}

// puttingAnyway stores those states of a cancelled Put that f selects.
func puttingAnyway(f func(*memory, state) bool) func(*memory) failover.Registry {
	return func(m *memory) failover.Registry {
		return broken{memory: m, puts: func(c ctx, me node, entries []state) ([]error, error) {
			if c.Err() != nil {
				entries = slices.DeleteFunc(slices.Clone(entries), func(e state) bool { return !f(m, e) })
			}
			return anyway(c, func(c ctx) ([]error, error) { return m.Put(c, me, entries) })
		}}
	}
}

// ageing takes the age of a Put where counts says so, of its version and the one that is
// stored.
func ageing(counts func(version, before uint64) bool) func(*memory) failover.Registry {
	return func(m *memory) failover.Registry {
		return broken{memory: m, put: func(c ctx, me node, e state) error {
			stored, _ := m.Read(c, []id{e.Dialog.ID})
			was := stored[0]
			if was.Epoch != e.Epoch {
				return put2(m, me, e)
			}
			next := e
			if e.Dialog.Version < was.Dialog.Version {
				next = was
			}
			next.Age = was.Age
			if counts(e.Dialog.Version, was.Dialog.Version) {
				next.Age = e.Age
			}
			m.Flush()
			return put2(m, me, next)
		}}
	}
}
