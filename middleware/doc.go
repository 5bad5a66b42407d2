// Package middleware adds session timers (RFC 4028) to a sipgo user agent. It
// wraps the server's request handlers and the client's requests, so that an
// application keeps its handlers and dialogs as they are:
//
//	timers, err := middleware.New(ua)
//	server, err := timers.NewServer() // instead of sipgo.NewServer(ua)
//	client, err := timers.NewClient() // instead of sipgo.NewClient(ua)
//
// Attach does the same for a server and clients that are there already.
// Package diagotimer does the same for diago.
//
// What passes through is read and marked: INVITE, UPDATE and their responses
// get the session-timer header fields, a 422 is answered below the
// application, and each 2xx settles the timer of its dialog in a
// dialogstore.Store. Package refresher watches that store, sends the refreshes
// and hangs up on peers that vanished. Since sipgo's dialogs count their own
// CSeq, the middleware renumbers what they send after a refresh, ACK and
// CANCEL included.
package middleware
