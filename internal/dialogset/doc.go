// Package dialogset knows what is in flight in the dialogs of this process: the numbers
// of what we send, whose turn it is, what waits for an answer, and how far a dialog is.
// A set holds the dialogs of one Call-ID and one tag of ours (RFC 3261 §12), and the
// INVITE that makes them. What outlives the process is in the store; a set that knows
// no more than that is dropped. No lock of this package is ever held outside it.
package dialogset
