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
	for _, c := range []struct {
		name string
		opt  redisregistry.Option
		bad  bool
	}{
		{"WithPrefix", redisregistry.WithPrefix(""), true},
		{"WithPrefix", redisregistry.WithPrefix("a b"), true},
		{"WithPrefix", redisregistry.WithPrefix("{sip}:"), true},
		{"WithPrefix", redisregistry.WithPrefix("sip}"), true},
		{"WithPrefix", redisregistry.WithPrefix("sip\r\n"), true},
		{"WithPrefix", redisregistry.WithPrefix("zoë"), true},
		{"WithPrefix", redisregistry.WithPrefix(strings.Repeat("a", 65)), true},
		{"WithPrefix", redisregistry.WithPrefix(strings.Repeat("a", 64)), false},
		{"WithTags", redisregistry.WithTags(0), true},
		{"WithTags", redisregistry.WithTags(1025), true},
		{"WithTags", redisregistry.WithTags(1024), false},
		{"WithTimeout", redisregistry.WithTimeout(0), true},
		{"WithTimeout", redisregistry.WithTimeout(time.Millisecond), false},
		{"WithWaitReplicas", redisregistry.WithWaitReplicas(-1, time.Second), true},
		{"WithWaitReplicas", redisregistry.WithWaitReplicas(17, time.Second), true},
		{"WithWaitReplicas", redisregistry.WithWaitReplicas(1, 0), true},
		{"WithWaitReplicas", redisregistry.WithWaitReplicas(0, time.Second), false},
	} {
		_, err := redisregistry.New(client, c.opt)
		var config *sessiontimer.ConfigError
		if c.bad && (!errors.As(err, &config) || config.Option != c.name) {
			t.Errorf("%s out of range: %v, want a *ConfigError that names it", c.name, err)
		}
		if !c.bad && err != nil {
			t.Errorf("%s in range: %v, want no error", c.name, err)
		}
	}
	var config *sessiontimer.ConfigError
	if _, err := redisregistry.New(nil); !errors.As(err, &config) || config.Option != "New" {
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
