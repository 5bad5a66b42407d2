package failovertest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/recorder"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// TestTranscript compares what the suite demands with testdata/checks.txt: the requests of
// each check, the answers of Memory, and in brackets those parts of an answer that the check
// insists on. Of checks with many requests only their number is there, and of those that need
// goroutines only the rules.
func TestTranscript(t *testing.T) {
	var tr recorder.Transcript
	for _, g := range groups() {
		for _, c := range g.checks {
			tr.Rule(c.Name, c.Rule)
			if &g.checks[0] != &contention[0] {
				tr.Requests(30, func(s *recorder.Scribe) []string { return runWith(t, c, s) })
			}
		}
	}
	tr.Compare(t, "testdata/checks.txt")
}

func runWith(t *testing.T, c check, s *recorder.Scribe) (failures []string) {
	bubble.Test(t, func(t *testing.T) {
		failures = recorder.Said(t, func(t testing.TB) { c.Run(t, &scribe{failover.NewMemory(), s}) })
	})
	return failures
}

// scribe is a Memory that notes what it is asked. It changes one part of one answer.
type scribe struct {
	*memory
	*recorder.Scribe
}

var part = recorder.PartOf

func (s *scribe) answered(text string, err *error, parts ...recorder.Part) {
	if *err != nil {
		text += fmt.Sprintf(" fails: %v", *err)
	}
	s.Answered(text, err, parts...)
}

func nodeText(n node) string {
	if n == nobody {
		return "nobody"
	}
	return strings.TrimSuffix(n.Name+"/"+n.Run, "/run-1")
}

func keyText(k name) string { return fmt.Sprintf("%s@%d", k.CallID, k.Epoch) }

func stateText(e state) string {
	text := fmt.Sprintf("%s.%d", keyText(e.Key()), e.Dialog.Version)
	if e.Age != 0 {
		text += fmt.Sprintf(" of %v", e.Age)
	}
	usual := entry(e.Dialog.CallID, e.Epoch, e.Dialog.Version)
	if !e.Dialog.Session.Active() {
		usual.Dialog.Session, text = e.Dialog.Session, text+" untimed"
	} else if i := e.Dialog.Session.Interval; i != interval {
		usual.Dialog.Session.Interval, text = i, text+fmt.Sprintf(" for %v", i)
	}
	usual.Dialog.Session.Since = e.Dialog.Session.Since
	if !reflect.DeepEqual(usual.Dialog, e.Dialog) {
		text += " altered"
	}
	return text
}

func ownerText(o owner) string { return fmt.Sprintf("%s@%d", nodeText(o.Owner), o.Epoch) }

func errText(err error) string {
	var f *failover.FencedError
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &f):
		return "fenced by " + ownerText(f.Ownership)
	}
	return "unknown"
}

// list joins what text makes of each.
func list[E any](all []E, text func(E) string) string {
	var out []string
	for _, e := range all {
		out = append(out, text(e))
	}
	return "{" + strings.Join(out, ", ") + "}"
}

func (s *scribe) Beat(c ctx, me node) (pulse, error) {
	p, err := s.memory.Beat(c, me)
	each := func(f func(b *failover.Beating)) func() {
		return func() {
			for i := range p.Nodes {
				f(&p.Nodes[i])
			}
		}
	}
	s.answered(fmt.Sprintf("Beat %s = %s, buried %d", nodeText(me), list(p.Nodes, func(b failover.Beating) string {
		return strings.NewReplacer(" left=false", "", " dead=false", "").Replace(fmt.Sprintf("%s left=%t dead=%t", nodeText(b.Node), b.Left, b.Dead))
	}), p.Buried), &err,
		part("nodes", func() { p.Nodes = append(p.Nodes, failover.Beating{Node: node{Name: "stranger"}}) }),
		part("left", each(func(b *failover.Beating) { b.Left = !b.Left })),
		part("dead", each(func(b *failover.Beating) { b.Dead = !b.Dead })),
		part("counts", each(func(b *failover.Beating) { b.Count-- })),
		part("buried", func() { p.Buried++ }),
		part("generation", func() { p.Generation += "x" }))
	return p, err
}

func (s *scribe) Leave(c ctx, me node) error {
	err := s.memory.Leave(c, me)
	s.answered("Leave "+nodeText(me), &err)
	return err
}

func (s *scribe) Bury(c ctx, n node, count uint64) (bool, error) {
	ok, err := s.memory.Bury(c, n, count)
	s.answered(fmt.Sprintf("Bury %s at %d = %t", nodeText(n), count, ok), &err, part("answer", func() { ok = !ok }))
	return ok, err
}

// errParts are the errors of a batch.
func errParts(errs []error) (parts []recorder.Part) {
	for i := range errs {
		parts = append(parts, part(fmt.Sprint(i+1), func() { errs[i] = recorder.Turned(errs[i]) }))
		parts = append(parts, fenceParts(fmt.Sprint(i+1), &errs[i])...)
	}
	return parts
}

// fenceParts are what a *FencedError says: the call, its owner and the epoch.
func fenceParts(prefix string, err *error) []recorder.Part {
	var f *failover.FencedError
	if !errors.As(*err, &f) {
		return nil
	}
	altered := func(what string, alter func(*failover.FencedError)) recorder.Part {
		return part(prefix+"."+what, func() {
			other := *f
			alter(&other)
			*err = &other
		})
	}
	return []recorder.Part{
		altered("call", func(f *failover.FencedError) { f.ID.CallID += "x" }),
		altered("node", func(f *failover.FencedError) { f.Owner.Run += "x" }),
		altered("epoch", func(f *failover.FencedError) { f.Epoch++ }),
	}
}

func (s *scribe) Put(c ctx, me node, entries []state) ([]error, error) {
	errs, err := s.memory.Put(c, me, entries)
	s.answered(fmt.Sprintf("Put %s %s = %s", nodeText(me), list(entries, stateText), list(errs, errText)), &err, errParts(errs)...)
	return errs, err
}

func (s *scribe) Drop(c ctx, me node, keys []name) ([]error, error) {
	errs, err := s.memory.Drop(c, me, keys)
	s.answered(fmt.Sprintf("Drop %s %s = %s", nodeText(me), list(keys, keyText), list(errs, errText)), &err, errParts(errs)...)
	return errs, err
}

func (s *scribe) Claim(c ctx, me, from node, keys []name) ([]claimed, error) {
	all, err := s.memory.Claim(c, me, from, keys)
	var parts []recorder.Part
	for i := range all {
		of := func(what string) string { return fmt.Sprint(i+1, ".", what) }
		parts = append(parts, part(of("error"), func() { all[i].Err = recorder.Turned(all[i].Err) }))
		parts = append(parts, fenceParts(fmt.Sprint(i+1), &all[i].Err)...)
		if all[i].Err == nil {
			parts = append(parts, part(of("epoch"), func() { all[i].Epoch++ }), part(of("age"), func() { all[i].Age += time.Hour }),
				part(of("state"), func() { all[i].Dialog.LocalCSeq++ }))
		}
	}
	s.answered(fmt.Sprintf("Claim %s from %s %s = %s", nodeText(me), nodeText(from), list(keys, keyText), list(all, func(c claimed) string {
		if c.Err != nil {
			return errText(c.Err)
		}
		return stateText(c.Entry)
	})), &err, parts...)
	return all, err
}

func (s *scribe) Owned(c ctx, n node, limit int) ([]held, error) {
	all, err := s.memory.Owned(c, n, limit)
	s.answered(fmt.Sprintf("Owned %s = %s", nodeText(n), list(all, func(h held) string { return keyText(h.Key) })), &err,
		part("calls", func() { all = append(all, held{Key: key("stranger", 1)}) }),
		part("order", func() { slices.Reverse(all) }),
		part("left", func() {
			for i := range all {
				all[i].Left += time.Hour
			}
		}))
	return all, err
}

func (s *scribe) Owner(c ctx, ids []id) ([]owner, error) {
	owners, err := s.memory.Owner(c, ids)
	var parts []recorder.Part
	for i := range owners {
		parts = append(parts, part(fmt.Sprint(i+1, ".node"), func() { owners[i].Owner.Run += "x" }),
			part(fmt.Sprint(i+1, ".epoch"), func() { owners[i].Epoch++ }))
	}
	s.answered(fmt.Sprintf("Owner %s = %s", list(ids, func(i id) string { return i.CallID }), list(owners, ownerText)), &err, parts...)
	return owners, err
}

func (s *scribe) Read(c ctx, ids []id) ([]state, error) {
	entries, err := s.memory.Read(c, ids)
	var parts []recorder.Part
	for i := range entries {
		parts = append(parts, part(fmt.Sprint(i+1, ".epoch"), func() { entries[i].Epoch++ }),
			part(fmt.Sprint(i+1, ".age"), func() { entries[i].Age += time.Hour }),
			part(fmt.Sprint(i+1, ".state"), func() { entries[i].Dialog.LocalCSeq++ }))
	}
	s.answered(fmt.Sprintf("Read %s = %s", list(ids, func(i id) string { return i.CallID }), list(entries, stateText)), &err, parts...)
	return entries, err
}

func (s *scribe) Advance(by time.Duration) {
	s.memory.Advance(by)
	s.Noted(fmt.Sprintf("%v later", by))
}

func (s *scribe) Flush() {
	s.memory.Flush()
	s.Noted("Flush")
}
