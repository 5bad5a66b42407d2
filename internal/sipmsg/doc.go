// Package sipmsg reads and writes the text of SIP messages where sipgo does not: header
// fields under any name and in any case, marks in lists, what fits a datagram, tags,
// routes, and what of a stranger's message may be kept. It has no state.
package sipmsg
