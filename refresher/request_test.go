package refresher_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// D-16: Request-URI, Route and next hop by the route set (RFC 3261 §12.2.1.1).
func TestRequestRoutes(t *testing.T) {
	const target = "sip:r@10.0.0.2:5062"
	for _, c := range []struct {
		name        string
		routes      []string
		destination string
		uri         string
		route       []string
		to          string
	}{
		{"no route", nil, "", target, nil, "10.0.0.2:5062"},
		{"D-16 loose", []string{"<sip:p1.example:5070;lr>", "<sip:p2.example;lr>"}, "", target,
			[]string{"<sip:p1.example:5070;lr>", "<sip:p2.example;lr>"}, "p1.example:5070"},
		{"D-16 strict", []string{"<sip:p1.example:5070>", "<sip:p2.example;lr>"}, "", "sip:p1.example:5070",
			[]string{"<sip:p2.example;lr>", "<" + target + ">"}, "p1.example:5070"},
		{"D-16 strict alone", []string{"<sip:p1.example:5070>"}, "", "sip:p1.example:5070", []string{"<" + target + ">"}, "p1.example:5070"},
		{"name and parameters around", []string{`"P, 1" <sip:p1.example:5070;lr>;x=y`}, "", target,
			[]string{`"P, 1" <sip:p1.example:5070;lr>;x=y`}, "p1.example:5070"},
		{"Trap16 behind a NAT", nil, "192.0.2.7:40000", target, nil, "192.0.2.7:40000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := call("route", time.Hour)
			d.RemoteTarget, d.RouteSet, d.Destination = target, c.routes, c.destination
			before := slices.Clone(c.routes)
			req, err := refresher.NewRequest(d, sip.UPDATE)
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
	d := call("fields", time.Hour)
	d.LocalAddr = "10.0.0.1:5060"
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.BYE, sip.ACK} {
		req, err := refresher.NewRequest(d, method)
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
	if req, err := refresher.NewRequest(d, sip.UPDATE); err != nil || req.Laddr.Port != 0 || req.Transport() != "TCP" {
		t.Errorf("over TCP: from %v, transport %s, %v; want the stream to be found by its far end", req.Laddr, req.Transport(), err)
	}
	d.RemoteTarget = "no uri"
	if _, err := refresher.NewRequest(d, sip.UPDATE); err == nil || !strings.Contains(err.Error(), "no uri") {
		t.Errorf("a target that is no URI gives %v, want an error that shows it", err)
	}
}

// Trap11, D-13: a re-INVITE offers the very bytes that were sent last.
func TestRequestBody(t *testing.T) {
	inLab(t, func(l *lab) {
		sdp := []byte("v=0\r\no=l 1 7 IN IP4 10.0.0.1\r\na=sendonly\r\n\x00odd\n")
		var body []byte
		l.answer = always(200)
		d := call("body", 90*time.Second)
		d.SDP, d.PeerUpdate = sdp, false
		l.sent = func(req *sip.Request) {
			body = req.Body()
			if got := req.ContentType(); got == nil || got.Value() != "application/sdp" {
				t.Errorf("Content-Type is %v, want application/sdp", got)
			}
		}
		l.create(d)
		l.run(46 * time.Second)
		if string(body) != string(sdp) {
			t.Errorf("offered %q, want %q", body, sdp)
		}
	})
}

// Without a session description there is nothing to re-INVITE with.
func TestRequestWithoutSDP(t *testing.T) {
	inLab(t, func(l *lab) {
		l.answer = always(405)
		d := call("no SDP", 1800*time.Second)
		d.SDP, d.PeerUpdate = nil, false
		l.create(d)
		attempts, hangups := l.run(1799 * time.Second)
		if len(attempts) != 1 || attempts[0].method != sip.UPDATE || len(hangups) != 0 {
			t.Errorf("tried %v, hung up %v; want one UPDATE, and the call up until it expires", attempts, hangups)
		}
		if d, err := l.store.Load(context.Background(), d.ID); err != nil || !d.NoUpdate {
			t.Errorf("the refused UPDATE is not remembered: %v", err)
		}
	})
}
