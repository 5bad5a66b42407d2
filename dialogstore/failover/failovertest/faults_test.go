package failovertest

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/recorder"
)

type fault recorder.Fault[*memory, failover.Registry]

// faults are registries that break one rule each, with the checks that tell.
var faults = []fault{
	// Beats.
	{"a node does not see itself", []string{"beat"}, pulses(func(me node, p *pulse) {
		p.Nodes = slices.DeleteFunc(p.Nodes, func(b failover.Beating) bool { return b.Node == me })
	})},
	{"few nodes are known", []string{"alike nodes", "everything at once"}, pulses(func(_ node, p *pulse) {
		p.Nodes = p.Nodes[:min(4, len(p.Nodes))]
	})},
	{"beats do not count", []string{"beats count", "bury"}, pulses(func(_ node, p *pulse) {
		for i := range p.Nodes {
			p.Nodes[i].Count = 1
		}
	})},
	{"counts fall", []string{"beats count"}, pulses(func(_ node, p *pulse) {
		for i := range p.Nodes {
			p.Nodes[i].Count = ^p.Nodes[i].Count
		}
	})},
	{"all beats are counted together", []string{"beats count"}, pulses(func(_ node, p *pulse) {
		total := uint64(0)
		for _, b := range p.Nodes {
			total += b.Count
		}
		for i := range p.Nodes {
			p.Nodes[i].Count = total
		}
	})},
	{"runs of a name are one", []string{"runs", "alike nodes"}, nodesAs(func(n node) node { return node{Name: n.Name} })},
	{"a Leave that is done says that it failed", []string{"everything at once"}, func(m *memory) failover.Registry {
		return broken{memory: m, leave: func(c ctx, me node) error { m.Leave(c, me); return recorder.ErrSpoiled }}
	}},
	{"a pulse has a node that never was", []string{"everything at once"}, pulses(func(_ node, p *pulse) {
		p.Nodes = append(p.Nodes, failover.Beating{Node: node{Name: "stranger"}})
	})},
	{"Leave does nothing", []string{"leave", "leave again", "everything at once"}, func(m *memory) failover.Registry {
		return broken{memory: m, leave: func(ctx, node) error { return nil }}
	}},
	{"Leave is a switch", []string{"leave again"}, toggling},
	{"Leave counts as a beat", []string{"leave"}, func(m *memory) failover.Registry {
		return broken{memory: m, leave: func(c ctx, me node) error { m.Beat(c, me); return m.Leave(c, me) }}
	}},
	{"a burial is not told", []string{"bury", "bury at once", "bury again"}, pulses(func(_ node, p *pulse) { p.Buried = 0 })},
	{"a burial is told once", []string{"beat again"}, tellOnce},
	{"a second burial is not told", []string{"bury again"}, pulses(func(_ node, p *pulse) { p.Buried = min(1, p.Buried) })},
	{"the living are buried", []string{"bury the living"}, func(m *memory) failover.Registry {
		return broken{memory: m, bury: func(c ctx, n node, _ uint64) (bool, error) { return buryNow(m, n) }}
	}},
	{"one undertaker is told that it came too late", []string{"bury at once", "bury again, reply lost"}, buryOnce},
	{"each Beat has a generation", []string{"generation"}, pulses(func(_ node, p *pulse) { p.Generation = fmt.Sprint(p.Nodes) })},
	{"the generation stays", []string{"flush"}, func(m *memory) failover.Registry { return emptied{m, m.Snapshot()} }},

	// Puts.
	{"Put is not fenced", []string{"put fenced by epoch", "put fenced by owner", "put in part", "runs", "claim fences", "claims in a row"}, unfenced},
	{"Put looks at the owner alone", []string{"put fenced by epoch", "put twice at once"}, func(m *memory) failover.Registry {
		return broken{memory: m, put: func(_ ctx, me node, e state) error {
			if o := owner2(m, e.Dialog.ID); o.Owner == me {
				e.Epoch = max(e.Epoch, o.Epoch)
			}
			return put2(m, me, e)
		}}
	}},
	{"a fenced Put is no error", []string{"put fenced by epoch", "claim among puts", "late put"}, func(m *memory) failover.Registry {
		return broken{memory: m, put: func(_ ctx, me node, e state) error { put2(m, me, e); return nil }}
	}},
	{"the owner's Put is fenced by itself", []string{"one owner an epoch", "one owner an epoch, replies lost"}, func(m *memory) failover.Registry {
		return broken{memory: m, put: func(_ ctx, me node, e state) error {
			if err := put2(m, me, e); err != nil || e.Epoch == 1 {
				return err
			}
			return &failover.FencedError{ID: e.Dialog.ID, Ownership: owner{Owner: me, Epoch: e.Epoch}}
		}}
	}},
	{"a Put that is done says that it failed", []string{"puts at once", "drop among puts"}, func(m *memory) failover.Registry {
		return broken{memory: m, put: func(_ ctx, me node, e state) error { put2(m, me, e); return recorder.ErrSpoiled }}
	}},
	{"Put stores nothing", []string{"put", "claim"}, func(m *memory) failover.Registry {
		return broken{memory: m, put: func(ctx, node, state) error { return nil }}
	}},
	{"versions are ignored", []string{"put older", "puts at once", "put again", "claim again"}, lastPut},
	{"versions are texts", []string{"put newer"}, versioned(func(_ uint64, version, before uint64) bool {
		return fmt.Sprint(version) > fmt.Sprint(before)
	})},
	{"versions outlive their epoch", []string{"put after a claim", "put of a higher epoch", "put after a drop"}, versioned(func(_, version, before uint64) bool {
		return version > before
	})},
	{"only a claim raises epochs", []string{"put of a higher epoch", "put after a drop"}, func(m *memory) failover.Registry {
		return broken{memory: m, put: func(_ ctx, me node, e state) error {
			if o := owner2(m, e.Dialog.ID); o.Epoch != 0 && e.Epoch > o.Epoch {
				return &failover.FencedError{ID: e.Dialog.ID, Ownership: o}
			}
			return put2(m, me, e)
		}}
	}},
	{"the same Put twice is an error", []string{"put older", "put again", "batch again"}, once},
	{"a batch is done from its end", []string{"put twice at once"}, func(m *memory) failover.Registry {
		return broken{memory: m, puts: func(c ctx, me node, entries []state) ([]error, error) {
			entries = slices.Clone(entries)
			slices.Reverse(entries)
			errs, err := m.Put(c, me, entries)
			slices.Reverse(errs)
			return errs, err
		}}
	}},
	{"a batch ends with what is refused", []string{"put in part", "drop in part", "claim in part"}, impatient},
	{"an empty batch is an error", []string{"nothing"}, func(m *memory) failover.Registry {
		return broken{memory: m, puts: func(c ctx, me node, entries []state) ([]error, error) {
			if len(entries) == 0 {
				return nil, errors.New("wrong number of arguments")
			}
			return m.Put(c, me, entries)
		}}
	}},

	// Drops.
	{"a Drop that is done says that it failed", []string{"drop among puts"}, func(m *memory) failover.Registry {
		return broken{memory: m, drop: func(_ ctx, me node, k name) error { drop2(m, me, k); return recorder.ErrSpoiled }}
	}},
	{"Drop does nothing", []string{"drop", "everything at once"}, func(m *memory) failover.Registry {
		return broken{memory: m, drop: func(ctx, node, name) error { return nil }}
	}},
	{"Drop is not fenced", []string{"drop fenced by epoch", "drop fenced by owner", "drop in part", "claim fences"}, func(m *memory) failover.Registry {
		return broken{memory: m, drop: func(_ ctx, me node, k name) error {
			if o := owner2(m, k.ID); o.Epoch != 0 {
				me, k.Epoch = o.Owner, max(o.Epoch, k.Epoch)
			}
			return drop2(m, me, k)
		}}
	}},
	{"a Drop is not remembered", []string{"late put", "drop missing", "drop of a higher epoch", "drop among puts", "drop is remembered"}, forgetful},
	{"Owner does not know what has ended", []string{"drop", "owner in order"}, func(m *memory) failover.Registry {
		return broken{memory: m, owner: func(c ctx, ids []id) ([]owner, error) {
			owners, err := m.Owner(c, ids)
			for i, o := range owners {
				if o.Owner == nobody {
					owners[i] = owner{}
				}
			}
			return owners, err
		}}
	}},
	{"Drop of what is missing is an error", []string{"drop missing"}, func(m *memory) failover.Registry {
		return broken{memory: m, drop: func(_ ctx, me node, k name) error {
			if owner2(m, k.ID) == (owner{}) {
				return failover.ErrUnknown
			}
			return drop2(m, me, k)
		}}
	}},
	{"Drop of what has ended is an error", []string{"drop again", "drop again, reply lost", "batch again"}, func(m *memory) failover.Registry {
		return broken{memory: m, drop: func(_ ctx, me node, k name) error {
			if o := owner2(m, k.ID); o.Owner == nobody && o.Epoch != 0 {
				return &failover.FencedError{ID: k.ID, Ownership: o}
			}
			return drop2(m, me, k)
		}}
	}},
	{"Drop wants the epoch that is stored", []string{"drop of a higher epoch"}, func(m *memory) failover.Registry {
		return broken{memory: m, drop: func(_ ctx, me node, k name) error {
			if o := owner2(m, k.ID); o.Epoch != 0 && k.Epoch > o.Epoch {
				return &failover.FencedError{ID: k.ID, Ownership: o}
			}
			return drop2(m, me, k)
		}}
	}},

	// Claims.
	{"Claim ignores the epoch", []string{"claim in another epoch"}, func(m *memory) failover.Registry {
		return broken{memory: m, claim: func(_ ctx, me, from node, k name) claimed {
			k.Epoch = owner2(m, k.ID).Epoch
			return claim2(m, me, from, k)
		}}
	}},
	{"Claim ignores the owner", []string{"claim from another"}, func(m *memory) failover.Registry {
		return broken{memory: m, claim: func(_ ctx, me, _ node, k name) claimed {
			return claim2(m, me, owner2(m, k.ID).Owner, k)
		}}
	}},
	{"only one node is told who won", []string{"claims at once"}, func(m *memory) failover.Registry {
		return broken{memory: m, claim: func(_ ctx, me, from node, k name) claimed {
			c := claim2(m, me, from, k)
			var f *failover.FencedError
			if me != worker(0) && errors.As(c.Err, &f) {
				c.Err = &failover.FencedError{ID: f.ID, Ownership: owner{Owner: from, Epoch: f.Epoch}}
			}
			return c
		}}
	}},
	{"who won a Claim is fenced by itself", []string{"claims at once"}, func(m *memory) failover.Registry {
		return broken{memory: m, claim: func(_ ctx, me, from node, k name) claimed {
			c := claim2(m, me, from, k)
			if c.Err == nil {
				c.Err = &failover.FencedError{ID: k.ID, Ownership: owner{Owner: me, Epoch: c.Epoch}}
			}
			return c
		}}
	}},
	{"Claim is a version behind", []string{"claim among puts"}, func(m *memory) failover.Registry {
		return broken{memory: m, claim: func(_ ctx, me, from node, k name) claimed {
			c := claim2(m, me, from, k)
			if me == bob {
				c.Dialog.Version--
			}
			return c
		}}
	}},
	{"Claim raises the epoch by two", []string{"claim", "claims in a row", "one owner an epoch"}, func(m *memory) failover.Registry {
		return broken{memory: m, claim: func(_ ctx, me, from node, k name) claimed {
			if c := claim2(m, me, from, k); c.Err != nil {
				return c
			}
			return claim2(m, me, me, name{ID: k.ID, Epoch: k.Epoch + 1})
		}}
	}},
	{"two claims succeed", []string{"claims at once", "one owner an epoch", "one owner an epoch, replies lost"}, doubleClaim},
	{"a repeated Claim is fenced", []string{"claim again", "batch again", "copies"}, func(m *memory) failover.Registry {
		return broken{memory: m, claim: func(_ ctx, me, from node, k name) claimed {
			if o := owner2(m, k.ID); o.Epoch != k.Epoch && o.Epoch != 0 {
				return claimed{Err: &failover.FencedError{ID: k.ID, Ownership: o}}
			}
			return claim2(m, me, from, k)
		}}
	}},
	{"a repeated Claim gives what the first did", []string{"claim again, too late", "claim again"}, memorising},
	{"Claim makes what is not there", []string{"claim unknown", "claim in part"}, func(m *memory) failover.Registry {
		return broken{memory: m, claim: func(_ ctx, me, from node, k name) claimed {
			if owner2(m, k.ID).Epoch == 0 {
				e := entry(k.CallID, k.Epoch, 1)
				put2(m, from, e)
			}
			return claim2(m, me, from, k)
		}}
	}},
	{"Owner answers in another order", []string{"owner in order"}, func(m *memory) failover.Registry {
		return broken{memory: m, owner: func(c ctx, ids []id) ([]owner, error) {
			owners, err := m.Owner(c, ids)
			slices.Reverse(owners)
			return owners, err
		}}
	}},

	// Lists.
	{"Owned lists a call twice", []string{"everything at once"}, listed(func(all []held, _ int) []held {
		return append(all, all...)
	})},
	{"Owned begins with the last", []string{"owned in order", "owned limit", "owned moves"}, listed(func(all []held, limit int) []held {
		slices.Reverse(all)
		return all[:min(limit, len(all))]
	})},
	{"Owned counts before it sorts", []string{"owned limit"}, listed(func(all []held, limit int) []held {
		return all[len(all)-min(limit, len(all)):]
	})},
	{"Owned has no limit", []string{"owned limit"}, listed(func(all []held, _ int) []held { return all })},
	{"Owned has no expired calls", []string{"owned in order", "expired"}, listed(func(all []held, limit int) []held {
		return slices.DeleteFunc(all, func(h held) bool { return h.Left < 0 })
	})},
	{"Owned of calls without a timer is zero", []string{"owned in order"}, listed(func(all []held, _ int) []held {
		for i := range all {
			if all[i].Left == failover.NoTimer {
				all[i].Left = 0
			}
		}
		return all
	})},
	{"Owned of a stranger is an error", []string{"owned by nobody"}, func(m *memory) failover.Registry {
		return broken{memory: m, owned: func(c ctx, n node, limit int) ([]held, error) {
			all, err := m.Owned(c, n, limit)
			if len(all) == 0 {
				return nil, errors.New("no such key")
			}
			return all, err
		}}
	}},
	{"the context is ignored", []string{"cancelled"}, func(m *memory) failover.Registry { return deaf{m} }},
	{"a cancelled Beat counts", []string{"cancelled"}, func(m *memory) failover.Registry {
		return broken{memory: m, beat: func(c ctx, me node) (pulse, error) {
			return anyway(c, func(c ctx) (pulse, error) { return m.Beat(c, me) })
		}}
	}},
	{"a cancelled Leave does", []string{"cancelled"}, func(m *memory) failover.Registry {
		return broken{memory: m, leave: func(c ctx, me node) error {
			_, err := anyway(c, func(c ctx) (any, error) { return nil, m.Leave(c, me) })
			return err
		}}
	}},
	{"a cancelled Bury buries", []string{"cancelled"}, func(m *memory) failover.Registry {
		return broken{memory: m, bury: func(c ctx, n node, count uint64) (bool, error) {
			return anyway(c, func(c ctx) (bool, error) { return m.Bury(c, n, count) })
		}}
	}},
	{"a cancelled Put of a new call stores it", []string{"cancelled"}, puttingAnyway(func(m *memory, e state) bool {
		return owner2(m, e.Dialog.ID) == (owner{})
	})},
	{"a cancelled Put of a newer state stores it", []string{"cancelled"}, puttingAnyway(func(m *memory, e state) bool {
		return owner2(m, e.Dialog.ID) != (owner{})
	})},
	{"a cancelled Drop ends the call", []string{"cancelled"}, func(m *memory) failover.Registry {
		return broken{memory: m, drops: func(c ctx, me node, keys []name) ([]error, error) {
			return anyway(c, func(c ctx) ([]error, error) { return m.Drop(c, me, keys) })
		}}
	}},
	{"a cancelled Claim takes the call", []string{"cancelled"}, func(m *memory) failover.Registry {
		return broken{memory: m, takes: func(c ctx, me, from node, keys []name) ([]claimed, error) {
			return anyway(c, func(c ctx) ([]claimed, error) { return m.Claim(c, me, from, keys) })
		}}
	}},

	// Reads.
	{"Read has what has ended, too", []string{"read"}, reads(func(m *memory, i id, e state) state {
		e.Epoch = owner2(m, i).Epoch
		return e
	})},
	{"Read drops a field", []string{"read every field"}, reads(func(_ *memory, _ id, e state) state {
		e.Dialog.PeerUpdate = false
		return e
	})},
	{"Read claims", []string{"read changes nothing"}, reads(func(m *memory, i id, e state) state {
		claim2(m, node{Name: "reader"}, owner2(m, i).Owner, name{ID: i, Epoch: e.Epoch})
		return e
	})},

	// Values.
	{"a field is dropped", []string{"every field", "every field alone"}, storing(func(e state) state {
		e.Dialog.PeerUpdate = false
		return e
	})},
	{"two fields are one", []string{"every field alone", "field by field"}, storing(func(e state) state {
		e.Dialog.PeerTimer = e.Dialog.PeerTimer || e.Dialog.PeerUpdate
		return e
	})},
	{"numbers are signed", []string{"extremes"}, storing(func(e state) state {
		e.Dialog.LocalCSeq = uint32(max(0, int32(e.Dialog.LocalCSeq)))
		return e
	})},
	{"what is empty is not written", []string{"field by field"}, merging},
	{"IDs are joined", []string{"alike IDs"}, idsAs(func(i id) id {
		return id{CallID: i.CallID + "-" + i.LocalTag + "-" + i.RemoteTag}
	})},
	{"IDs are folded", []string{"alike IDs"}, idsAs(func(i id) id { i.CallID = strings.ToLower(i.CallID); return i })},
	{"nodes are joined", []string{"alike nodes"}, nodesAs(func(n node) node { return node{Name: n.Name + ":" + n.Run} })},
	{"names of nodes are folded", []string{"alike nodes"}, nodesAs(func(n node) node {
		return node{Name: strings.ToLower(n.Name), Run: n.Run}
	})},
	{"runs are folded", []string{"alike nodes"}, nodesAs(func(n node) node {
		return node{Name: n.Name, Run: strings.ToLower(n.Run)}
	})},
	{"names and runs are not told apart", []string{"alike nodes"}, nodesAs(func(n node) node {
		return node{Name: min(n.Name, n.Run), Run: max(n.Name, n.Run)}
	})},
	{"an empty run is the usual one", []string{"alike nodes"}, nodesAs(func(n node) node {
		return node{Name: n.Name, Run: cmp.Or(n.Run, "run")}
	})},
	{"spare capacity is shared", []string{"copies"}, shared},

	// Time.
	{"time stands still", []string{"ages", "age after a put", "drop is forgotten", "expired", "expired later", "untimed", "silent", "silent owner"},
		clocked(0)},
	{"time runs twice as fast", []string{"ages", "drop is remembered", "expired", "expired later", "untimed", "silent"}, clocked(2)},
	{"the age of the first Put counts", []string{"age after a put"}, ageing(func(_, _ uint64) bool { return false })},
	{"the age of the same Put counts again", []string{"age after a put"}, ageing(func(version, before uint64) bool { return version >= before })},
	{"the age of an older Put counts", []string{"age after a put"}, ageing(func(version, before uint64) bool { return version != before })},
	{"silent nodes are forgotten with their calls", []string{"silent owner"}, pulses(func(me node, p *pulse) {
		p.Nodes = slices.DeleteFunc(p.Nodes, func(b failover.Beating) bool { return b.Node != me && b.Count < math.MaxUint8 })
	})},
}
