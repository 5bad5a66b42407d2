package redisregistry

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/bounded"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/stored"
)

// Client has the methods of a go-redis client that a Registry uses. *redis.Client, with or
// without Sentinel, *redis.ClusterClient, *redis.Ring and redis.UniversalClient implement it.
type Client interface {
	Pipelined(ctx context.Context, fn func(redis.Pipeliner) error) ([]redis.Cmder, error)
}

// Registry is a failover.Registry, and a failover.Reader, in Redis. Create one with New.
// Any number of goroutines may use it, and any number of Registries one client.
type Registry struct {
	client Client
	opts   options
	calls  *bounded.Calls
	codec  stored.Codec
	stay   horizon
}

var _ failover.Reader = (*Registry)(nil)

// mostCalls bounds the method calls in progress, including those whose caller no longer
// waits. A node has fewer, as long as Redis answers.
const mostCalls = 512

// New returns a Registry that uses client. It sends nothing yet, so a node can start while
// Redis is down. The caller closes the client after the last use of the Registry. New
// returns a *sessiontimer.ConfigError for an option out of range.
func New(client Client, opts ...Option) (*Registry, error) {
	if client == nil {
		return nil, &sessiontimer.ConfigError{Option: "New", Value: client, Allowed: "a client of go-redis"}
	}
	o, err := configure(opts)
	if err != nil {
		return nil, err
	}
	return &Registry{client: client, opts: o, calls: bounded.New(mostCalls, o.timeout)}, nil
}

// horizon is the time until which the calls that this process has put or claimed are kept.
// The nodes stay known until then, even if none beats.
type horizon struct {
	mu   sync.Mutex
	till time.Time
	told time.Time // the horizon that Redis knows
}

func (h *horizon) extend(by time.Duration) {
	till := time.Now().Add(by)
	h.mu.Lock()
	defer h.mu.Unlock()
	if till.After(h.till) {
		h.till = till
	}
}

// tell returns the time left until the horizon. news is true if Redis should be told: the
// horizon has moved by more than a minute since the last time.
func (h *horizon) tell() (left time.Duration, news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if news = h.till.Sub(h.told) > time.Minute; news {
		h.told = h.till
	}
	return max(0, time.Until(h.till)), news
}

// kept returns how long to keep a call whose session began age ago.
func kept(s sessiontimer.Session, age time.Duration) time.Duration {
	if !s.Active() {
		return failover.KeepUntimed
	}
	return s.Interval - age + failover.KeepExpired
}
