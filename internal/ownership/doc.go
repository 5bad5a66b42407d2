// Package ownership implements one node of a cluster whose nodes share calls: it knows which
// calls the node owns, writes them to the registry in the background, watches the other
// nodes, and takes over the calls of nodes that die. It does not deal with SIP messages.
//
// A [Node] is the dialogstore.Store of the timers. It works in memory, so a change of a
// dialog waits for nothing. Three independent goroutines talk to the registry: one beats
// and watches the others, one writes, one claims.
//
// A call whose dialog is in memory is owned in epoch 1, unless there is a [holding] for it.
// So a call that began here takes no memory beyond its dialog.
package ownership
