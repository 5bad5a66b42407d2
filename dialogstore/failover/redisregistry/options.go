package redisregistry

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
)

// Option configures a Registry. Options only assign; New validates them.
type Option func(*options)

type options struct {
	prefix   string
	tags     int
	timeout  time.Duration
	replicas int
	wait     time.Duration
}

// WithPrefix sets the prefix of all keys. Default "sessiontimer:"; 1 to 64 printable ASCII
// characters without braces. All nodes of a cluster must use the same prefix, and clusters
// that share a Redis different ones.
func WithPrefix(prefix string) Option { return func(o *options) { o.prefix = prefix } }

// WithTags sets the number of hash tags over which the calls are spread, so that a Redis
// Cluster or a Ring spreads them over its servers. Default 64, 1 to 1024. With a single
// server, 1 is a little faster. All nodes of a cluster must use the same number; each Beat
// of a node with another one fails with a *SchemaError.
func WithTags(n int) Option { return func(o *options) { o.tags = n } }

// WithTimeout sets how long a method waits for Redis at most, regardless of its context and
// of the client's options. Default 5 s, 1 ms or more.
func WithTimeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// WithWaitReplicas makes each Claim wait until n replicas of the servers concerned have it
// (Redis' WAIT), so that a failover of Redis loses fewer claims. After d the Claim succeeds
// anyway: a replica that is down must not prevent takeovers. Default 0 replicas; up to 16,
// and d from 1 ms to the client's ReadTimeout.
func WithWaitReplicas(n int, d time.Duration) Option {
	return func(o *options) { o.replicas, o.wait = n, d }
}

const (
	longestPrefix = 64
	mostTags      = 1024
	mostReplicas  = 16
)

func configure(opts []Option) (options, error) {
	o := options{prefix: "sessiontimer:", tags: 64, timeout: 5 * time.Second, wait: time.Millisecond}
	for _, opt := range opts {
		opt(&o)
	}
	return o, o.validate()
}

func (o *options) validate() error {
	odd := strings.ContainsFunc(o.prefix, func(c rune) bool { return c <= ' ' || c > '~' || c == '{' || c == '}' })
	switch {
	case odd || o.prefix == "" || len(o.prefix) > longestPrefix:
		return &sessiontimer.ConfigError{Option: "WithPrefix", Value: strconv.Quote(o.prefix),
			Allowed: fmt.Sprintf("1 to %d printable characters of ASCII without braces", longestPrefix)}
	case o.tags < 1 || o.tags > mostTags:
		return &sessiontimer.ConfigError{Option: "WithTags", Value: o.tags, Allowed: fmt.Sprintf("1 to %d", mostTags)}
	case o.timeout < time.Millisecond:
		return &sessiontimer.ConfigError{Option: "WithTimeout", Value: o.timeout, Allowed: "1 ms or more"}
	case o.replicas < 0 || o.replicas > mostReplicas:
		return &sessiontimer.ConfigError{Option: "WithWaitReplicas", Value: o.replicas, Allowed: fmt.Sprintf("0 to %d replicas", mostReplicas)}
	case o.wait < time.Millisecond:
		return &sessiontimer.ConfigError{Option: "WithWaitReplicas", Value: o.wait, Allowed: "1 ms or more"}
	}
	return nil
}
