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

// WithPrefix sets what all keys begin with. Default "sessiontimer:"; 1 to 64 printable
// characters of ASCII without braces. Clusters of nodes that share a Redis have different
// ones; all nodes of a cluster have the same.
func WithPrefix(prefix string) Option { return func(o *options) { o.prefix = prefix } }

// WithTags sets over how many hash tags the calls are spread, so that a Redis Cluster or a
// Ring spreads them over its servers. Default 64, 1 to 1024. With a single server, 1 is a
// little faster. All nodes of a cluster have the same; a node with another one gets an
// error from each Beat.
func WithTags(n int) Option { return func(o *options) { o.tags = n } }

// WithTimeout sets how long a method waits for Redis, whatever context it is given and
// whatever the client's options are. Default 5 s, 1 ms or more.
func WithTimeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// WithWaitReplicas makes each Claim wait until n replicas of the servers concerned have it,
// as WAIT does, but at most for d. After that it goes on nevertheless: a replica that is
// down must not keep calls from being taken over. A failover of Redis then loses fewer
// claims. Default 0 replicas; up to 16, and d from 1 ms to the client's ReadTimeout.
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
