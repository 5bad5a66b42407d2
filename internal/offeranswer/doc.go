// Package offeranswer tracks the offer/answer state of a dialog (RFC 3264, RFC 6337): which
// session descriptions both sides have agreed on, what a refresh offers, and how to answer
// an offer that changes nothing. It consists of values and pure functions.
//
// Descriptions are read by line and printed as they were read: a refresh must repeat one
// byte for byte (RFC 4028 §7.4), which no SDP library does. Besides, an application on
// sipgo alone should have no SDP library in its go.sum.
package offeranswer
