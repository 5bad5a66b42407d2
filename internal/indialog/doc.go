// Package indialog builds the requests that this user agent sends within a dialog of
// its own accord, from nothing but the stored value (RFC 3261 §12.2.1.1): refreshes,
// their ACKs and BYEs.
package indialog
