// Package refresher refreshes sessions before they expire (RFC 4028 §7.2, §10), and ends
// sessions that neither side refreshes.
//
// A [Scheduler] observes the store of dialogs, and schedules each session when it
// changes. It decides when to send, within which limits, and what follows from the result,
// but does not deal with SIP messages: a [Pipeline] builds and sends each request when its
// turn comes. A call with nothing due within 40 s is only an ID in a list. Due requests are
// sent as [Limits] allow, in the order of their last chance to reach the peer in time. A
// table maps each response to what follows.
//
//	                          ready: waits for its turn
//	2xx                  half |       last chance   margin     end
//	 |------- far -------|----|-----------|------------|--------|
//	 schedule     40 s: due   refresh -> 2xx: again    |        local: End, then BYE
//	                          |                        peer: End, then BYE
//	                          failed: retry, the other method, or End
package refresher
