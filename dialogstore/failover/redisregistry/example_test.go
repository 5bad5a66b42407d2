package redisregistry_test

import (
	"log"

	"github.com/redis/go-redis/v9"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/redisregistry"
)

// The registry of a cluster in one Redis. For Sentinel or a Redis Cluster make the client
// with redis.NewFailoverClient or redis.NewClusterClient.
func Example() {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379"})
	defer func() { _ = client.Close() }()
	registry, err := redisregistry.New(client)
	if err != nil {
		log.Fatal(err)
	}
	// timers, err := middleware.New(ua, middleware.WithFailover(registry, failover.WithName("node-1")))
	var _ failover.Registry = registry
}
