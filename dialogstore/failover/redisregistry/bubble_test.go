package redisregistry_test

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/redisregistry"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// In virtual time: a call is claimed, ages, and is gone an hour after its session.
func TestInBubble(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m := newMini(t)
		mustPut(t, m.Registry, alice, call("call", 1, 1))
		mustBeat(t, m.Registry, alice)
		time.Sleep(10 * time.Minute)
		c := mustClaim(t, m.Registry, bob, alice, key("call", 1))[0]
		if c.Age != 10*time.Minute {
			t.Errorf("after 10 minutes the session is %v old", c.Age)
		}
		held, err := m.Owned(t.Context(), bob, 10)
		if err != nil || len(held) != 1 || held[0].Left != 20*time.Minute {
			t.Errorf("Owned = %v, %v, want one call with 20 minutes left", held, err)
		}
		time.Sleep(20*time.Minute + failover.KeepExpired + time.Second)
		if n := ownedBy(t, m.Registry, bob); n != 0 {
			t.Errorf("%d calls are left, want none", n)
		}
		time.Sleep(failover.KeepSilent)
		if keys := m.Keys(); len(keys) != 0 {
			t.Errorf("keys are left: %v", keys)
		}
	})
}

// A server that never answers, and a client that waits for ever: each method returns when
// its context ends, and what waits is bounded.
func TestDeafServer(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var dialled atomic.Int64
		client := closed(t, redis.NewClient(&redis.Options{
			Addr: "127.0.0.1:6379", ReadTimeout: -1, WriteTimeout: -1, MaxRetries: -1, PoolSize: 10000, PoolTimeout: time.Hour,
			Dialer: func(context.Context, string, string) (net.Conn, error) {
				dialled.Add(1)
				here, there := net.Pipe()
				go func() { _, _ = io.Copy(io.Discard, there) }()
				return here, nil
			},
		}))
		r := registry(t, client, redisregistry.WithTimeout(3*time.Second))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		for method, err := range each(ctx, r) {
			if err != context.DeadlineExceeded {
				t.Errorf("%s: %v, want the error of the context", method, err)
			}
		}
		if took := time.Since(start); took != 200*time.Millisecond {
			t.Errorf("nine methods return after %v, want 200 ms", took)
		}
		for range 1000 {
			go func() { _, _ = r.Beat(t.Context(), alice) }()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := dialled.Load(); n > 512 {
			t.Errorf("%d requests are under way, want 512 at most", n)
		}
		_ = client.Close()
	})
}
