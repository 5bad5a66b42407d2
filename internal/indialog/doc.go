// Package indialog says what a request looks like that this user agent sends within a
// dialog, and where it goes (RFC 3261 §12.2.1.1): refreshes, ACKs and BYEs, made from
// nothing but the stored value, and the places where the peer may be, in the order in
// which they are tried. All of it is pure.
package indialog
