package sim

import (
	"strconv"
	"strings"
)

// message has the parts of a SIP message that a peer uses. It is parsed by hand for speed: a
// run has a million messages.
type message struct {
	status  int    // 0 for a request
	method  string // of the request, or in CSeq
	number  uint32 // in CSeq
	vias    string // all Via lines, as they are
	branch  string // of the first
	from    string // values
	to      string
	callID  string
	contact string
	expires string // Session-Expires
	minSE   string
	reason  string
	body    bool
}

// parse returns false if the text is not a SIP message that a peer can answer.
func parse(text string) (m message, ok bool) {
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	m.body = body != ""
	start, rest, _ := strings.Cut(head, "\r\n")
	if after, response := strings.CutPrefix(start, "SIP/2.0 "); response {
		if len(after) < 3 {
			return m, false
		}
		m.status, _ = strconv.Atoi(after[:3])
	} else if !strings.HasSuffix(start, " SIP/2.0") {
		return m, false
	}
	for line := range strings.SplitSeq(rest, "\r\n") {
		name, value, found := strings.Cut(line, ":")
		if found {
			m.read(strings.TrimSpace(name), strings.TrimSpace(value), line)
		}
	}
	return m, m.branch != "" && m.callID != "" && m.from != "" && m.to != "" && m.method != ""
}

func (m *message) read(name, value, line string) {
	switch {
	case strings.EqualFold(name, "Via") || name == "v":
		m.vias += line + "\r\n"
		if m.branch == "" {
			m.branch = param(value, "branch")
		}
	case strings.EqualFold(name, "From") || name == "f":
		m.from = value
	case strings.EqualFold(name, "To") || name == "t":
		m.to = value
	case strings.EqualFold(name, "Call-ID") || name == "i":
		m.callID = value
	case strings.EqualFold(name, "CSeq"):
		number, method, _ := strings.Cut(value, " ")
		n, _ := strconv.ParseUint(number, 10, 32)
		m.number, m.method = uint32(n), strings.TrimSpace(method)
	case strings.EqualFold(name, "Contact") || name == "m":
		m.contact = value
	case strings.EqualFold(name, "Session-Expires") || name == "x":
		m.expires = value
	case strings.EqualFold(name, "Min-SE"):
		m.minSE = value
	case strings.EqualFold(name, "Reason"):
		m.reason = value
	}
}

// param returns the value of a parameter; empty if there is none.
func param(value, name string) string {
	_, after, found := strings.Cut(value, ";"+name+"=")
	if !found {
		return ""
	}
	if end := strings.IndexAny(after, ";, >"); end >= 0 {
		after = after[:end]
	}
	return after
}

// uriOf returns the URI in a Contact, From or To.
func uriOf(value string) string {
	_, after, found := strings.Cut(value, "<")
	if !found {
		return value
	}
	uri, _, _ := strings.Cut(after, ">")
	return uri
}

// addrOf returns the host:port in a URI.
func addrOf(uri string) string {
	_, after, found := strings.Cut(uri, "@")
	if !found {
		_, after, _ = strings.Cut(uri, ":")
	}
	if end := strings.IndexAny(after, ";?>"); end >= 0 {
		after = after[:end]
	}
	return after
}
