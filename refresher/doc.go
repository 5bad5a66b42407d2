// Package refresher sends the refreshes of session timers and ends sessions
// that nobody refreshes. It knows a dialog only as a dialogstore.Observer does:
// by the changes of its value. All requests go out through a [Pipeline], so
// that one place numbers and marks everything that a dialog sends.
//
// What is due within 40 s is armed, in one queue with one alarm. Of an idle call
// there is no more here than its name, in a list of those that will come near in
// the same half minute. What is due starts as [Limits] allow, the most urgent first.
//
//	2xx               half                                  end
//	 |-----------------|-----x-----------x------------------|
//	 arm             refresh  failed: see the table         hang up
//	                          in policy.go
package refresher
