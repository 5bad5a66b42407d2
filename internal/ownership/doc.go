// Package ownership is one node of a cluster whose nodes share calls: it knows which
// calls are its own, writes them behind to the registry, watches the other nodes, and
// takes over the calls of those that die. It knows no SIP message.
//
// A [Node] is the store that the timers work with: its memory serves, and whoever
// changes a dialog waits for nobody. Three goroutines talk to the registry, each for
// itself: one beats and watches, one writes behind, one claims.
//
// A call whose dialog is in memory is this node's, in epoch 1, unless [holding] says
// otherwise. So a call that began here costs nothing but its dialog.
package ownership
