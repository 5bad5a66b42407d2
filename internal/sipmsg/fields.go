package sipmsg

import (
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
)

// Fields reads the session-timer header fields of m, without leniency if p is Strict.
func Fields(m Message, p sessiontimer.Policy) sessiontimer.Fields {
	f := sessiontimer.Fields{Strict: p.Strict}
	for _, h := range m.Headers() {
		switch h.(type) {
		case *sip.ViaHeader, *sip.FromHeader, *sip.ToHeader, *sip.CallIDHeader, *sip.CSeqHeader, *sip.ContactHeader,
			*sip.RecordRouteHeader, *sip.RouteHeader, *sip.MaxForwardsHeader, *sip.ContentLengthHeader, *sip.ContentTypeHeader:
			// Not session-timer header fields, and expensive to print.
		default:
			f.Add(h.Name(), h.Value())
		}
	}
	return f
}

// Set makes value the only value of the header field; an empty value removes it. short is
// the compact form of the name, if it has one.
func Set(m Message, name, short, value string) {
	Remove(m, name, short)
	if value != "" {
		m.AppendHeader(sip.NewHeader(name, value))
	}
}

// Remove removes all header fields of either name.
func Remove(m Message, name, short string) {
	for {
		h := First(m, name, short)
		if h == nil {
			return
		}
		m.RemoveHeader(h.Name())
	}
}

// Copy makes the header fields of either name in m those of from.
func Copy(m, from Message, name, short string) {
	Remove(m, name, short)
	for _, h := range from.Headers() {
		if named(h, name, short) {
			m.AppendHeader(h)
		}
	}
}

// First returns the first header field of either name. sipgo's GetHeader does not know
// the compact forms that matter here.
func First(m Message, name, short string) sip.Header {
	for _, h := range m.Headers() {
		if named(h, name, short) {
			return h
		}
	}
	return nil
}

func named(h sip.Header, name, short string) bool {
	n := h.Name()
	return strings.EqualFold(n, name) || short != "" && strings.EqualFold(n, short)
}

// HasToken reports whether a list header field has the token.
func HasToken(m Message, name, short, token string) bool {
	for _, h := range m.Headers() {
		if named(h, name, short) && sessiontimer.HasToken(h.Value(), token) {
			return true
		}
	}
	return false
}

// AddToken adds the token of a list header field unless a field of that name has it. It
// extends the first field, because many parsers read only that one.
func AddToken(m Message, field sip.Header, short string) {
	name, token := field.Name(), field.Value()
	if HasToken(m, name, short, token) {
		return
	}
	h := First(m, name, short)
	if h == nil {
		m.AppendHeader(field)
		return
	}
	list := strings.TrimSpace(h.Value())
	if list != "" {
		list += ", "
	}
	m.ReplaceHeader(sip.NewHeader(h.Name(), list+token))
}

// RemoveToken removes a token from a list header field. If the message has the token, what
// is left of its fields of that name becomes one, or none.
func RemoveToken(m Message, name, short, token string) {
	if !HasToken(m, name, short, token) {
		return
	}
	name = First(m, name, short).Name()
	rest := items(m, name, short, func(item string) bool { return !strings.EqualFold(item, token) })
	Remove(m, name, short)
	if rest != "" {
		m.AppendHeader(sip.NewHeader(name, rest))
	}
}

// OptionTags returns the option tags that the header fields of a name list, for refreshes to
// repeat (RFC 4028 §7.4). It omits timer, which is added where needed, and 100rel, which
// would require PRACK for refreshes.
func OptionTags(m Message, name, short string) string {
	return items(m, name, short, func(tag string) bool {
		return !strings.EqualFold(tag, sessiontimer.OptionTag) && !strings.EqualFold(tag, "100rel")
	})
}

// items returns the items to keep of the list in all fields of either name.
func items(m Message, name, short string, keep func(item string) bool) string {
	var kept []string
	for _, h := range m.Headers() {
		if !named(h, name, short) {
			continue
		}
		for item := range strings.SplitSeq(h.Value(), ",") {
			if item = strings.TrimSpace(item); item != "" && keep(item) {
				kept = append(kept, item)
			}
		}
	}
	return strings.Join(kept, ", ")
}

// Header fields for AddToken. Messages share them, so they must not be changed.
var (
	SupportedTimer = sip.NewHeader("Supported", sessiontimer.OptionTag)
	RequireTimer   = sip.NewHeader("Require", sessiontimer.OptionTag)
	AllowUpdate    = sip.NewHeader("Allow", "UPDATE")
)
