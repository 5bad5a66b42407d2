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

// Client is what a Registry uses of a client of go-redis. *redis.Client, also with
// Sentinel, *redis.ClusterClient, *redis.Ring and redis.UniversalClient all have it.
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

// mostCalls bounds the calls of methods that are under way, including those that nobody
// waits for any more. A node has fewer, as long as Redis answers.
const mostCalls = 512

// New returns a Registry that uses client. It sends nothing yet, so that a node starts
// also while Redis is down. The client stays the caller's, who closes it after the last
// use of the Registry. New returns a *sessiontimer.ConfigError for an option out of range.
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

// horizon is until when the calls stay that this process has put or claimed. For so long
// the nodes stay known, even if none beats.
type horizon struct {
	mu   sync.Mutex
	till time.Time
	told time.Time // what Redis knows of it
}

func (h *horizon) extend(by time.Duration) {
	till := time.Now().Add(by)
	h.mu.Lock()
	defer h.mu.Unlock()
	if till.After(h.till) {
		h.till = till
	}
}

// tell returns the horizon for Redis. It is news if that has changed by more than a minute.
func (h *horizon) tell() (left time.Duration, news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if news = h.till.Sub(h.told) > time.Minute; news {
		h.told = h.till
	}
	return max(0, time.Until(h.till)), news
}

// kept is how long a call stays whose session began age ago.
func kept(s sessiontimer.Session, age time.Duration) time.Duration {
	if !s.Active() {
		return failover.KeepUntimed
	}
	return s.Interval - age + failover.KeepExpired
}
