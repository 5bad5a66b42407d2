package indialog

import (
	"slices"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// dialog is one that may be refreshed by UPDATE or re-INVITE.
func dialog(callID string) dialogstore.Dialog {
	return dialogstore.Dialog{
		Origin: dialogstore.Origin{
			ID:        dialogstore.ID{CallID: callID, LocalTag: "l", RemoteTag: "r"},
			LocalURI:  "<sip:l@10.0.0.1>;tag=l",
			RemoteURI: "<sip:r@10.0.0.2>;tag=r",
			Transport: "udp",
			Policy:    sessiontimer.DefaultPolicy(),
		},
		State: dialogstore.State{
			RemoteTarget: "sip:r@10.0.0.2:5060",
			Contact:      "<sip:l@10.0.0.1:5060>",
			SDP:          []byte("v=0\r\n"),
			SDPType:      "application/sdp",
			PeerUpdate:   true,
		},
	}
}

// D-16: Request-URI, Route and next hop by the route set (RFC 3261 §12.2.1.1).
func TestRequestRoutes(t *testing.T) {
	const target = "sip:r@10.0.0.2:5062"
	for _, c := range []struct {
		name   string
		routes []string
		uri    string
		route  []string
		to     string
	}{
		{"no route", nil, target, nil, "10.0.0.2:5062"},
		{"D-16 loose", []string{"<sip:p1.example:5070;lr>", "<sip:p2.example;lr>"}, target,
			[]string{"<sip:p1.example:5070;lr>", "<sip:p2.example;lr>"}, "p1.example:5070"},
		{"D-16 strict", []string{"<sip:p1.example:5070>", "<sip:p2.example;lr>"}, "sip:p1.example:5070",
			[]string{"<sip:p2.example;lr>", "<" + target + ">"}, "p1.example:5070"},
		{"D-16 strict alone", []string{"<sip:p1.example:5070>"}, "sip:p1.example:5070", []string{"<" + target + ">"}, "p1.example:5070"},
		{"name and parameters around", []string{`"P, 1" <sip:p1.example:5070;lr>;x=y`}, target,
			[]string{`"P, 1" <sip:p1.example:5070;lr>;x=y`}, "p1.example:5070"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := dialog("route")
			d.RemoteTarget, d.RouteSet = target, c.routes
			before := slices.Clone(c.routes)
			req, err := Request(&d, sip.UPDATE)
			if err != nil {
				t.Fatal(err)
			}
			if got := req.Recipient.String(); got != c.uri {
				t.Errorf("Request-URI is %s, want %s", got, c.uri)
			}
			var routes []string
			for _, h := range req.GetHeaders("Route") {
				routes = append(routes, h.Value())
			}
			if diff := cmp.Diff(c.route, routes); diff != "" {
				t.Errorf("Route (-want +got):\n%s", diff)
			}
			if got := req.Destination(); got != c.to {
				t.Errorf("the request goes to %s, want %s", got, c.to)
			}
			if diff := cmp.Diff(before, d.RouteSet); diff != "" {
				t.Errorf("the stored route set changed (-want +got):\n%s", diff)
			}
		})
	}
}

// D-12, D-16: the header fields of a request within the dialog, and its body.
func TestRequestFields(t *testing.T) {
	d := dialog("fields")
	d.LocalAddr = "10.0.0.1:5060"
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.BYE, sip.ACK} {
		req, err := Request(&d, method)
		if err != nil {
			t.Fatal(err)
		}
		contact := "Contact: <sip:l@10.0.0.1:5060>\r\n"
		if method == sip.BYE {
			contact = ""
		}
		want := string(method) + " sip:r@10.0.0.2:5060 SIP/2.0\r\n" +
			"Max-Forwards: 70\r\nFrom: <sip:l@10.0.0.1>;tag=l\r\nTo: <sip:r@10.0.0.2>;tag=r\r\n" +
			"Call-ID: fields\r\nCSeq: 0 " + string(method) + "\r\n" + contact + "Content-Length: 0\r\n\r\n"
		if diff := cmp.Diff(want, req.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", method, diff)
		}
		if req.Laddr.Port != 5060 || req.Laddr.IP.String() != "10.0.0.1" {
			t.Errorf("%s is sent from %v, want the dialog's socket", method, req.Laddr)
		}
	}
	d.Transport = "tcp"
	if req, err := Request(&d, sip.UPDATE); err != nil || req.Laddr.Port != 0 || req.Transport() != "TCP" {
		t.Errorf("over TCP: from %v, transport %s, %v; want the stream to be found by its far end", req.Laddr, req.Transport(), err)
	}
	d.RemoteTarget = "no uri"
	if _, err := Request(&d, sip.UPDATE); err == nil || !strings.Contains(err.Error(), "no uri") {
		t.Errorf("a target that is no URI gives %v, want an error that shows it", err)
	}
}

// Leads is where sipgo's Destination says, for each kind of target.
func TestLeads(t *testing.T) {
	for _, c := range []struct{ transport, target, route, want string }{
		{"udp", "sip:bob@10.0.0.2", "", "10.0.0.2:5060"},
		{"udp", "sip:bob@10.0.0.2:5070", "", "10.0.0.2:5070"},
		{"tls", "sips:bob@example.com", "", "example.com:5061"},
		{"ws", "sip:bob@example.com;transport=ws", "", "example.com:80"},
		{"tcp", "sip:bob@[2001:db8::1]", "", "[2001:db8::1]:5060"},
		{"udp", "sip:bob@10.0.0.2", "<sip:10.0.0.9:5080;lr>", "10.0.0.9:5080"},
		{"udp", "sip:bob@10.0.0.2", "<sip:10.0.0.9>", "10.0.0.9:5060"}, // a strict router
	} {
		var d dialogstore.Dialog
		d.Transport, d.RemoteTarget = c.transport, c.target
		d.LocalURI, d.RemoteURI = "<sip:alice@10.0.0.1>;tag=a", "<sip:bob@10.0.0.2>;tag=b"
		d.ID = dialogstore.ID{CallID: "c", LocalTag: "a", RemoteTag: "b"}
		if c.route != "" {
			d.RouteSet = []string{c.route}
		}
		req, err := Request(&d, sip.UPDATE)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if got := Leads(&d, req); got != c.want || got != req.Destination() {
			t.Errorf("%s over %s, Route %q: leads to %s, sipgo says %s, want %s", c.target, c.transport, c.route, got, req.Destination(), c.want)
		}
	}
}
