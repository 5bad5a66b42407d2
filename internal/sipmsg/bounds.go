package sipmsg

import (
	"errors"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Who calls, or answers, chooses what a call is named and where it leads. Beyond these
// bounds, and with a control character in a name, a call has no session timer: the
// application has it as it would without us.
const (
	maxID     = 512  // bytes of a Call-ID or tag
	maxRoutes = 70   // RFC 3261 §8.1.1.6: no request passes more proxies
	maxNames  = 8192 // bytes of what Keepable looks at together
)

// ErrRoutes is returned by Keepable for a message that no request can have become.
var ErrRoutes = errors.New("more than 70 routes")

var (
	errLongID   = errors.New("Call-ID or tag of more than 512 bytes")
	errLong     = errors.New("more than 8192 bytes of names and routes")
	errControls = errors.New("control characters")
)

// Keepable says why nothing is kept of the dialog that m makes; nil if it may be. A
// bare LF passes sipgo's parser, and would begin a header field of the sender's choice
// in each request of ours.
func Keepable(m Message) error {
	if len(CallID(m)) > maxID || len(FromTag(m)) > maxID || len(ToTag(m)) > maxID {
		return errLongID
	}
	var names measured
	routes := 0
	for _, h := range m.Headers() {
		switch h.(type) {
		case *sip.CallIDHeader, *sip.FromHeader, *sip.ToHeader, *sip.ContactHeader:
		default:
			if !isRecordRoute(h) {
				continue
			}
			routes++
		}
		names.header(h)
		switch {
		case names.controls:
			return errControls
		case routes > maxRoutes:
			return ErrRoutes
		case names.bytes > maxNames:
			return errLong
		}
	}
	return nil
}

// Target is where a Contact says that its sender is; nil where it does not, or not in
// a way that can be kept.
func Target(contact *sip.ContactHeader) *sip.Uri {
	if contact == nil || contact.Address.Wildcard {
		return nil
	}
	var name measured
	if name.header(contact); name.controls || name.bytes > maxNames {
		return nil
	}
	return &contact.Address
}

// measured is what a part of a message takes, about, and whether it could end a line.
type measured struct {
	bytes    int
	controls bool
}

// header measures a header field. Those of all messages are not printed for that.
func (m *measured) header(h sip.Header) {
	switch h := h.(type) {
	case *sip.FromHeader:
		m.nameAddr(h.DisplayName, &h.Address, h.Params)
	case *sip.ToHeader:
		m.nameAddr(h.DisplayName, &h.Address, h.Params)
	case *sip.ContactHeader:
		m.nameAddr(h.DisplayName, &h.Address, h.Params)
	default:
		m.text(h.Value())
	}
}

func (m *measured) nameAddr(name string, uri *sip.Uri, params sip.HeaderParams) {
	m.text(name)
	switch uri.Scheme {
	case "sip", "sips", "":
		m.text(uri.User)
		m.text(uri.Password)
		m.text(uri.Host)
		m.params(uri.UriParams)
		m.params(uri.Headers)
	default:
		m.text(uri.String())
	}
	m.params(params)
}

func (m *measured) params(params sip.HeaderParams) {
	for _, p := range params {
		m.text(p.K)
		m.text(p.V)
	}
}

func (m *measured) text(s string) {
	m.bytes += len(s)
	for i := 0; i < len(s) && !m.controls; i++ {
		m.controls = s[i] < ' ' || s[i] == 0x7f
	}
}

func isRecordRoute(h sip.Header) bool {
	_, typed := h.(*sip.RecordRouteHeader)
	return typed || strings.EqualFold(h.Name(), "Record-Route")
}
