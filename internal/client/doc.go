// Package client sends requests: those of the application, to which it adds the session
// timer and the right CSeq, and the refreshes and BYEs of the timers. The kinds of
// requests are types that embed exchange: firstInvite, laterOffer and plainRequest for the
// application, ownRequest for the timers.
package client
