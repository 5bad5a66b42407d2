// Package sim tries to break clusters of nodes. It runs complete timers on sipgo's user
// agents, with hundreds of scripted peers, for hours of virtual time in one testing/synctest
// bubble.
//
// A seed determines the number of nodes and peers, the behaviour of each peer, the calls and
// their lengths, and the faults. It does not determine the order in which goroutines run, so
// a seed that failed may need a few tries to fail again.
//
// # What goes wrong
//
// Packets are lost, duplicated, reordered and delayed. Nodes and peers cannot reach each
// other. Nodes crash and start again under the same name, stop as planned, or pause. Peers
// crash, hang up, refuse, answer late or refresh themselves. The shared registry is down,
// slow, unreachable for one node, emptied, or reset to an earlier state; its clock jumps, and
// replies to completed writes are lost. Takeovers keep calls, end them, or give them a new
// session description. In a [Cluster] each node has its own address, in a [Pair] two nodes
// share one.
//
// A node crashes by losing the network and the registry at once; whatever its goroutines do
// until they are stopped has no effect. A paused node (SIGSTOP, a suspended machine) is cut
// off in both directions, and its packets are delivered when it continues. But its clock and
// its goroutines are not paused, since nothing outside a bubble can stop them: a timer that
// fires in the pause decides without knowing of it, and its packet leaves late. So the pause
// always lies between a decision and its packet, which is the worst place. How a process
// notices a pause is not simulated; tests of package stall and of the lease let the clock
// jump, and examples/node stops a process with SIGSTOP. Pauses are shorter than a transaction
// (32 s), which would otherwise time out with its answer still in the socket.
//
// Only UDP is simulated. Streams are left to the tests of package middleware.
//
// # What must hold
//
// Each peer keeps a ledger of the requests that it accepted and refused, and the wire a tape
// of all packets. They are judged when the run is over.
//
//	S1  the CSeqs that a peer accepts rise strictly
//	S2  after a peer accepts the first request of a new owner it accepts none of the former one
//	S3  no BYE to a peer that is alive and refreshed, unless the application, End or RFC 4028 §10 requires it, and no 481 to it
//	S4  no two accepted refreshes of ours within 40 % of the interval without a cause
//	S5  no call expires although a node that may serve it could reach the peer between half of the interval and the last chance
//	S6  one owner for each epoch; epochs rise; no node takes calls from a live node
//	S7  each 2xx to an INVITE is acknowledged; a node puts its own address into its Contact, and answers requests that reach it
//	L1  each call of a crashed node is soon claimed by a healthy one; after the last fault, each live call has a live owner
//	L2  each dead call is gone by its expiry and 64*T1
//	L3  the registry and the memories agree
//	L4  no goroutine, call or key is left
package sim
