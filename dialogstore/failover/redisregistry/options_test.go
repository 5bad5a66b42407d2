package redisregistry_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/redisregistry"
)

// Every client of go-redis will do.
var (
	_ redisregistry.Client = (*redis.Client)(nil)
	_ redisregistry.Client = (*redis.ClusterClient)(nil)
	_ redisregistry.Client = (*redis.Ring)(nil)
	_ redisregistry.Client = redis.UniversalClient(nil)
)

func TestOptionsOutOfRange(t *testing.T) {
	client := closed(t, redis.NewClient(&redis.Options{}))
	const (
		prefix, tags = "1 to 64 printable characters of ASCII without braces", "1 to 1024"
		ms           = "1 ms or more"
	)
	for _, c := range []struct {
		name    string
		opt     redisregistry.Option
		allowed string // empty if the value is in range
	}{
		{"WithPrefix", redisregistry.WithPrefix(""), prefix},
		{"WithPrefix", redisregistry.WithPrefix("a b"), prefix},
		{"WithPrefix", redisregistry.WithPrefix("{sip"), prefix},
		{"WithPrefix", redisregistry.WithPrefix("sip}"), prefix},
		{"WithPrefix", redisregistry.WithPrefix("sip\r\n"), prefix},
		{"WithPrefix", redisregistry.WithPrefix("sip\x7f"), prefix},
		{"WithPrefix", redisregistry.WithPrefix("zoë"), prefix},
		{"WithPrefix", redisregistry.WithPrefix(strings.Repeat("a", 65)), prefix},
		{"WithPrefix", redisregistry.WithPrefix(strings.Repeat("a", 64)), ""},
		{"WithPrefix", redisregistry.WithPrefix("!~"), ""},
		{"WithTags", redisregistry.WithTags(0), tags},
		{"WithTags", redisregistry.WithTags(1025), tags},
		{"WithTags", redisregistry.WithTags(1), ""},
		{"WithTags", redisregistry.WithTags(1024), ""},
		{"WithTimeout", redisregistry.WithTimeout(0), ms},
		{"WithTimeout", redisregistry.WithTimeout(time.Millisecond - 1), ms},
		{"WithTimeout", redisregistry.WithTimeout(time.Millisecond), ""},
		{"WithWaitReplicas", redisregistry.WithWaitReplicas(-1, time.Second), "0 to 16 replicas"},
		{"WithWaitReplicas", redisregistry.WithWaitReplicas(17, time.Second), "0 to 16 replicas"},
		{"WithWaitReplicas", redisregistry.WithWaitReplicas(1, time.Millisecond-1), ms},
		{"WithWaitReplicas", redisregistry.WithWaitReplicas(0, time.Second), ""},
		{"WithWaitReplicas", redisregistry.WithWaitReplicas(16, time.Millisecond), ""},
	} {
		r, err := redisregistry.New(client, c.opt)
		var config *sessiontimer.ConfigError
		if c.allowed != "" && (r != nil || !errors.As(err, &config) || config.Option != c.name || config.Allowed != c.allowed) {
			t.Errorf("%s out of range: %v, want a *ConfigError that names it and allows %s", c.name, err, c.allowed)
		}
		if c.allowed == "" && (r == nil || err != nil) {
			t.Errorf("%s in range: %v, want no error", c.name, err)
		}
	}
	var config *sessiontimer.ConfigError
	if _, err := redisregistry.New(nil); !errors.As(err, &config) || config.Option != "New" || config.Allowed != "a client of go-redis" {
		t.Errorf("without a client: %v, want a *ConfigError", err)
	}
}

// Nodes that would not find each other's calls are told so.
func TestOtherTags(t *testing.T) {
	m := newMini(t)
	mustBeat(t, m.Registry, alice)
	other := registry(t, m.client(t), redisregistry.WithTags(7))
	_, beat := other.Beat(t.Context(), bob)
	_, bury := other.Bury(t.Context(), alice, 1)
	for method, err := range map[string]error{"Beat": beat, "Bury": bury, "Leave": other.Leave(t.Context(), bob)} {
		var schema *redisregistry.SchemaError
		if !errors.As(err, &schema) || schema.Theirs != "1 with 64 tags" || schema.Ours != "1 with 7 tags" {
			t.Errorf("%s: %v, want a *SchemaError that names both", method, err)
		}
	}
	if p := mustBeat(t, m.Registry, alice); len(p.Nodes) != 1 {
		t.Errorf("the cluster has nodes %v, want alice alone", p.Nodes)
	}
}

// Clusters with different prefixes share a server and see nothing of each other.
func TestPrefix(t *testing.T) {
	m := newMini(t)
	other := registry(t, m.client(t), redisregistry.WithPrefix("b:"))
	mustPut(t, m.Registry, alice, call("call", 3, 1))
	mustPut(t, other, alice, call("call", 1, 1))
	mustBeat(t, m.Registry, alice)
	if p := mustBeat(t, other, bob); len(p.Nodes) != 1 {
		t.Errorf("nodes %v, want bob alone", p.Nodes)
	}
	for _, key := range m.Keys() {
		if !strings.HasPrefix(key, "b:") && !strings.HasPrefix(key, "sessiontimer:") {
			t.Errorf("key %q has neither prefix", key)
		}
	}
}
