package ownership

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

func TestAdopted(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		d := call("one")
		a.create(d)
		l.pass(20 * time.Second)
		a.stop()
		l.pass(10 * time.Second)
		if len(b.took()) != 1 {
			t.Fatalf("%d calls adopted", len(b.took()))
		}
		got := b.took()[0]
		if n := got.Dialog.LocalCSeq; n != 1010 {
			t.Errorf("CSeq %d, want 1010", n)
		}
		if s := got.Dialog.Session; s.Since.Sub(d.Session.Since).Abs() > time.Millisecond || s.Interval != d.Session.Interval {
			t.Errorf("the session began %v after what it did", s.Since.Sub(d.Session.Since))
		}
		if e := l.stored(d.ID); e.Epoch != 2 || e.Dialog.LocalCSeq != 1010 {
			t.Errorf("stored in epoch %d with CSeq %d, want 2 and 1010", e.Epoch, e.Dialog.LocalCSeq)
		}
		if mine, err := b.Load(context.Background(), d.ID); err != nil || mine.Version != 2 || mine.LocalCSeq != 1010 {
			t.Errorf("in memory %+v, %v", mine, err)
		}
		if k := b.Key(d.ID); k.Epoch != 2 {
			t.Errorf("ours in epoch %d, want 2", k.Epoch)
		}
		if change := got.Change(); !change.Created() {
			t.Error("no new dialog for observers")
		}
		if _, err := b.Delete(context.Background(), d.ID); err != nil {
			t.Fatal(err)
		}
		l.pass(time.Second)
		if o := l.ownership(d.ID); o != (failover.Ownership{Epoch: 2}) || b.exceptions() != 0 {
			t.Errorf("once it has ended it is %+v, and %d entries are kept", o, b.exceptions())
		}
	})
}

func TestJump(t *testing.T) {
	for _, c := range []struct{ cseq, by, want uint32 }{
		{10, AfterTakeover, 1010}, {10, AfterRefusal, 65546}, {highestCSeq - 1, AfterTakeover, highestCSeq},
		{highestCSeq + 5, AfterTakeover, highestCSeq + 5}, {1<<31 - 1, AfterRefusal, 1<<31 - 1},
	} {
		if got := Jump(c.cseq, c.by); got != c.want {
			t.Errorf("%d by %d: %d, want %d", c.cseq, c.by, got, c.want)
		}
	}
}

func TestDecision(t *testing.T) {
	inLab(t, func(l *lab) {
		decide := func(d dialogstore.Dialog) failover.Decision {
			switch d.CallID {
			case "a-0":
				return failover.Decision{End: true, SDP: []byte("ignored")}
			case "a-1":
				return failover.Decision{Contact: "<sip:us@192.0.2.2>", SDP: []byte("v=1")}
			case "a-2":
				panic("a mistake")
			}
			return failover.Decision{}
		}
		a, b := l.node("a"), l.node("b", failover.WithTakeover(decide))
		a.calls(4)
		l.pass(10 * time.Second)
		a.stop()
		l.pass(10 * time.Second)
		got := make(map[string]string)
		for _, a := range b.took() {
			got[a.Dialog.CallID] = fmt.Sprint(a.Decision.End, a.Dialog.Contact, string(a.Dialog.SDP), a.Dialog.SDPType)
		}
		same := "false<sip:us@192.0.2.1>v=0application/sdp"
		want := map[string]string{"a-0": strings.Replace(same, "false", "true", 1), "a-1": "false<sip:us@192.0.2.2>v=1application/sdp", "a-2": same, "a-3": same}
		for id := range want {
			if got[id] != want[id] {
				t.Errorf("%s: %q, want %q", id, got[id], want[id])
			}
		}
		if s := b.Stats(); s.Ended != 1 || s.Kept != 3 {
			t.Errorf("%+v", s)
		}
		if b.logs.Count("panic while taking over a call") != 1 {
			t.Error("the panic is not logged once")
		}
	})
}

func TestRowsOfStrangers(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		bad, odd := call("bad"), call("odd")
		bad.RemoteTarget = "sip:peer@192.0.2.7\r\nX-Injected: 1"
		odd.Policy.MinSE = 1
		a.create(bad)
		a.create(odd)
		l.pass(10 * time.Second)
		a.stop()
		l.pass(10 * time.Second)
		if names := b.names(); !slices.Equal(names, []string{"odd"}) {
			t.Fatalf("adopted %v", names)
		}
		if p := b.took()[0].Dialog.Policy; p != b.cfg.Policy {
			t.Errorf("policy %+v", p)
		}
		if got := l.owner(bad.ID); got != "" || b.Stats().Refused != 1 {
			t.Errorf("the bad row is owned by %q, %d refused", got, b.Stats().Refused)
		}
	})
}

func TestClaimedThoughInMemory(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		d := call("one")
		d.Version, d.LocalCSeq = 50, 5000
		a.create(d)
		l.pass(time.Second)
		claimed := failover.Claimed{Entry: failover.Entry{Epoch: 3, Dialog: call("one")}}
		claimed.Dialog.SDP = []byte("v=2")
		for range 2 { // the second answer is that of the same claim
			a.adopt(&gone{Node: them, moved: time.Now()}, []failover.Claimed{claimed})
		}
		took := a.took()
		if len(took) != 1 || took[0].Before.Version != 50 || took[0].Before.LocalCSeq != 5000 {
			t.Fatalf("adopted %+v", took)
		}
		if d := took[0].Dialog; d.Version != 51 || d.LocalCSeq != 6000 || string(d.SDP) != "v=2" {
			t.Errorf("version %d, CSeq %d, SDP %q; want 51, 6000 and the registry's", d.Version, d.LocalCSeq, d.SDP)
		}
		if c := took[0].Change(); c.Created() || c.Deleted() {
			t.Error("no change of a dialog for observers")
		}
	})
}

func TestLateRefusal(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		id := a.calls(1)[0]
		l.pass(time.Second)
		former := a.Key(id)
		a.adopt(&gone{Node: them, moved: time.Now()}, []failover.Claimed{{Entry: failover.Entry{Epoch: 3, Dialog: call(id.CallID)}}})
		a.release(former, failover.Ownership{Owner: them, Epoch: 2}, ByRegistry)
		if len(a.letGo()) > 0 || a.Len() != 1 {
			t.Errorf("%d released", len(a.letGo()))
		}
	})
}

func TestUnclaimableCall(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		a.calls(3)
		b.way.set(func() { b.way.spoilt = "a-1" })
		l.pass(10 * time.Second)
		a.stop()
		l.pass(time.Minute)
		if got := sorted(b.names()); !slices.Equal(got, []string{"a-0", "a-2"}) {
			t.Errorf("adopted %v", got)
		}
		if n := len(b.way.requests("Claim")); n > 130 {
			t.Errorf("claimed %d times in a minute", n)
		}
		if b.logs.Count("cannot take over a call") == 0 {
			t.Error("nobody is told")
		}
	})
}
