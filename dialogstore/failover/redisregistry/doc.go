// Package redisregistry is a failover.Registry in Redis: the nodes of a cluster share
// their calls there, and when one dies the others take its calls over.
//
// It works with Redis 5 and later and with Valkey: a single server, Sentinel, a Redis
// Cluster, or a go-redis Ring. Passwords and TLS are set on the client. A call takes about
// two kilobytes, and each of its refreshes one script run.
//
// # Redis
//
//   - Only this package waits for Redis. While Redis is down, slow, loading or read-only,
//     calls go on and are refreshed, but no calls are taken over. All methods return when
//     their context ends or after WithTimeout, even though go-redis ignores the context
//     unless its option ContextTimeoutEnabled is set.
//   - Set maxmemory-policy to noeviction. When the memory is used up, writes then fail as
//     if Redis was down. With another policy Redis evicts calls, and no node can take them
//     over.
//   - A failover of Redis loses the last writes. The owner of a call writes them again with
//     the next refresh. See WithWaitReplicas for claims.
//   - If one server of a Redis Cluster loses its data, its calls are missing until their
//     next refresh. If that server has the list of the nodes, the nodes write everything
//     again at once.
//   - Persistence is not needed: the nodes write everything again when Redis has lost it.
//   - Whoever can write to these keys can make nodes send SIP messages. Give the nodes
//     their own Redis user, limited to the keys with the prefix, and a private network or
//     TLS. SIP credentials are not stored.
//
// # Keys
//
// Keys begin with the prefix; {7} is one of 64 hash tags, chosen by the ID of a call.
// Parts of IDs and names are escaped as in URLs.
//
//	sessiontimer:nodes                                    hash: the nodes and their beats
//	sessiontimer:{7}:call:CALL-ID/LOCAL-TAG/REMOTE-TAG    hash: one call
//	sessiontimer:{7}:owned:NAME/RUN                       sorted set: calls of a node by deadline
//
// The hash of a call has its owner, epoch, version of the last Put, since and deadline in
// milliseconds of Redis' clock, and the dialog as two JSON objects: hot, with what refreshes
// change, and cold, which is written only if it has changed. Durations and enumerations are
// text. A later version may add members and fields; this one leaves them as they are. All
// keys expire by themselves.
package redisregistry
