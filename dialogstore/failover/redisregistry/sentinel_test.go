package redisregistry_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/failovertest"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/redisregistry"
)

// watched is the name under which a sentinel watches a primary.
const watched = "calls"

// startSentinel starts a sentinel that promotes a replica when the primary is down.
func startSentinel(t *testing.T, primary *server) *server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]d 1\nsentinel down-after-milliseconds %[1]s 3000\nsentinel failover-timeout %[1]s 5000\n",
		watched, primary.port())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return startServerWith(t, file, "--sentinel")
}

// The primary is killed, a sentinel promotes the replica, and the registry goes on: the
// calls are owned by whom they were, and all that the contract says holds.
func TestSentinel(t *testing.T) {
	t.Parallel()
	primary := startServer(t, "--repl-diskless-sync-delay", "0")
	replica := startServer(t, "--repl-diskless-sync-delay", "0", "--replicaof", fmt.Sprintf("127.0.0.1 %d", primary.port()))
	sentinel := startSentinel(t, primary)
	leads := func(s *server) bool {
		addr, err := sentinel.client().Do(t.Context(), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", watched).StringSlice()
		return err == nil && len(addr) == 2 && addr[0]+":"+addr[1] == s.addr
	}
	follows := func(s *server) bool {
		return strings.Contains(s.do("INFO", "replication").(string), "master_link_status:up")
	}
	eventually(t, "the replica follows, and the sentinel knows both", func() bool {
		return follows(replica) && strings.Contains(sentinel.do("INFO", "sentinel").(string), "status=ok,address="+primary.addr+",slaves=1,")
	})
	client := closed(t, redis.NewFailoverClient(&redis.FailoverOptions{MasterName: watched, SentinelAddrs: []string{sentinel.addr}, MaxRetries: -1}))
	r := registry(t, client, redisregistry.WithWaitReplicas(1, 2*time.Second))
	all := calls(200, 1)
	mustPut(t, r, alice, all...)
	before := mustBeat(t, r, alice)
	mustClaim(t, r, bob, alice, keysOf(all[:100])...)

	primary.kill()
	eventually(t, "the registry goes on at the replica", func() bool {
		_, err := r.Beat(t.Context(), bob)
		return err == nil && leads(replica)
	})
	if after := mustBeat(t, r, bob); after.Generation != before.Generation {
		t.Error("the replica is of another generation, want the same")
	}
	if n, m := ownedBy(t, r, bob), ownedBy(t, r, alice); n != 100 || m != 100 {
		t.Errorf("bob owns %d calls and alice %d, want 100 each", n, m)
	}
	var fenced *failover.FencedError
	errs, err := r.Put(t.Context(), alice, calls(1, 2))
	if err != nil || !errors.As(errs[0], &fenced) || fenced.Owner != bob {
		t.Errorf("Put by the former owner: %v, %v, want it fenced by bob", errs, err)
	}
	mustClaim(t, r, bob, alice, keysOf(all[100:])...)

	primary.start()
	eventually(t, "the former primary follows the other one", func() bool { return follows(primary) && claimsOn(t, primary, bob) == 200 })
	failovertest.Run(t, func(t *testing.T) failover.Registry {
		flush := func() { replica.do("FLUSHALL") }
		flush()
		return flushable{registry(t, client), flush}
	})
}
