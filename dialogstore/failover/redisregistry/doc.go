// Package redisregistry is a failover.Registry in Redis: the nodes of a cluster share
// their calls there, and when one dies the others take its calls over.
//
// It works with Redis 5 and later and with Valkey: a single server, Sentinel, a Redis
// Cluster, or a go-redis Ring. Passwords and TLS are the client's. A call takes about two
// kilobytes, and one script run for each of its refreshes.
//
// # Redis
//
//   - Nothing waits for Redis but this package. While Redis is down, slow, loading or
//     read-only, calls go on and are refreshed; nothing is taken over. All methods return
//     when their context or WithTimeout ends, also where the client looks at no context,
//     as go-redis does unless its option ContextTimeoutEnabled is set.
//   - Set maxmemory-policy to noeviction. When the memory is used up, writes fail as if
//     Redis was down. With another policy Redis removes calls, which nobody can take over
//     then.
//   - A failover of Redis loses the last writes. The owner of a call writes them again with
//     the next refresh. See WithWaitReplicas for claims.
//   - In a Redis Cluster, a server that loses its data and not the rest of the cluster loses
//     its calls until their next refresh. Where the nodes are known is lost, everything is
//     written again at once.
//   - Persistence is not needed: the nodes write everything again when Redis has lost it.
//   - Whoever can write to these keys can make nodes send SIP messages. Give the nodes a
//     user of their own, limited to the keys of the prefix, and the network or TLS.
//     Credentials of SIP are not stored.
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
// milliseconds of Redis, and the dialog as two JSON objects: hot, what a refresh changes,
// and cold, which is written only if it has changed. Durations and enumerations are text.
// A later version may add members and fields; this one leaves them as they are. All keys
// expire by themselves.
package redisregistry
