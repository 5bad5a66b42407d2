package redisregistry_test

import (
	"context"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/redis/go-redis/v9"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/redisregistry"
	"github.com/sipgo-contrib/sessiontimer/internal/sim"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
)

// Simulated nodes share a miniredis for two hours and a half in which it is down, emptied,
// set back, its clock jumps and its replies are lost, while nodes crash and are cut off
// from it. What must hold is in package sim.
func TestSimulation(t *testing.T) {
	t.Parallel()
	sip.SetDefaultLogger(sipua.Quiet)
	stack := sim.Cluster
	stack.Nodes, stack.Peers = [2]int{3, 3}, [2]int{30, 40}
	stack.Registry = func(t *testing.T) sim.Shared { return newSimulated(t) }
	sim.Run(t, stack, 40369, func(f sim.Figures) {
		t.Log(&f)
		if f.Takeovers == 0 || f.Fenced == (sim.Fenced{}) {
			t.Error("nothing was taken over or fenced")
		}
	})
}

// simulated is a Registry on a miniredis whose clock goes on when it was set.
type simulated struct {
	*redisregistry.Registry
	m      *mini
	client redisregistry.Client
	ahead  atomic.Int64 // its clock, of package time
}

var _ sim.Shared = (*simulated)(nil)

func newSimulated(t *testing.T) *simulated {
	m := newMini(t)
	s := &simulated{m: m, client: m.client(t)}
	s.Registry = registry(t, s, redisregistry.WithTags(8))
	return s
}

// Pipelined implements redisregistry.Client.
func (s *simulated) Pipelined(ctx context.Context, fn func(redis.Pipeliner) error) ([]redis.Cmder, error) {
	s.tick()
	return s.client.Pipelined(ctx, fn)
}

// tick sets the clock of the server.
func (s *simulated) tick() { s.m.SetTime(s.now()) }

// Advance implements sim.Shared.
func (s *simulated) Advance(by time.Duration) {
	s.ahead.Add(int64(by))
	s.tick()
}

// Flush implements sim.Shared.
func (s *simulated) Flush() { s.m.FlushAll() }

// Len implements sim.Shared.
func (s *simulated) Len() (n int) {
	s.tick()
	for _, key := range s.m.Keys() {
		if strings.Contains(key, ":call:") {
			n++
		}
	}
	nodes, _ := s.m.HKeys("sessiontimer:nodes")
	for _, field := range nodes {
		if strings.HasPrefix(field, "node:") {
			n++
		}
	}
	return n
}

// kept is a key as it was.
type kept struct {
	hash   []string
	scores map[string]float64
	till   time.Time
}

// Snapshot implements sim.Shared.
func (s *simulated) Snapshot() (restore func()) {
	s.tick()
	all := make(map[string]kept)
	for _, key := range s.m.Keys() {
		all[key] = s.keep(key)
	}
	return func() {
		s.tick()
		s.m.FlushAll()
		for key, k := range all {
			s.put(key, k)
		}
	}
}

func (s *simulated) keep(key string) (k kept) {
	k.till = s.now().Add(s.m.TTL(key))
	if s.m.Type(key) == "zset" {
		k.scores, _ = s.m.SortedSet(key)
		k.scores = maps.Clone(k.scores)
		return k
	}
	fields, _ := s.m.HKeys(key)
	for _, field := range fields {
		k.hash = append(k.hash, field, s.m.HGet(key, field))
	}
	return k
}

// put restores a key for as long as it is to stay.
func (s *simulated) put(key string, k kept) {
	left := k.till.Sub(s.now())
	if left <= 0 {
		return
	}
	if k.hash != nil {
		s.m.HSet(key, k.hash...)
	}
	for member, score := range k.scores {
		_, _ = s.m.ZAdd(key, score, member)
	}
	s.m.SetTTL(key, left)
}

func (s *simulated) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }
