package redisregistry_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/redisregistry"
)

// each calls every method, and returns the errors by name.
func each(ctx context.Context, r *redisregistry.Registry) map[string]error {
	e := call("call-0", 1, 9)
	_, beat := r.Beat(ctx, alice)
	_, bury := r.Bury(ctx, bob, 1)
	_, put := r.Put(ctx, alice, []failover.Entry{e})
	_, drop := r.Drop(ctx, alice, []failover.Key{e.Key()})
	_, claim := r.Claim(ctx, bob, alice, []failover.Key{e.Key()})
	_, owned := r.Owned(ctx, alice, 10)
	_, owner := r.Owner(ctx, []dialogstore.ID{e.Dialog.ID})
	_, read := r.Read(ctx, []dialogstore.ID{e.Dialog.ID})
	return map[string]error{"Beat": beat, "Leave": r.Leave(ctx, alice), "Bury": bury, "Put": put, "Drop": drop,
		"Claim": claim, "Owned": owned, "Owner": owner, "Read": read}
}

// wantErrors checks that each method fails with text in its error.
func wantErrors(t *testing.T, errs map[string]error, text string, except ...string) {
	t.Helper()
	for method, err := range errs {
		if strings.Contains(strings.Join(except, " "), method) {
			if err != nil {
				t.Errorf("%s: %v, want no error", method, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", method, err, text)
		}
	}
}

func TestServerDown(t *testing.T) {
	s := startServer(t)
	r := impatient(t, s)
	mustPut(t, r, alice, call("call-0", 1, 1))
	before := mustBeat(t, r, alice)
	s.kill()
	for method, err := range each(t.Context(), r) {
		if err == nil {
			t.Errorf("%s: no error from a server that is down", method)
		}
	}
	s.start()
	var after failover.Pulse
	eventually(t, "the client connects again", func() (is bool) {
		var err error
		after, err = r.Beat(t.Context(), alice)
		return err == nil
	})
	if before.Generation == after.Generation {
		t.Error("a server that has lost everything is of the same generation")
	}
	mustPut(t, r, alice, call("call-0", 1, 1))
	mustClaim(t, r, bob, alice, key("call-0", 1))
}

// A server that hangs keeps nobody for longer than its context, although the client of
// these tests waits for 20 s.
func TestServerPaused(t *testing.T) {
	s := startServer(t)
	r := s.registry()
	mustPut(t, r, alice, call("call-0", 1, 1))
	s.do("CLIENT", "PAUSE", 3000)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for method, err := range each(ctx, r) {
		if err != context.DeadlineExceeded {
			t.Errorf("%s: %v, want the error of the context", method, err)
		}
	}
	hasty := s.registry(redisregistry.WithTimeout(50 * time.Millisecond))
	if _, err := hasty.Beat(t.Context(), alice); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "50ms") {
		t.Errorf("Beat without a deadline: %v, want it to end after 50 ms", err)
	}
	eventually(t, "the pause is over", func() bool {
		_, err := r.Beat(t.Context(), alice)
		return err == nil
	})
	if n := ownedBy(t, r, alice) + ownedBy(t, r, bob); n > 1 {
		t.Errorf("%d calls, want one at most", n)
	}
}

func TestServerLoading(t *testing.T) {
	s := startServer(t, "--dbfilename", "dump.rdb")
	r := s.registry()
	mustPut(t, r, alice, calls(200, 1)...)
	s.do("SAVE")
	s.kill()
	// Each key takes 100 ms to load, and commands are answered meanwhile.
	s.start("--key-load-delay", "100000", "--loading-process-events-interval-bytes", "1024", "--hz", "100")
	wantErrors(t, each(t.Context(), impatient(t, s)), "LOADING")
	s.do("CONFIG", "SET", "key-load-delay", "0")
	eventually(t, "the server has loaded its keys", func() bool {
		_, err := r.Beat(t.Context(), bob)
		return err == nil
	})
	if n := ownedBy(t, r, alice); n != 200 {
		t.Errorf("%d calls after loading, want 200", n)
	}
}

// impatient is a Registry whose client tries nothing again.
func impatient(t *testing.T, s *server) *redisregistry.Registry {
	return registry(t, closed(t, redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1})))
}

func TestServerReadOnly(t *testing.T) {
	s := startServer(t)
	r := impatient(t, s)
	mustPut(t, r, alice, call("call-0", 1, 1))
	mustBeat(t, r, bob)
	s.do("CONFIG", "SET", "replica-serve-stale-data", "yes")
	s.do("REPLICAOF", "127.0.0.1", 1)
	wantErrors(t, each(t.Context(), r), "READONLY", "Owner", "Read")
	s.do("REPLICAOF", "NO", "ONE")
	mustClaim(t, r, bob, alice, key("call-0", 1))
}

// Without memory nothing can be written. What ends frees memory nevertheless.
func TestServerOutOfMemory(t *testing.T) {
	s := startServer(t)
	r := s.registry()
	all := calls(2000, 1)
	mustPut(t, r, alice, all...)
	s.do("CONFIG", "SET", "maxmemory", 1<<20)
	if _, err := r.Beat(t.Context(), alice); err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("Beat: %v, want OOM", err)
	}
	if _, err := r.Put(t.Context(), alice, calls(1, 2)); err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("Put: %v, want OOM", err)
	}
	if _, err := r.Claim(t.Context(), bob, alice, keysOf(all[:1])); err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("Claim: %v, want OOM", err)
	}
	if got := ownedBy(t, r, alice); got != len(all) {
		t.Errorf("%d calls are owned after writes that failed, want %d", got, len(all))
	}
	claimed, err := r.Read(t.Context(), []dialogstore.ID{all[0].Dialog.ID})
	if err != nil || claimed[0].Dialog.Version != 1 || claimed[0].Epoch != 1 {
		t.Errorf("a call is %+v, %v, want it as it was", claimed, err)
	}
	_, _ = r.Drop(t.Context(), alice, keysOf(all))
	if got := ownedBy(t, r, alice); got == len(all) {
		t.Error("Drop removes nothing while there is no memory")
	}
	s.do("CONFIG", "SET", "maxmemory", 0)
	mustDrop(t, r, alice, keysOf(all)...)
	if got := ownedBy(t, r, alice); got != 0 {
		t.Errorf("%d calls are owned after Drop, want none", got)
	}
}

func TestScriptsAreTaughtAgain(t *testing.T) {
	s := startServer(t)
	r := s.registry()
	all := calls(1200, 1)
	mustPut(t, r, alice, all[:1]...)
	s.do("SCRIPT", "FLUSH")
	mustPut(t, r, alice, all...)
	s.do("SCRIPT", "FLUSH")
	mustClaim(t, r, bob, alice, keysOf(all)...)
	s.do("SCRIPT", "FLUSH")
	if n := ownedBy(t, r, bob); n != len(all) {
		t.Errorf("%d calls are owned, want %d", n, len(all))
	}
}

// The primary is killed and the replica promoted. What WAIT saw is there; of the rest the
// owners put what is missing.
func TestReplicaIsPromoted(t *testing.T) {
	primary := startServer(t, "--repl-diskless-sync-delay", "0")
	replica := startServer(t, "--replicaof", fmt.Sprintf("127.0.0.1 %d", primary.port()))
	eventually(t, "the replica follows", func() bool {
		return strings.Contains(replica.do("INFO", "replication").(string), "master_link_status:up")
	})
	var at atomic.Pointer[string]
	at.Store(&primary.addr)
	client := closed(t, redis.NewClient(&redis.Options{Dialer: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, *at.Load())
	}}))
	r := registry(t, client, redisregistry.WithWaitReplicas(1, 2*time.Second))
	all := calls(1000, 1)
	mustPut(t, r, alice, all...)
	before := mustBeat(t, r, alice)
	mustClaim(t, r, bob, alice, keysOf(all[:500])...)
	held := replica.registry()
	if n := claimsOn(t, replica, bob); n != 500 {
		t.Errorf("the replica has %d claims, want all 500 when Claim returns", n)
	}

	replica.do("REPLICAOF", "127.0.0.1", 1) // what follows is lost
	lost := calls(1000, 2)[500:]
	mustPut(t, r, alice, lost...)
	primary.kill()
	if _, err := r.Beat(t.Context(), alice); err == nil {
		t.Error("Beat to a primary that is dead returns no error")
	}
	replica.do("REPLICAOF", "NO", "ONE")
	at.Store(&replica.addr)

	after := mustBeat(t, r, bob)
	if after.Generation != before.Generation {
		t.Error("a failover that loses some writes starts a new generation, want the same")
	}
	states, err := held.Read(t.Context(), []dialogstore.ID{lost[0].Dialog.ID})
	if err != nil || states[0].Dialog.Version != 1 {
		t.Fatalf("the state is of version %d, %v, want 1, since the write of 2 is lost", states[0].Dialog.Version, err)
	}
	mustPut(t, r, alice, lost...)
	for _, c := range mustClaim(t, r, bob, alice, keysOf(lost)...) {
		if c.Dialog.Version != 2 {
			t.Fatalf("after the owner has put its calls again, version %d is stored, want 2", c.Dialog.Version)
		}
	}
	var fenced *failover.FencedError
	errs, err := r.Put(t.Context(), alice, calls(1, 3))
	if err != nil || !errors.As(errs[0], &fenced) || fenced.Owner != bob {
		t.Errorf("Put by the former owner: %v, %v, want it fenced by bob", errs, err)
	}
}

// claimsOn counts the calls of a node on a replica, where no script may write.
func claimsOn(t *testing.T, s *server, node failover.Node) (n int64) {
	t.Helper()
	c := s.client()
	for tag := range 64 {
		n += c.ZCard(t.Context(), fmt.Sprintf("sessiontimer:{%d}:owned:%s/%s", tag, node.Name, node.Run)).Val()
	}
	return n
}

// A replica that is gone does not keep calls from being taken over.
func TestWaitWithoutReplica(t *testing.T) {
	r := startServer(t).registry(redisregistry.WithWaitReplicas(1, time.Millisecond))
	mustPut(t, r, alice, call("call", 1, 1))
	mustClaim(t, r, bob, alice, key("call", 1))
}

// WAIT is about the servers that have the calls.
func TestWaitInCluster(t *testing.T) {
	servers := startCluster(t, 2)
	client := closed(t, redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{servers[0].addr}}))
	r := registry(t, client, redisregistry.WithWaitReplicas(1, time.Millisecond))
	all := calls(64, 1)
	mustPut(t, r, alice, all...)
	mustClaim(t, r, bob, alice, keysOf(all)...)
	for _, s := range servers {
		if stats, _ := s.do("INFO", "commandstats").(string); !strings.Contains(stats, "cmdstat_wait:calls=1,") {
			t.Errorf("%v has had another number of WAIT than 1:\n%s", s, stats)
		}
	}
}
