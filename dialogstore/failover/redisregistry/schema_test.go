package redisregistry_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// The keys and fields as the first version writes them. Nodes of all versions share them.
const (
	recordedTag  = "{34}"
	recordedCall = "sessiontimer:" + recordedTag + ":call:a84b4c76e66710@pc33/1928301774/a6c85cf"
	recordedHot  = `{"format":1,"version":2,"local_cseq":314160,"session":{"interval":"30m0s","refresher":"local"}}`
	recordedCold = `{"remote_target":"sip:alice@192.0.2.7:5062","transport":"udp"}`
)

func recorded() failover.Entry {
	return failover.Entry{Epoch: 3, Age: time.Minute, Dialog: dialogstore.Dialog{
		Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: "a84b4c76e66710@pc33", LocalTag: "1928301774", RemoteTag: "a6c85cf"}, Transport: "udp"},
		State: dialogstore.State{
			Version:      2,
			LocalCSeq:    314160,
			RemoteTarget: "sip:alice@192.0.2.7:5062",
			Session:      sessiontimer.Session{Interval: 30 * time.Minute, Refresher: sessiontimer.Local},
		},
	}}
}

// at stops the clock of m, and returns it in milliseconds.
func (m *mini) at() string {
	m.Advance(0)
	return strconv.FormatInt(m.now.UnixMilli(), 10)
}

func (m *mini) hash(t *testing.T, key string) map[string]string {
	t.Helper()
	fields := make(map[string]string)
	names, err := m.HKeys(key)
	if err != nil {
		t.Fatalf("%s: %v; there are %q", key, err, m.Keys())
	}
	for _, name := range names {
		fields[name] = m.HGet(key, name)
	}
	return fields
}

func TestSchemaIsWritten(t *testing.T) {
	m := newMini(t)
	now, _ := strconv.ParseInt(m.at(), 10, 64)
	mustPut(t, m.Registry, failover.Node{Name: "node a", Run: "R/1"}, recorded())
	ms := func(d time.Duration) string { return strconv.FormatInt(now+d.Milliseconds(), 10) }
	want := map[string]string{"owner": "node%20a/R%2F1", "epoch": "3", "version": "2", "hot": recordedHot, "cold": recordedCold,
		"since": ms(-time.Minute), "deadline": ms(29 * time.Minute)}
	if diff := cmp.Diff(want, m.hash(t, recordedCall)); diff != "" {
		t.Errorf("a call is stored in another way (-want +got):\n%s", diff)
	}
	members, err := m.SortedSet("sessiontimer:" + recordedTag + ":owned:node%20a/R%2F1")
	wantMembers := map[string]float64{"3/a84b4c76e66710@pc33/1928301774/a6c85cf": float64(now + (29 * time.Minute).Milliseconds())}
	if diff := cmp.Diff(wantMembers, members); err != nil || diff != "" {
		t.Errorf("an index is stored in another way, %v (-want +got):\n%s", err, diff)
	}
	if got := m.TTL(recordedCall).Round(time.Second); got != 89*time.Minute {
		t.Errorf("a call stays for %v, want 29 minutes and an hour", got)
	}
	mustBeat(t, m.Registry, alice)
	got := m.hash(t, "sessiontimer:nodes")
	delete(got, "generation")
	want = map[string]string{"schema": "1 with 64 tags", "swept": ms(0), "node:alice/1": "count=1 buried=0 left=0 dead=0 heard=" + ms(0)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the nodes are stored in another way (-want +got):\n%s", diff)
	}
}

// A later version has more fields in the hash, and more members in the dialog. They are
// there again after this version has taken the call over and changed it.
func TestLaterVersionSurvives(t *testing.T) {
	m := newMini(t)
	m.at()
	mustPut(t, m.Registry, alice, recorded())
	m.HSet(recordedCall, "hue", "blue", "hot", strings.Replace(recordedHot, "{", `{"aura":[],`, 1))
	taker := registry(t, m.client(t)) // another process
	c := mustClaim(t, taker, bob, alice, failover.Key{ID: recorded().Dialog.ID, Epoch: 3})[0]
	if diff := cmp.Diff(recorded().Dialog, c.Dialog); diff != "" || c.Age != time.Minute || c.Epoch != 4 {
		t.Errorf("the call comes back in epoch %d, aged %v, as another one (-want +got):\n%s", c.Epoch, c.Age, diff)
	}
	c.Dialog.LocalCSeq++
	c.Dialog.Version++
	mustPut(t, taker, bob, c.Entry)
	got := m.hash(t, recordedCall)
	if got["hue"] != "blue" || !strings.Contains(got["hot"], `"aura":[]`) || !strings.Contains(got["hot"], `"local_cseq":314161`) {
		t.Errorf("after a change by this version there are %q, want the new CSeq and what the later version has", got)
	}
	mustDrop(t, taker, bob, c.Key())
	if got := m.hash(t, recordedCall); len(got) != 2 {
		t.Errorf("of a call that has ended there is %q, want owner and epoch", got)
	}
}

// A refresh writes what it changes.
func TestColdPartIsWrittenWhenChanged(t *testing.T) {
	m := newMini(t)
	mustPut(t, m.Registry, alice, recorded())
	m.HSet(recordedCall, "cold", `{"transport":"tcp"}`)
	next := recorded()
	next.Dialog.Version++
	mustPut(t, m.Registry, alice, next)
	if got := m.hash(t, recordedCall)["cold"]; got != recordedCold {
		t.Errorf("cold is %s after a change, want %s", got, recordedCold)
	}
}

// Whoever can write to the registry can make one call unusable, and no other.
func TestValuesOfStrangers(t *testing.T) {
	for what, spoil := range map[string]func(m *mini){
		"a torn dialog":     func(m *mini) { m.HSet(recordedCall, "hot", recordedHot[:20]) },
		"no dialog":         func(m *mini) { m.HDel(recordedCall, "hot"); m.HDel(recordedCall, "cold") },
		"a negative time":   func(m *mini) { m.HSet(recordedCall, "hot", strings.Replace(recordedHot, "30m0s", "-1s", 1)) },
		"an odd deadline":   func(m *mini) { m.HSet(recordedCall, "deadline", "inf", "since", "nan", "hot", "") },
		"a later format":    func(m *mini) { m.HSet(recordedCall, "hot", `{"format":2}`) },
		"megabytes of text": func(m *mini) { m.HSet(recordedCall, "cold", strings.Repeat("x", 2<<20)) },
	} {
		m := newMini(t)
		mustPut(t, m.Registry, alice, recorded(), call("other", 3, 1))
		spoil(m)
		read, err := m.Read(t.Context(), []dialogstore.ID{recorded().Dialog.ID, key("other", 0).ID})
		if err != nil || read[0].Epoch != 0 || read[1].Epoch != 3 {
			t.Errorf("%s: Read gives epochs %d and %d, %v, want nothing of that call and the other one", what, read[0].Epoch, read[1].Epoch, err)
		}
		mine := recorded()
		c, err := m.Claim(t.Context(), bob, alice, []failover.Key{mine.Key(), key("other", 3)})
		var corrupt *failover.CorruptError
		if err != nil || !errors.As(c[0].Err, &corrupt) || c[0].Epoch != 4 || c[0].Dialog.ID != mine.Dialog.ID || c[1].Err != nil {
			t.Errorf("%s: Claim gives epoch %d, %v, and %v for the other, %v, want a *CorruptError alone", what, c[0].Epoch, c[0].Err, c[1].Err, err)
			continue
		}
		mustDrop(t, m.Registry, bob, c[0].Key())
		if n := ownedBy(t, m.Registry, bob); n != 1 {
			t.Errorf("%s: %d calls are left, want the other one", what, n)
		}
	}
}

// Keys and fields that are not ours are replaced, ignored, or told of as an owner that
// nobody is. No method fails for them.
func TestKeysOfStrangers(t *testing.T) {
	m := newMini(t)
	mustBeat(t, m.Registry, alice)
	index := "sessiontimer:" + recordedTag + ":owned:alice/1"
	for what, spoil := range map[string]func(){
		"a call of another type":  func() { m.Del(recordedCall); _ = m.Set(recordedCall, "x") },
		"a call without an epoch": func() { m.HSet(recordedCall, "epoch", "-0.5", "owner", "/") },
		"a huge epoch":            func() { m.HSet(recordedCall, "epoch", "1e300") },
		"an index of another type": func() {
			m.Del(recordedCall)
			m.Del(index)
			_ = m.Set(index, "x")
		},
	} {
		mustPut(t, m.Registry, alice, recorded())
		spoil()
		mustPut(t, m.Registry, alice, recorded())
		if got := ownedBy(t, m.Registry, alice); got != 1 {
			t.Errorf("%s: Owned lists %d calls after Put, want 1", what, got)
		}
	}
	if _, err := m.ZAdd(index, 1e13, "not ours"); err != nil {
		t.Fatal(err)
	}
	if got := ownedBy(t, m.Registry, alice); got != 1 {
		t.Errorf("with a member that is not ours Owned lists %d calls, want 1", got)
	}
	m.HSet(recordedCall, "owner", "who%")
	owners, err := m.Owner(t.Context(), []dialogstore.ID{recorded().Dialog.ID})
	if err != nil || owners[0] != (failover.Ownership{Owner: failover.Node{Name: "who%"}, Epoch: 3}) {
		t.Errorf("Owner = %v, %v, want the name as it is", owners, err)
	}
	m.HSet("sessiontimer:nodes", "node:x", "y", "node:bob/1", "y", "other", "z", "swept", "q")
	if p := mustBeat(t, m.Registry, alice); len(p.Nodes) != 1 {
		t.Errorf("a pulse has %v, want alice alone", p.Nodes)
	}
	m.Del("sessiontimer:nodes")
	_ = m.Set("sessiontimer:nodes", "x")
	if p := mustBeat(t, m.Registry, alice); len(p.Nodes) != 1 || p.Generation == "" {
		t.Errorf("in place of a key of another type there is %+v, want a new generation with alice", p)
	}
}
