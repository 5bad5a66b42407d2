// Package indialog builds requests within a dialog from its stored value (RFC 3261
// §12.2.1.1): refreshes, ACKs and BYEs. It also says where to send them: the places where the
// peer may be, in the order in which to try them. All of its functions are pure.
package indialog
