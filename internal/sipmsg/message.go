package sipmsg

import "github.com/emiago/sipgo/sip"

// Message is the part of sip.Request and sip.Response that this package needs.
type Message interface {
	sip.Message
	Headers() []sip.Header
	RemoveHeader(name string) bool
	ReplaceHeader(sip.Header)
}

// CallID returns the Call-ID of m; empty if there is none.
func CallID(m sip.Message) string {
	if h := m.CallID(); h != nil {
		return h.Value()
	}
	return ""
}

// ToTag returns the tag in To; empty if there is none.
func ToTag(m sip.Message) string {
	if h := m.To(); h != nil {
		return h.Params.GetOr("tag", "")
	}
	return ""
}

// FromTag returns the tag in From; empty if there is none.
func FromTag(m sip.Message) string {
	if h := m.From(); h != nil {
		return h.Params.GetOr("tag", "")
	}
	return ""
}

// ContentType returns the Content-Type of m; empty if it has none, or no body.
func ContentType(m sip.Message) string {
	if len(m.Body()) == 0 {
		return ""
	}
	if msg, ok := m.(interface{ ContentType() *sip.ContentTypeHeader }); ok {
		if h := msg.ContentType(); h != nil && h.Value() != "" {
			return h.Value()
		}
	}
	return ""
}
