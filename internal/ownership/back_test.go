package ownership

import (
	"context"
	"testing"
	"time"
)

func TestCutOff(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		ids := a.calls(1000)
		l.pass(10 * time.Second)
		a.way.cut()
		l.pass(20 * time.Second)
		for _, id := range ids {
			a.refresh(id)
		}
		if a.Good() {
			t.Error("the lease is good though others have claimed everything")
		}
		a.way.heal()
		l.pass(time.Minute)
		if by := l.ownedBy(ids); by["b"] != 1000 {
			t.Errorf("owned: %v", by)
		}
		if got := a.Stats(); len(a.letGo()) != 1000 || got.Owned != 0 || got.Fenced[ByRegistry] != 1000 || got.Waiting != 0 || a.exceptions() != 0 {
			t.Errorf("%d released; %+v", len(a.letGo()), got)
		}
		if r := a.letGo()[0]; r.To.Name != "b" || r.Epoch != 2 {
			t.Errorf("released to %v in epoch %d", r.To, r.Epoch)
		}
		if len(b.letGo()) > 0 || !a.Good() {
			t.Errorf("the taker has released %d, the lease of the other one is good: %v", len(b.letGo()), a.Good())
		}
		for _, a := range b.took() {
			if a.Dialog.LocalCSeq != 1010 {
				t.Fatalf("CSeq %d", a.Dialog.LocalCSeq)
			}
		}
	})
}

func TestBackAmidClaims(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		b := l.node("b")
		ids := a.calls(2000)
		l.pass(10 * time.Second)
		a.way.cut()
		claims := 0
		b.way.set(func() {
			b.way.watch = func(method string, _ int) {
				if method != "Claim" {
					return
				}
				if claims++; claims == 3 {
					a.way.heal()
				}
				time.Sleep(300 * time.Millisecond)
			}
		})
		suspected := false
		for range 100 {
			l.pass(100 * time.Millisecond)
			suspected = suspected || a.lease.suspect.Load()
			if a.Good() && a.Stats().Owned > l.ownedBy(ids)["a"] {
				t.Fatalf("the lease is good with %d calls, of which %v", a.Stats().Owned, l.ownedBy(ids))
			}
		}
		l.pass(time.Minute)
		by := l.ownedBy(ids)
		if by["b"] < 3*claimBatch || by["a"] == 0 || by["a"]+by["b"] != 2000 || a.Len() != by["a"] || b.Len() != by["b"] || !suspected || !a.Good() {
			t.Errorf("owned: %v; in memory %d and %d; suspected: %v, good in the end: %v", by, a.Len(), b.Len(), suspected, a.Good())
		}
	})
}

func TestThereAndBack(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		b := l.node("b")
		ids := a.calls(10)
		l.pass(10 * time.Second)
		a.way.cut()
		l.pass(10 * time.Second)
		if len(b.took()) != 10 {
			t.Fatalf("%d adopted", len(b.took()))
		}
		b.refresh(ids[0])
		l.pass(time.Second)
		b.stop()
		a.way.heal()
		l.pass(30 * time.Second)
		for _, id := range ids {
			if o := l.ownership(id); o.Owner.Name != "a" || o.Epoch != 3 {
				t.Errorf("%v is %+v", id, o)
			}
			d, err := a.Load(context.Background(), id)
			want := uint32(2010)
			if id == ids[0] {
				want++
			}
			if err != nil || d.LocalCSeq != want {
				t.Errorf("CSeq %d of %v, want %d (%v)", d.LocalCSeq, id, want, err)
			}
		}
	})
}
