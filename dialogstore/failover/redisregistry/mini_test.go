package redisregistry_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/redisregistry"
)

// mini is a Registry on a miniredis, whose clock is the test's.
type mini struct {
	*redisregistry.Registry
	*miniredis.Miniredis
	ahead time.Duration
	now   time.Time // of its clock, once it has been set
}

// newMini opens no socket, so that it works in a bubble of testing/synctest.
func newMini(t *testing.T, opts ...redisregistry.Option) *mini {
	t.Helper()
	m := miniredis.NewMiniRedis()
	m.ClockTTL(true)
	t.Cleanup(m.Close)
	mini := &mini{Miniredis: m}
	mini.Registry = registry(t, mini.client(t), opts...)
	return mini
}

func (m *mini) client(t *testing.T) *redis.Client {
	return closed(t, redis.NewClient(&redis.Options{
		Addr:   "127.0.0.1:6379", // go-redis looks a name up, whatever dials
		Dialer: func(context.Context, string, string) (net.Conn, error) { return m.dial() },
	}))
}

func (m *mini) dial() (net.Conn, error) {
	c, err := m.Dial()
	if err != nil {
		return nil, err
	}
	return newBuffered(c), nil
}

func registry(t testing.TB, client redisregistry.Client, opts ...redisregistry.Option) *redisregistry.Registry {
	t.Helper()
	r, err := redisregistry.New(client, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Advance implements failovertest.Clock.
func (m *mini) Advance(by time.Duration) {
	m.ahead += by
	m.now = time.Now().Add(m.ahead)
	m.SetTime(m.now)
}

// Flush implements failovertest.Flusher.
func (m *mini) Flush() { m.FlushAll() }
