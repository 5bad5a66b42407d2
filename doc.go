// Package sessiontimer implements RFC 4028, session timers in SIP, as values and pure
// functions: header fields, the roles of Table 2, the arithmetic of 422, and the
// deadlines of a session. It does no I/O, starts no goroutine and reads no clock:
// callers pass the current time.
//
// Applications usually add package middleware to a sipgo or diago user agent, and
// meet the types of this package as values of its options and events:
//
//	timers, err := middleware.New(ua, middleware.WithSessionExpires(30*time.Minute))
//	server, err := timers.NewServer()
//	client, err := timers.NewClient()
//
// # The timer
//
// A session timer starts with the 2xx to an INVITE or UPDATE, and every later one
// restarts it. One party, the refresher, sends the next request; the other waits for
// it.
//
//	2xx            half                    interval - min(32 s, interval/3)   interval
//	 |--------------|--------------------------------|--------------------------|
//	 start        refresher                        other party               expired:
//	              refreshes                        hangs up                  refresher hangs up
//
// # Two words
//
// [Role] is the parameter on the wire, refresher=uac or refresher=uas, and belongs to
// one transaction. [Refresher] is what a dialog remembers, Local or Peer. They are
// different types because confusing them makes both sides refresh, or neither.
package sessiontimer
