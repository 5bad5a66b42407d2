// Package dialogset keeps the short-lived state of dialogs: CSeq numbers, requests in
// progress, open offers, and whether a dialog is early, confirmed or over.
//
// A [Set] holds the dialogs with one Call-ID and one local tag (RFC 3261 §12), and the
// INVITE that makes them. State that must outlive the process is in the store; a set that
// has no more than the store is dropped. No lock of this package is held outside it.
package dialogset
