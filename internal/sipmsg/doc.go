// Package sipmsg reads and changes SIP messages where sipgo does not: header fields by long
// or compact name, tokens in lists, lengths, tags and routes. It also checks the bounds of
// what may be stored from a stranger's message. It has no state.
package sipmsg
