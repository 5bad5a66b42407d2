// Package client is the side of the timers that sends: what the application sends goes
// through it, numbered and marked, and so do the refreshes and BYEs of our own. A first
// INVITE, a request within a dialog and a request of our own are types of their own
// over one exchange with the peer.
package client
