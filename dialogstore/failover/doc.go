// Package failover lets calls outlive the node that answered them: when a process dies,
// another node of its cluster refreshes its calls, or ends them, before the peers give up.
//
// Each node serves SIP from its own memory, and in the background writes the latest state
// of each call to a [Registry] that all nodes share. While a node lives, its memory is the
// truth about its calls. Once it is dead, the registry is. No SIP message ever waits for
// the registry.
//
// Each node beats: at regular intervals it raises its counter in the registry and reads the
// counters of the others. A node whose counter does not change for a lease is dead. Another
// node buries it, lists its calls, the most urgent first, and claims them:
//
//	node a                      registry                       node b
//	  | Beat                       |                       Beat  |
//	  | Put call, epoch 1          | a owns it in epoch 1        |
//	  x crashes, or only hangs     |                       Beat  |  a's counter stands still
//	                               |                     Bury a  |  for a lease: a is dead
//	                               |                    Owned a  |
//	                               | b owns it in epoch 2 Claim  |
//	                               |                             |  refreshes the call
//	  | goes on after all          |          Put call, epoch 2  |
//	  | Put call, epoch 1          |                             |
//	  | FencedError: b owns it     |                             |
//	  | drops the call, silently   |                             |
//
// The epoch of a call counts its owners, and prevents two nodes from serving one call: the
// registry refuses the writes of a former owner. Another run of the same node is another
// owner. Within an epoch, the Version of the dialog shows which state is the latest, so
// writes may be repeated and arrive in any order.
//
// [Memory] is a registry for tests. To write your own, implement [Registry] and test it with
// package failovertest.
package failover
