// Package middleware adds session timers (RFC 4028) to a sipgo user agent. It
// wraps the server's request handlers and the client's requests, so that an
// application keeps its handlers and dialogs as they are:
//
//	timers, err := middleware.New(ua)
//	server, err := timers.NewServer() // instead of sipgo.NewServer(ua)
//	client, err := timers.NewClient() // instead of sipgo.NewClient(ua)
//
// Timers.Attach does the same for a server and clients that exist already, and
// package diagotimer for diago.
//
// INVITE, UPDATE and their responses get the session-timer header fields on their way
// through. A 422 is retried without the application noticing. Each 2xx starts or
// restarts the timer of its dialog, which is kept in a dialogstore.Store. Package
// refresher watches that store, sends the refreshes, and hangs up if the peer is gone.
// sipgo's dialogs count CSeq themselves and do not know of these refreshes, so the
// middleware renumbers what they send afterwards, ACK and CANCEL included.
package middleware
