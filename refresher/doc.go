// Package refresher has sessions refreshed before they expire (RFC 4028 §7.2, §10), and
// ends those that nobody refreshes.
//
// A [Scheduler] observes the store of dialogs, and schedules each session when it
// changes. It knows times, limits and verdicts, and no SIP message: a [Pipeline] builds
// and sends a request when its turn has come. A call of which nothing is due within 40 s
// is only a name in a slot of time. What is due has its turn as [Limits] allow, by its
// last chance to reach a peer in time. What an answer leads to is in a table.
//
//	                          ready: waits for its turn
//	2xx                  half |       last chance   margin     end
//	 |------- far -------|----|-----------|------------|--------|
//	 schedule     40 s: due   refresh -> 2xx: anew     |        local: End, then BYE
//	                          |                        peer: End, then BYE
//	                          failed: again, the other method, or End
package refresher
