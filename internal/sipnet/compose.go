package sipnet

import (
	"slices"
	"strconv"
	"strings"
)

// SDP is the body that the peer offers and answers with if a test gives none.
const SDP = "v=0\r\no=- 1 1 IN IP4 10.0.0.99\r\ns=-\r\nc=IN IP4 10.0.0.99\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

// compose builds a message from its start line, the headers that the peer would send and
// those that the test wants.
//
//   - An extra header takes the place of a base header of the same name, compact
//     form or not, and is sent as written.
//   - An extra element "-Name" only removes the base header.
//   - A last element that begins with "v=0" is the body; an empty last element
//     means no body. Otherwise the body is as given.
func compose(start string, base, extra []string, body string) string {
	if n := len(extra); n > 0 {
		if last := extra[n-1]; last == "" || strings.HasPrefix(last, "v=0") {
			body, extra = last, extra[:n-1]
		}
	}
	if body != "" {
		base = append(slices.Clone(base), "Content-Type: application/sdp")
	}
	base = append(slices.Clone(base), "Content-Length: *")

	taken := make(map[string]bool)
	var own []string
	for _, line := range extra {
		if name, ok := strings.CutPrefix(line, "-"); ok {
			taken[headerName(name)] = true
			continue
		}
		taken[headerName(line)] = true
		own = append(own, line)
	}
	lines := []string{start}
	for _, line := range base {
		if !taken[headerName(line)] {
			lines = append(lines, line)
		}
	}
	lines = append(lines, own...)
	return normalise(strings.Join(lines, "\r\n") + "\r\n\r\n" + body)
}

// compact lists the compact forms (RFC 3261 §7.3.3) of the headers that the peer
// writes by itself.
var compact = map[string]string{
	"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact",
	"c": "content-type", "l": "content-length",
}

// headerName returns the name in a header line, in lower case and in full.
func headerName(line string) string {
	name, _, _ := strings.Cut(line, ":")
	name = strings.ToLower(strings.TrimSpace(name))
	if long, ok := compact[name]; ok {
		return long
	}
	return name
}

// normalise makes raw text a message: every line end becomes CRLF, empty lines
// before it go, a missing empty line after the headers comes, and the literal
// "Content-Length: *" gets the length of the body.
func normalise(raw string) string {
	raw = strings.ReplaceAll(raw, "\r\n", "\n")
	raw = strings.TrimLeft(raw, "\n")
	head, body, found := strings.Cut(raw, "\n\n")
	if !found {
		head = strings.TrimRight(head, "\n")
	}
	head = strings.ReplaceAll(head, "\n", "\r\n")
	body = strings.ReplaceAll(body, "\n", "\r\n")
	head = strings.Replace(head, "Content-Length: *", "Content-Length: "+strconv.Itoa(len(body)), 1)
	return head + "\r\n\r\n" + body
}
