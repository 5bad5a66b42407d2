package redisregistry_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/failovertest"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/redisregistry"
	"github.com/sipgo-contrib/sessiontimer/internal/freeport"
)

// The suite, on whatever the nodes of a cluster may share. Only miniredis has a clock that
// can be set.

func TestMiniredis(t *testing.T) {
	failovertest.Run(t, func(t *testing.T) failover.Registry { return newMini(t, redisregistry.WithTags(8)) })
}

// flushable is a Registry that can lose everything.
type flushable struct {
	*redisregistry.Registry
	flush func()
}

// Flush implements failovertest.Flusher.
func (f flushable) Flush() { f.flush() }

func TestRing(t *testing.T) {
	failovertest.Run(t, func(t *testing.T) failover.Registry {
		one, two := newMini(t), newMini(t)
		ring := closed(t, redis.NewRing(&redis.RingOptions{
			Addrs: map[string]string{"one": "127.0.0.1:1", "two": "127.0.0.1:2"},
			Dialer: func(_ context.Context, _, addr string) (net.Conn, error) {
				if addr == "127.0.0.1:1" {
					return one.dial()
				}
				return two.dial()
			},
		}))
		return flushable{registry(t, ring, redisregistry.WithTags(4)), func() { one.Flush(); two.Flush() }}
	})
}

func TestRedisServer(t *testing.T) {
	s := startServer(t)
	for _, tags := range []int{1, 64} {
		failovertest.Run(t, func(*testing.T) failover.Registry {
			flush := func() { s.do("FLUSHALL") }
			flush()
			return flushable{s.registry(redisregistry.WithTags(tags)), flush}
		})
	}
	s.wantAllExpire()
}

// wantAllExpire checks that nothing stays for ever.
func (s *server) wantAllExpire() {
	s.t.Helper()
	c := s.client()
	keys, err := c.Keys(s.t.Context(), "*").Result()
	if err != nil || len(keys) == 0 {
		s.t.Fatalf("%d keys, %v, want some", len(keys), err)
	}
	for _, key := range keys {
		if left := c.PTTL(s.t.Context(), key).Val(); left <= 0 {
			s.t.Errorf("%s expires in %v, want it to expire", key, left)
		}
	}
}

func TestCluster(t *testing.T) {
	servers := startCluster(t, 3)
	addrs := make([]string, len(servers))
	for i, s := range servers {
		addrs[i] = s.addr
	}
	failovertest.Run(t, func(t *testing.T) failover.Registry {
		flush := func() {
			for _, s := range servers {
				s.do("FLUSHALL")
			}
		}
		flush()
		client := closed(t, redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs[:1], RouteRandomly: true}))
		return flushable{registry(t, client), flush}
	})
	used := 0
	for _, s := range servers {
		if keys, _ := s.client().Keys(t.Context(), "*").Result(); len(keys) > 0 {
			used++
		}
	}
	if used == 0 {
		t.Error("no server of the cluster has a key")
	}
}

// startCluster starts servers that share the slots of a cluster.
func startCluster(t *testing.T, n int) []*server {
	t.Helper()
	const slots = 16384
	servers := make([]*server, n)
	for i := range servers {
		bus := freeport.Addr(t)
		_, port, _ := net.SplitHostPort(bus)
		servers[i] = startServer(t, "--cluster-enabled", "yes", "--cluster-port", port)
		servers[i].do("CLUSTER", "ADDSLOTSRANGE", i*slots/n, (i+1)*slots/n-1)
		servers[i].do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		if i > 0 {
			servers[i].do("CLUSTER", "MEET", "127.0.0.1", servers[0].port(), servers[0].busPort())
		}
	}
	for _, s := range servers {
		eventually(t, "all slots of the cluster are served", func() bool {
			info, _ := s.do("CLUSTER", "INFO").(string)
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", n))
		})
	}
	return servers
}

func (s *server) busPort() string {
	for i, arg := range s.args {
		if arg == "--cluster-port" {
			return s.args[i+1]
		}
	}
	return ""
}
