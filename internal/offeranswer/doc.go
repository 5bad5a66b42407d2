// Package offeranswer keeps the offer/answer state of a dialog (RFC 3264, RFC
// 6337): which session descriptions both ends have agreed on, what a refresh
// offers, and what answers an offer that changes nothing. All of it is values
// and pure functions.
package offeranswer
