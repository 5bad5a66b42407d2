// Package refresher sends the refreshes of session timers and ends sessions
// that nobody refreshes. It knows a dialog only as a dialogstore.Observer does:
// by the changes of its value. All requests go out through a [Pipeline], so
// that one place numbers and marks everything that a dialog sends.
//
// Its timers are the only ones of the library that outlive a transaction: one a
// dialog, armed for the next thing due and armed anew by every change.
//
//	2xx               half                                  end
//	 |-----------------|-----x-----------x------------------|
//	 arm             refresh  failed: see the table         hang up
//	                          in policy.go
package refresher
