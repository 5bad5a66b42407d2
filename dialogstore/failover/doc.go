// Package failover says how the nodes of a cluster share their calls, so that a call
// outlives the node that answered it: another one refreshes it, or ends it, before its
// peer gives up.
//
// A node serves every message from its own memory and writes behind. The [Registry] is
// where it writes to: the truth about a call is in the memory of its owner for as long
// as that lives, and in the registry from then on. No SIP message ever waits for it.
package failover
