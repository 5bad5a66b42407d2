package middleware

import (
	"bytes"
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
	maxNames  = 8192 // bytes of what keepable looks at together
)

var (
	errLongID = errors.New("middleware: Call-ID or tag of more than 512 bytes")
	errRoutes = errors.New("middleware: more than 70 routes")
	errLong   = errors.New("middleware: more than 8192 bytes of names and routes")
	// RFC 3261 §8.2.6.2: a response has to name the call. The application's dialog, if
	// it makes one of it, has another name than any that we could end.
	errOtherCall = errors.New("middleware: the response names another call")
	errControls  = errors.New("middleware: control characters")
)

// keepable says why nothing is kept of the dialog that m makes; nil if it may be. A
// bare LF passes sipgo's parser, and would begin a header field of the sender's choice
// in each request of ours.
func keepable(m message) error {
	if len(callID(m)) > maxID || len(fromTag(m)) > maxID || len(toTag(m)) > maxID {
		return errLongID
	}
	routes, total := 0, 0
	for _, h := range m.Headers() {
		switch h := h.(type) {
		case *sip.CallIDHeader, *sip.FromHeader, *sip.ToHeader, *sip.ContactHeader:
		default:
			if !isRecordRoute(h) {
				continue
			}
			routes++
		}
		n, plain := measure(h)
		total += n
		switch {
		case !plain:
			return errControls
		case routes > maxRoutes:
			return errRoutes
		case total > maxNames:
			return errLong
		}
	}
	return nil
}

// target is where a Contact says that its sender is; nil where it does not, or not in
// a way that can be kept.
func target(contact *sip.ContactHeader) *sip.Uri {
	if contact == nil || contact.Address.Wildcard {
		return nil
	}
	if n, plain := measure(contact); !plain || n > maxNames {
		return nil
	}
	return &contact.Address
}

// measure is the length of a header field, and whether it has no control character.
func measure(h sip.Header) (n int, plain bool) {
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	b.Reset()
	h.StringWrite(b)
	for _, c := range b.Bytes() {
		if c < ' ' || c == 0x7f {
			return b.Len(), false
		}
	}
	return b.Len(), true
}

func isRecordRoute(h sip.Header) bool {
	_, typed := h.(*sip.RecordRouteHeader)
	return typed || strings.EqualFold(h.Name(), "Record-Route")
}
