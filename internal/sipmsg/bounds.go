package sipmsg

import (
	"errors"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// The peer chooses the names and the routes of a call. A call that exceeds these bounds,
// or has a control character in a name, has no session timer; the application gets it
// unchanged.
const (
	maxID     = 512  // bytes of a Call-ID or tag
	maxRoutes = 70   // RFC 3261 §8.1.1.6: no request passes more proxies
	maxNames  = 8192 // bytes of everything that Keepable checks, together
)

// ErrRoutes is returned by Keepable for a message with more proxies than a request can
// pass.
var ErrRoutes = errors.New("more than 70 routes")

var (
	errLongID   = errors.New("Call-ID or tag of more than 512 bytes")
	errLong     = errors.New("more than 8192 bytes of names and routes")
	errControls = errors.New("control characters")
)

// Keepable returns nil if the dialog that m makes may be stored, else the reason why not.
// sipgo's parser accepts a bare LF, which would start a header field of the sender's choice
// in each of our requests.
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

// Target returns the URI of a Contact; nil if there is none, or if it exceeds the bounds.
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

// measured is the approximate size of a part of a message, and whether it has control
// characters.
type measured struct {
	bytes    int
	controls bool
}

// header adds a header field. Those that every message has are measured without printing
// them.
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
