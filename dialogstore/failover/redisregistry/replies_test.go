package redisregistry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// A reply that is shorter than expected, or of other types, has zero values.
func TestReply(t *testing.T) {
	r := reply{"text", int64(7), []any{"a", "b"}}
	if r.text(0) != "text" || r.number(1) != 7 || !slices.Equal(r.list(2), reply{"a", "b"}) {
		t.Errorf("%v is read as %q, %d, %v", r, r.text(0), r.number(1), r.list(2))
	}
	for i := range 4 {
		if i != 0 && r.text(i) != "" || i != 1 && r.number(i) != 0 || i != 2 && r.list(i) != nil {
			t.Errorf("element %d of %v is read as %q, %d, %v", i, r, r.text(i), r.number(i), r.list(i))
		}
	}
}

// What the hash of the nodes has that no registry wrote is left out.
func TestPulseOf(t *testing.T) {
	me := failover.Node{Name: "b", Run: "1"}
	value := "count=3 buried=2 left=0 dead=1 heard=99"
	pulse, records := pulseOf(me, reply{"generation", "g", "other", value, "node:b/1", value, "node:a/1", "count=1 buried=5 left=1 dead=0 heard=9",
		"node:b", value, "node:c/1", "count=x", "generation"})
	want := []failover.Beating{{Node: failover.Node{Name: "a", Run: "1"}, Count: 1, Left: true}, {Node: me, Count: 3, Dead: true}}
	if pulse.Generation != "g" || pulse.Buried != 2 || !slices.Equal(pulse.Nodes, want) {
		t.Errorf("%+v, want generation g, 2 burials of ours, and %+v", pulse, want)
	}
	if len(records) != 2 || records[0].text != value || records[0].heard != 99 || records[1].buried != 5 {
		t.Errorf("the records are %+v, want both, in their order", records)
	}
}

func TestSchemaErrorText(t *testing.T) {
	err := &SchemaError{Theirs: "1 with 4 tags", Ours: "1 with 16 tags"}
	if got, want := err.Error(), `redisregistry: the cluster has schema "1 with 4 tags", this node "1 with 16 tags"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Members of an index with their scores. Those that no registry wrote are left out.
func TestHeldOf(t *testing.T) {
	id := dialogstore.ID{CallID: "c", LocalTag: "l", RemoteTag: "r"}
	held := func(epoch uint64, left time.Duration) failover.Held {
		return failover.Held{Key: failover.Key{ID: id, Epoch: epoch}, Left: left}
	}
	got := heldOf(1000, reply{"1/c/l/r", "2500", "2/c/l/r", "1e15", "3/c/l/r", "5000000000000", "4/c/l/r", "x", "c/l/r", "1", "5/c", "1", "6/c/l/r"})
	want := []failover.Held{held(1, 1500*time.Millisecond), held(2, failover.NoTimer), held(3, 4_999_999_999_000*time.Millisecond)}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// The most urgent of all parts come first, and a part is asked for more only if what it has
// not told may belong among them.
func TestMergeParts(t *testing.T) {
	at := func(callID string, left time.Duration) failover.Held {
		return failover.Held{Key: failover.Key{ID: dialogstore.ID{CallID: callID}}, Left: left}
	}
	for _, c := range []struct {
		name  string
		parts []part
		limit int
		want  string // Call-IDs
		short []int
	}{
		{"all", []part{{[]failover.Held{at("b", 2)}, false}, {[]failover.Held{at("a", 1), at("c", 3)}, false}}, 9, "a b c", nil},
		{"equally urgent", []part{{[]failover.Held{at("b", 1)}, false}, {[]failover.Held{at("a", 1)}, false}}, 2, "a b", nil},
		{"the first", []part{{[]failover.Held{at("b", 2)}, true}, {[]failover.Held{at("a", 1), at("c", 3)}, true}}, 2, "a b", nil},
		{"one that has more", []part{{[]failover.Held{at("a", 1)}, true}, {[]failover.Held{at("b", 2), at("c", 3)}, true}}, 2, "a b", []int{0}},
		{"too few", []part{{[]failover.Held{at("a", 1)}, true}, {[]failover.Held{at("b", 2)}, false}}, 3, "a b", []int{0}},
		{"one of which nothing is known", []part{{nil, true}, {[]failover.Held{at("b", 2)}, false}}, 1, "b", []int{0}},
		{"none", []part{{}, {}}, 1, "", nil},
	} {
		all := merge(c.parts, c.limit)
		var names []string
		for _, h := range all {
			names = append(names, h.CallID)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if got := shortOf(c.parts, all, c.limit); !slices.Equal(got, c.short) {
			t.Errorf("%s: tags %v are asked for more, want %v", c.name, got, c.short)
		}
	}
}

// The horizon is told again when it has moved by more than a minute, and never goes back.
func TestHorizon(t *testing.T) {
	var h horizon
	if left, news := h.tell(); left != 0 || news {
		t.Errorf("without a call: %v, news: %v", left, news)
	}
	h.extend(time.Hour)
	till := h.till
	if left, news := h.tell(); left <= 0 || left > time.Hour || !news {
		t.Errorf("with one: %v, news: %v", left, news)
	}
	if h.extend(time.Minute); !h.till.Equal(till) {
		t.Errorf("a shorter one moves it from %v to %v", till, h.till)
	}
	for by, want := range map[time.Duration]bool{time.Minute: false, time.Minute + 1: true} {
		h.till = h.told.Add(by)
		if _, news := h.tell(); news != want {
			t.Errorf("moved by %v: news: %v", by, news)
		}
	}
	timed := sessiontimer.Session{Interval: time.Hour, Refresher: sessiontimer.Local}
	if got, want := kept(timed, time.Minute), 59*time.Minute+failover.KeepExpired; got != want {
		t.Errorf("a call with a timer is kept for %v, want %v", got, want)
	}
	if got := kept(sessiontimer.Session{}, time.Minute); got != failover.KeepUntimed {
		t.Errorf("a call without a timer is kept for %v", got)
	}
}

// sharded is a client like those of go-redis that have several servers.
type sharded struct {
	one *redis.Client
	err error
}

// Pipelined implements Client.
func (sharded) Pipelined(context.Context, func(redis.Pipeliner) error) ([]redis.Cmder, error) {
	return nil, nil
}

// MasterForKey is that of a redis.ClusterClient.
func (s cluster) MasterForKey(context.Context, string) (*redis.Client, error) { return s.one, s.err }

// GetShardClientForKey is that of a redis.Ring.
func (s ring) GetShardClientForKey(string) (*redis.Client, error) { return s.one, s.err }

type (
	cluster struct{ sharded }
	ring    struct{ sharded }
)

// The primary of a key is the one server of a client that has one, and else the one that the
// client names; if it names none, there is none to wait for.
func TestPrimary(t *testing.T) {
	one := redis.NewClient(&redis.Options{})
	defer func() { _ = one.Close() }()
	known, unknown := sharded{one: one}, sharded{err: errors.New("no shard is up")}
	for _, c := range []struct{ client, want Client }{{one, one}, {cluster{known}, one}, {ring{known}, one}, {cluster{unknown}, nil}, {ring{unknown}, nil}} {
		r, err := New(c.client)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.primary(t.Context(), "key"); got != c.want {
			t.Errorf("of a %T it is %v, want %v", c.client, got, c.want)
		}
	}
}

// counting counts the pipelines of a client, and sends none.
type counting struct {
	redis.Hook
	got int
}

// ProcessPipelineHook implements redis.Hook.
func (c *counting) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, cmds []redis.Cmder) error {
		if len(cmds) == 2 && cmds[1].Name() == "wait" {
			c.got++
		}
		return nil
	}
}

// ProcessHook implements redis.Hook.
func (c *counting) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// DialHook implements redis.Hook.
func (c *counting) DialHook(next redis.DialHook) redis.DialHook { return next }

// spread is a cluster with several primaries, of which one is not known.
type spread struct {
	sharded
	primaries []*redis.Client
}

// MasterForKey is that of a redis.ClusterClient.
func (s spread) MasterForKey(_ context.Context, key string) (*redis.Client, error) {
	var tag int
	if _, err := fmt.Sscanf(key, "sessiontimer:{%d}:wait", &tag); err != nil {
		return nil, err
	}
	return s.primaries[tag%len(s.primaries)], nil
}

// Each primary is asked to wait once, whatever the order of the tags, and one that is not
// known keeps no other from it.
func TestReplicateOnce(t *testing.T) {
	var s spread
	var counts []*counting
	for range 3 {
		c := redis.NewClient(&redis.Options{})
		defer func() { _ = c.Close() }()
		count := new(counting)
		c.AddHook(count)
		s.primaries, counts = append(s.primaries, c), append(counts, count)
	}
	s.primaries = append(s.primaries, nil)
	r, err := New(s, WithWaitReplicas(1, time.Second))
	if err != nil {
		t.Fatal(err)
	}
	tags := make(map[int]bool)
	for tag := range 16 {
		tags[tag] = true
	}
	const rounds = 20 // a map has no order
	for range rounds {
		r.replicate(t.Context(), tags)
	}
	for i, count := range counts {
		if count.got != rounds {
			t.Errorf("primary %d is asked %d times in %d claims, want once in each", i, count.got, rounds)
		}
	}
}

// A call that cannot be encoded is an error of the caller, and nothing is sent.
func TestPutOfUnnamed(t *testing.T) {
	r, err := New(sharded{})
	if err != nil {
		t.Fatal(err)
	}
	e := failover.Entry{Epoch: 1, Dialog: dialogstore.Dialog{State: dialogstore.State{Version: 1, Session: sessiontimer.Session{Refresher: 99}}}}
	if errs, err := r.Put(t.Context(), failover.Node{Name: "a"}, []failover.Entry{e}); err == nil || errs != nil {
		t.Errorf("%v, %v; want an error", errs, err)
	}
}
