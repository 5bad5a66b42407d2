// Package offeranswer keeps the offer/answer state of a dialog (RFC 3264, RFC
// 6337): which session descriptions both ends have agreed on, what a refresh
// offers, and what answers an offer that changes nothing. All of it is values
// and pure functions.
//
// Descriptions are read by line and printed as they were read: a refresh must repeat
// one to the byte (RFC 4028 §7.4), which no library for SDP does. And an application
// on sipgo alone is to have no such library in its go.sum.
package offeranswer
