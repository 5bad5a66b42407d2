package failovertest

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// aging checks what happens to stored calls and nodes as time passes.
var aging = []check{
	{"ages", "As time passes, the age of a stored session grows, and the time left shrinks.", agesGrow},
	{"age after a put", "The age of the latest stored state counts, not that of a Put which changed nothing.", ageAfterPut},
	{"drop is remembered", "For two minutes, a late Put does not bring back a dropped call.", dropRemembered},
	{"drop is forgotten", "The registry does not remember dropped calls for ever.", dropForgotten},
	{"expired", "A call stays for an hour after its session has expired, but not for ever.", expired},
	{"expired later", "A refresh prolongs that, whoever owns the call.", expiredLater},
	{"untimed", "A call without a timer stays for a day after its last Claim or Put, including a Put that changes nothing.", untimedStays},
	{"silent", "A node that owns nothing stays known for an hour after its last Beat or Leave, but not for ever.", silent},
	{"silent owner", "A node that owns calls stays known for as long as it owns them.", silentOwner},
}

// advance makes time pass for a registry.
func advance(r failover.Registry, by time.Duration) { r.(Clock).Advance(by) }

const (
	// early is how long before a deadline the checks look. A busy machine may use up some
	// of it.
	early = 20 * time.Second
	// slack is the time from early before a deadline until the extra hour of the registry is over.
	slack = time.Hour + time.Minute
)

func agesGrow(t testing.TB, r failover.Registry) {
	start := time.Now()
	mustPut(t, r, alice, aged("call", 1, 90*time.Second))
	advance(r, time.Minute)
	wantTime(t, "less than is left, a minute after Put", -left(t, r, alice), 150*time.Second-interval, start)
	c := mustClaim(t, r, bob, alice, key("call", 1))
	wantTime(t, "the age a minute after Put", c.Age, 150*time.Second, start)
	advance(r, interval)
	wantTime(t, "less than is left after the expiry", -left(t, r, bob), 150*time.Second, start)
	c = mustClaim(t, r, carol, bob, key("call", 2))
	wantTime(t, "the age after the expiry", c.Age, 150*time.Second+interval, start)
}

// left returns the time left of the only call of a node.
func left(t testing.TB, r failover.Registry, node failover.Node) time.Duration {
	t.Helper()
	held := owned(t, r, node, math.MaxInt)
	if len(held) != 1 {
		t.Fatalf("Owned(%s) lists %d calls, want 1", node.Name, len(held))
	}
	return held[0].Left
}

func ageAfterPut(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, aged("call", 2, 10*time.Minute))
	advance(r, time.Minute)
	start := time.Now()
	mustPut(t, r, alice, aged("call", 3, 5*time.Second))
	mustPut(t, r, alice, aged("call", 3, 20*time.Minute))
	mustPut(t, r, alice, aged("call", 2, 20*time.Minute))
	advance(r, time.Minute)
	c := mustClaim(t, r, bob, alice, key("call", 1))
	wantTime(t, "the age a minute after the latest state was put", c.Age, 65*time.Second, start)
}

func dropRemembered(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 1))
	mustDrop(t, r, alice, key("call", 1))
	advance(r, failover.KeepDropped-early)
	wantFenced(t, "late Put", put(t, r, alice, entry("call", 1, 2))[0], "call", nobody, 1)
}

func dropForgotten(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 1))
	mustDrop(t, r, alice, key("call", 1), key("missing", 1))
	advance(r, failover.KeepDropped+slack)
	beat(t, r, bob)
	wantOwner(t, r, "call", nobody, 0)
	wantOwner(t, r, "missing", nobody, 0)
	mustPut(t, r, alice, entry("call", 1, 1))
	wantStored(t, r, alice, entry("call", 1, 1))
}

func expired(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 1))
	advance(r, interval+failover.KeepExpired-early)
	wantOwner(t, r, "call", alice, 1)
	wantOwned(t, r, alice, key("call", 1))
	advance(r, slack)
	wantGone(t, r, alice, "call", 1)
}

// wantGone checks that a call has left no trace.
func wantGone(t testing.TB, r failover.Registry, owner failover.Node, callID string, epoch uint64) {
	t.Helper()
	wantOwner(t, r, callID, nobody, 0)
	wantOwned(t, r, owner)
	if err := claim(t, r, carol, owner, key(callID, epoch))[0].Err; !errors.Is(err, failover.ErrUnknown) {
		t.Errorf("Claim of a call that is gone: error is %v, want ErrUnknown", err)
	}
}

func expiredLater(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 1))
	advance(r, interval/2)
	mustPut(t, r, alice, entry("call", 1, 2))
	mustClaim(t, r, bob, alice, key("call", 1))
	advance(r, interval+failover.KeepExpired-early)
	wantOwned(t, r, bob, key("call", 2))
	mustPut(t, r, bob, entry("call", 2, 3))
	advance(r, interval+failover.KeepExpired-early)
	wantStored(t, r, bob, entry("call", 2, 3))
	advance(r, slack)
	wantGone(t, r, carol, "call", 3)
}

func untimedStays(t testing.TB, r failover.Registry) {
	const most = failover.KeepUntimed - early
	mustPut(t, r, alice, untimed("call", 1, 1))
	advance(r, most)
	mustPut(t, r, alice, untimed("call", 1, 1))
	advance(r, most)
	mustClaim(t, r, bob, alice, key("call", 1))
	advance(r, most)
	wantOwned(t, r, bob, key("call", 2))
	mustPut(t, r, bob, untimed("call", 2, 2))
	advance(r, most)
	wantOwned(t, r, bob, key("call", 2))
	advance(r, slack)
	wantGone(t, r, bob, "call", 2)
}

func silent(t testing.TB, r failover.Registry) {
	beat(t, r, alice)
	leave(t, r, bob)
	advance(r, failover.KeepSilent-early)
	wantNodes(t, beat(t, r, carol), alice, bob, carol)
	advance(r, slack)
	beat(t, r, carol)
	wantNodes(t, beat(t, r, carol), carol)
}

func silentOwner(t testing.TB, r failover.Registry) {
	count := seen(t, beat(t, r, alice), alice).Count
	e := entry("call", 1, 1)
	e.Dialog.Session.Interval = 10 * time.Hour
	mustPut(t, r, alice, e)
	bury(t, r, alice, count, true)
	for range 3 {
		advance(r, 3*time.Hour)
		beat(t, r, carol)
	}
	p := beat(t, r, carol)
	wantNodes(t, p, alice, carol)
	wantSeen(t, p, failover.Beating{Node: alice, Dead: true})
	mustClaim(t, r, carol, alice, key("call", 1))
	advance(r, slack)
	beat(t, r, carol)
	wantNodes(t, beat(t, r, carol), carol)
}
