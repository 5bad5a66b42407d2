// Package sipmsg reads and writes the text of SIP messages where sipgo does not: header
// fields by either name and in any case, tokens in lists, lengths, tags and routes, and
// the bounds on a stranger's message. It has no state.
package sipmsg
