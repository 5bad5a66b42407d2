package redisregistry

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// replicate waits until replicas have the writes to the places of the tags. WAIT covers only
// the writes of its own connection, so it follows a write there.
func (r *Registry) replicate(ctx context.Context, tags map[int]bool) {
	done := make(map[Client]bool)
	for tag := range tags {
		key := r.place(tag) + "wait"
		client := r.primary(ctx, key)
		if client == nil || done[client] {
			continue
		}
		done[client] = true
		// A timeout is not an error: see WithWaitReplicas.
		_, _ = client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.Set(ctx, key, 1, time.Minute)
			pipe.Do(ctx, "WAIT", r.opts.replicas, r.opts.wait.Milliseconds())
			return nil
		})
	}
}

// primary returns the client of the one server that has key, nil if that is not known.
func (r *Registry) primary(ctx context.Context, key string) Client {
	var one *redis.Client
	switch c := r.client.(type) {
	case interface {
		MasterForKey(ctx context.Context, key string) (*redis.Client, error)
	}: // a ClusterClient
		one, _ = c.MasterForKey(ctx, key)
	case interface {
		GetShardClientForKey(key string) (*redis.Client, error)
	}: // a Ring
		one, _ = c.GetShardClientForKey(key)
	default:
		return r.client
	}
	if one == nil {
		return nil
	}
	return one
}
