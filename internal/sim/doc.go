// Package sim tries to break clusters of nodes: whole timers on sipgo's user agents, and
// hundreds of scripted peers, for hours of virtual time in one bubble of testing/synctest.
//
// All that happens is drawn from a seed: how many nodes and peers there are, how each
// peer behaves, who calls whom for how long, and what goes wrong when. The order in which
// goroutines run is not drawn, so a run is seeded, not deterministic: a seed that failed
// may need a few tries to fail again.
//
// # What goes wrong
//
// Packets are lost, doubled, overtaken and late; nodes and peers cannot reach each other;
// nodes crash and start again under their name, stop as planned, stand still and go on;
// peers crash, hang up, refuse, answer late or refresh themselves. The registry that nodes
// share is down, slow, out of reach of one node, emptied, set back to what it held before,
// its clock jumps, and replies of writes that were done are lost. What a takeover means is
// drawn, too: calls are kept, end, or get a new description. In [Cluster] each node has an
// address of its own, in [Pair] two nodes share one.
//
// A node crashes by losing its way to the network and to the registry at once; what its
// goroutines still do until they are stopped has no effect. A node that stands still
// (SIGSTOP, a stopped machine) is cut off in both directions, and what it sends and what is
// sent to it arrives when it goes on. But its clock and its goroutines go on: a timer that
// goes off meanwhile decides without knowing that time was lost, and what it decides leaves
// late. So the pause lies between a decision and its packet, which is the worst place; that
// a process notices its pause, and thinks again, is not simulated: nothing can stop a
// goroutine of a bubble, or its clock, from outside. Tests of package stall and of the lease
// have the clock jump, and examples/node stops a process with SIGSTOP. Pauses are shorter
// than a transaction (32 s), which would otherwise end in them without the answer that lies
// in the socket.
//
// Streams are not simulated: all is UDP. What becomes of a stream is left to tests of package
// middleware.
//
// # What must hold
//
// Each peer keeps a ledger of what it accepted and refused, and the wire a tape. They are
// judged when the run is over.
//
//	S1  the CSeqs that a peer accepts rise strictly
//	S2  after the first accepted request of a taker none of the former owner is accepted
//	S3  no BYE to a peer that is alive and refreshed, unless the application, End or RFC 4028 §10 says so, and no 481 to it
//	S4  no two accepted refreshes of ours within 40 % of the interval without a cause
//	S5  no call runs out though a node that may serve it could reach the peer between the half and the last chance
//	S6  one owner for each epoch; epochs rise; nobody takes calls from a node that lives
//	S7  each 2xx to an INVITE is acknowledged; a node announces itself, and what reaches it is answered
//	L1  each call of a node that crashed is soon claimed by whoever is well; when the faults have stopped, each live call has a live owner
//	L2  each dead call is gone by its expiry and 64*T1
//	L3  the registry and the memories agree
//	L4  no goroutine, call or key is left
package sim
