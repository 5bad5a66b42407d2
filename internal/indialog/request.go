package indialog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// Request returns a request within d that goes where its URIs lead. It has no Via, and CSeq
// 0; the sender sets both.
func Request(d *dialogstore.Dialog, method sip.RequestMethod) (*sip.Request, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	target, routes, err := d.RemoteTarget, d.RouteSet, error(nil)
	if len(routes) > 0 && !looseRoute(routes[0]) {
		// RFC 3261 §12.2.1.1: a strict router gets its own URI as the Request-URI, and the target
		// as the last Route.
		target, _ = addrSpec(routes[0])
		routes = append(append([]string{}, routes[1:]...), "<"+d.RemoteTarget+">")
	}
	var uri sip.Uri
	if err = sip.ParseUri(target, &uri); err != nil {
		return nil, fmt.Errorf("remote target %q: %w", target, err)
	}
	req := sip.NewRequest(method, uri)
	if target != d.RemoteTarget {
		req.SetDestination(req.Destination()) // the strict router comes first, not the Route
	}
	for _, r := range routes {
		req.AppendHeader(sip.NewHeader("Route", r))
	}
	maxForwards := sip.MaxForwardsHeader(70)
	callID := sip.CallIDHeader(d.CallID)
	req.AppendHeader(&maxForwards)
	req.AppendHeader(sip.NewHeader("From", d.LocalURI))
	req.AppendHeader(sip.NewHeader("To", d.RemoteURI))
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{MethodName: method})
	if method != sip.BYE && d.Contact != "" {
		req.AppendHeader(sip.NewHeader("Contact", d.Contact))
	}
	req.SetBody(nil)
	req.SetTransport(sip.NetworkToUpper(d.Transport))
	setLocalAddr(req, d)
	return req, nil
}

// Leads returns where a Request within d goes: host:port. sipgo's Destination looks through
// all header fields for a Route even if there is none.
func Leads(d *dialogstore.Dialog, req *sip.Request) string {
	if len(d.RouteSet) > 0 {
		return req.Destination()
	}
	port := req.Recipient.Port
	if port == 0 {
		port = sip.DefaultPort(req.Transport())
	}
	return req.Recipient.Host + ":" + strconv.Itoa(port)
}

// setLocalAddr sends req from the socket that the dialog uses, so that it crosses the
// same NAT bindings.
func setLocalAddr(req *sip.Request, d *dialogstore.Dialog) {
	// A stream is found by its remote address. The local one may be that of a listener,
	// which many streams share.
	if sip.IsReliable(d.Transport) || d.LocalAddr == "" {
		return
	}
	if laddr, ok := sipmsg.Addr(d.LocalAddr); ok {
		req.Laddr = laddr
	}
}

func looseRoute(route string) bool {
	spec, _ := addrSpec(route)
	var uri sip.Uri
	if err := sip.ParseUri(spec, &uri); err != nil {
		return true
	}
	return uri.UriParams.Has("lr")
}

// addrSpec returns the URI of a name-addr, or all that may be one without brackets. Within
// quotes a display name may have brackets, too (RFC 3261 §25.1). closed is false if the
// closing bracket is missing.
func addrSpec(text string) (uri string, closed bool) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == '<' && !quoted:
			uri, _, closed = strings.Cut(text[i+1:], ">")
			return uri, closed
		}
	}
	return text, true
}
