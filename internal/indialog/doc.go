// Package indialog builds requests within a dialog from its stored value (RFC 3261
// §12.2.1.1): refreshes, ACKs and BYEs. It also lists the addresses to try, in order. All of
// its functions are pure.
package indialog
