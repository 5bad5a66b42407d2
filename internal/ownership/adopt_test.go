package ownership

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
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

// A node with an address of its own gives it to the calls that it takes over; one without
// leaves them theirs.
func TestAddressOfAdopted(t *testing.T) {
	for _, addr := range []string{"192.0.2.9:5060", ""} {
		inLab(t, func(l *lab) {
			a, b := l.node("a"), l.node("b", failover.WithAddress(addr))
			d := call("one")
			d.LocalAddr = "192.0.2.1:5060"
			a.create(d)
			l.pass(10 * time.Second)
			a.stop()
			l.pass(within)
			want := addr
			if addr == "" {
				want = d.LocalAddr
			}
			if got := b.took(); len(got) != 1 || got[0].Dialog.LocalAddr != want {
				t.Errorf("adopted %v, want one call at %s", got, want)
			}
		})
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

// What is stored becomes a call of this process: its session began by our clock, and a policy that
// nobody may have is ours.
func TestRevive(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		own := n.cfg.Policy
		own.SessionExpires = 10 * time.Minute
		bad, off := own, own
		bad.MinSE, off.Mode = 1, sessiontimer.Off
		for _, c := range []struct {
			name         string
			policy, want sessiontimer.Policy
			active       bool
		}{
			{"valid", own, own, true}, {"invalid", bad, n.cfg.Policy, true}, {"off", off, n.cfg.Policy, true}, {"without a timer", own, own, false},
		} {
			d := call("one")
			was := time.Now().Add(-time.Hour)
			d.Policy, d.Session.Since = c.policy, was
			if !c.active {
				d.Session.Interval = 0
			}
			n.revive(&d, time.Minute)
			since := was
			if c.active {
				since = time.Now().Add(-time.Minute)
			}
			if d.Policy != c.want || !d.Session.Since.Equal(since) {
				t.Errorf("%s: %+v, since %v", c.name, d.Policy, time.Since(d.Session.Since))
			}
		}
	})
}

// What the application decides of a call that goes on. One that is to be ended offers nothing.
func TestApply(t *testing.T) {
	for _, c := range []struct {
		name string
		d    failover.Decision
		want string
	}{
		{"nothing", failover.Decision{}, "<sip:us@192.0.2.1> v=0 application/sdp"},
		{"another Contact", failover.Decision{Contact: "<sip:us@h>"}, "<sip:us@h> v=0 application/sdp"},
		{"another description", failover.Decision{SDP: []byte("v=1"), SDPType: "multipart/mixed"}, "<sip:us@192.0.2.1> v=1 multipart/mixed"},
		{"one without a type", failover.Decision{SDP: []byte("v=1")}, "<sip:us@192.0.2.1> v=1 application/sdp"},
		{"a type alone", failover.Decision{SDPType: "multipart/mixed"}, "<sip:us@192.0.2.1> v=0 application/sdp"},
		{"its end", failover.Decision{End: true, Contact: "<sip:us@h>", SDP: []byte("v=1")}, "<sip:us@h> v=0 application/sdp"},
	} {
		a := &Adoption{Dialog: call("one"), Decision: c.d}
		a.Dialog.SDPType = "application/sdp"
		a.apply()
		if got := fmt.Sprint(a.Dialog.Contact, " ", string(a.Dialog.SDP), " ", a.Dialog.SDPType); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// The claimed state replaces what we had before, with the higher CSeq and the newer version.
func TestSupersede(t *testing.T) {
	for _, c := range []struct {
		name                       string
		version, before, want      uint64
		cseq, cseqBefore, wantCSeq uint32
	}{
		{"newer", 9, 3, 9, 2010, 10, 2010},
		{"older", 3, 9, 10, 1010, 500, 1500},
		{"the same", 3, 3, 4, 1010, 10, 1010},
		{"around the end of versions", 2, math.MaxUint64, 2, 1010, 10, 1010},
	} {
		a, before := &Adoption{Dialog: call("one")}, call("one")
		a.Dialog.Version, a.Dialog.LocalCSeq, a.Dialog.SDP = c.version, c.cseq, []byte("v=9")
		before.Version, before.LocalCSeq = c.before, c.cseqBefore
		s, err := a.supersede(before)
		if err != nil || s.Version != c.want || s.LocalCSeq != c.wantCSeq || string(s.SDP) != "v=9" {
			t.Errorf("%s: version %d, CSeq %d, %q, %v; want %d, %d", c.name, s.Version, s.LocalCSeq, s.SDP, err, c.want, c.wantCSeq)
		}
	}
}

// Of what a claim returns, each call is adopted once: the host expects it before it is stored, and
// forgets it if it is not. Others' calls and unusable ones are left.
func TestAdopt(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		claimed := func(name string, epoch uint64, err error) failover.Claimed {
			return failover.Claimed{Entry: failover.Entry{Epoch: epoch, Dialog: call(name)}, Err: err}
		}
		odd := claimed("odd", 2, nil)
		odd.Dialog.Contact = "\r\n"
		g := &gone{Node: them, how: Left, moved: time.Now().Add(-3 * time.Second)}
		one := claimed("one", 2, nil)
		one.Dialog.Version = math.MaxUint64
		if many := n.adopt(g, []failover.Claimed{one, odd, claimed("lost", 2, failover.ErrUnknown), claimed("torn", 2, &failover.CorruptError{Reason: errDown})}); many != 1 {
			t.Errorf("%d adopted, want one", many)
		}
		if told := n.hostTold(); told != "expect, adopt stored" {
			t.Errorf("the host was told: %s", told)
		}
		got := n.took()[0]
		if got.From != them || got.How != Left || got.After != 3*time.Second || got.Dialog.Version != 1 || got.Dialog.LocalCSeq != 1010 {
			t.Errorf("adopted %+v", got)
		}
		if n.epochOf(one.Dialog.ID) != 2 || n.marks.all[one.Dialog.ID] != (mark{}) || n.marks.all[odd.Dialog.ID].drop != 2 || n.marks.all[call("torn").ID].drop != 2 || len(n.marks.all) != 3 {
			t.Errorf("in epoch %d, to be written %+v", n.epochOf(one.Dialog.ID), n.marks.all)
		}
		if s := n.Stats(); s.Kept != 1 || s.Refused != 2 || s.Slowest != 3*time.Second {
			t.Errorf("%+v", s)
		}
		if many := n.adopt(g, []failover.Claimed{one}); many != 0 || n.hostTold() != "expect, adopt stored, expect stored, forget stored" {
			t.Errorf("the same claim again: %d adopted, the host was told: %s", many, n.hostTold())
		}
	})
}
