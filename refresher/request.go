package refresher

import (
	"fmt"
	"net"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// NewRequest builds a request within d (RFC 3261 §12.2.1.1) from nothing but
// the stored value. It lacks the Via, and its CSeq number is 0; the pipeline
// sets both.
func NewRequest(d dialogstore.Dialog, method sip.RequestMethod) (*sip.Request, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	target, routes, err := d.RemoteTarget, d.RouteSet, error(nil)
	if len(routes) > 0 && !looseRoute(routes[0]) {
		// A strict router wants its own URI as the Request-URI and the target last.
		target = addrSpec(routes[0])
		routes = append(append([]string{}, routes[1:]...), "<"+d.RemoteTarget+">")
	}
	var uri sip.Uri
	if err = sip.ParseUri(target, &uri); err != nil {
		return nil, fmt.Errorf("refresher: remote target %q: %w", target, err)
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
	route(req, d)
	return req, nil
}

// refreshRequest is NewRequest with the extensions that the first request listed
// and, in a re-INVITE, the session description that was sent last, byte for byte
// (RFC 4028 §7.4).
func refreshRequest(d dialogstore.Dialog, method sip.RequestMethod) (*sip.Request, error) {
	req, err := NewRequest(d, method)
	if err != nil {
		return nil, err
	}
	for _, h := range [][2]string{{"Supported", d.Supported}, {"Require", d.Require}, {"Proxy-Require", d.ProxyRequire}} {
		if h[1] != "" {
			req.AppendHeader(sip.NewHeader(h[0], h[1]))
		}
	}
	if method != sip.INVITE {
		return req, nil
	}
	req.AppendHeader(sip.NewHeader("Content-Type", d.SDPType))
	req.SetBody(d.SDP)
	return req, nil
}

// route sends req from the socket and to the address that the dialog uses, so
// that it crosses the same NAT bindings.
func route(req *sip.Request, d dialogstore.Dialog) {
	if d.Destination != "" {
		req.SetDestination(d.Destination)
	}
	// A stream is found by its far end; the near address may be a listener's,
	// which many streams share.
	if sip.IsReliable(d.Transport) || d.LocalAddr == "" {
		return
	}
	if host, port, err := sip.ParseAddr(d.LocalAddr); err == nil {
		req.Laddr = sip.Addr{IP: net.ParseIP(host), Port: port, Hostname: host}
	}
}

func looseRoute(route string) bool {
	var uri sip.Uri
	if err := sip.ParseUri(addrSpec(route), &uri); err != nil {
		return true
	}
	return uri.UriParams.Has("lr")
}

// addrSpec cuts the URI out of <URI>;params.
func addrSpec(nameAddr string) string {
	if i := strings.IndexByte(nameAddr, '<'); i >= 0 {
		nameAddr = nameAddr[i+1:]
		if j := strings.IndexByte(nameAddr, '>'); j >= 0 {
			return nameAddr[:j]
		}
	}
	return nameAddr
}
