package sipmsg

import (
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// RouteSet returns the Record-Route of a message that made a dialog, reversed for the UAC
// (RFC 3261 §12.1).
func RouteSet(m Message, reversed bool) []string {
	var set []string
	for _, h := range m.Headers() {
		if isRecordRoute(h) {
			set = append(set, splitRoutes(h.Value())...)
		}
	}
	if reversed {
		slices.Reverse(set)
	}
	return set
}

// splitRoutes splits a list of name-addrs at the commas outside <> and quotes. sipgo's parser
// does that already, but an application may have set a parser that does not.
func splitRoutes(list string) []string {
	var out []string
	var quoted, escaped, inURI bool
	start := 0
	for i, c := range list {
		switch {
		case quoted:
			quoted, escaped = escaped || c != '"', !escaped && c == '\\'
		case c == '"':
			quoted = true
		case c == '<':
			inURI = true
		case c == '>':
			inURI = false
		case c == ',' && !inURI:
			out = append(out, strings.TrimSpace(list[start:i]))
			start = i + 1
		}
	}
	return append(out, strings.TrimSpace(list[start:]))
}

// AddrSpec returns the URI in a Contact header value.
func AddrSpec(contact string) string {
	if _, rest, ok := strings.Cut(contact, "<"); ok {
		uri, _, _ := strings.Cut(rest, ">")
		return uri
	}
	uri, _, _ := strings.Cut(contact, ";")
	return uri
}

// Relocated returns a Contact header value with another host and port; empty if it has
// them already, or is not a SIP URI.
func Relocated(contact, host string, port int) string {
	spec := AddrSpec(contact)
	var uri sip.Uri
	if spec == "" || sip.ParseUri(spec, &uri) != nil || uri.Host == host && uri.Port == port {
		return ""
	}
	uri.Host, uri.Port = host, port
	before, rest, _ := strings.Cut(contact, spec)
	if !strings.HasSuffix(before, "<") {
		return before + "<" + uri.String() + ">" + rest
	}
	return before + uri.String() + rest
}

// Implied returns where a request goes by its URI alone.
func Implied(req *sip.Request) string {
	bare := sip.NewRequest(req.Method, req.Recipient)
	bare.SetTransport(req.Transport())
	return bare.Destination()
}
