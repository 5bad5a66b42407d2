package sipmsg

import (
	"testing"

	"github.com/emiago/sipgo/sip"
)

// A Contact is completed only where it says less than Via, and nothing else.
func TestCompleteContact(t *testing.T) {
	for _, c := range []struct {
		name, host string
		port       int
		want       string
	}{
		{"nothing", "", 0, "<sip:us@10.0.0.2:5070>"},
		{"no port", "10.0.0.2", 0, "<sip:us@10.0.0.2:5070>"},
		{"another host", "example.com", 0, "<sip:us@example.com>"},
		{"a port", "10.0.0.2", 5080, "<sip:us@10.0.0.2:5080>"},
	} {
		req := sip.NewRequest(sip.INVITE, sip.Uri{Scheme: "sip", Host: "10.0.0.9"})
		req.AppendHeader(&sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: "UDP", Host: "10.0.0.2", Port: 5070})
		contact := sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "us", Host: c.host, Port: c.port}}
		req.AppendHeader(&contact)
		if CompleteContact(req); contact.Value() != c.want {
			t.Errorf("%s: %s, want %s", c.name, contact.Value(), c.want)
		}
	}
	for _, lines := range [][]sip.Header{nil, {&sip.ContactHeader{}}} { // no Via, no Contact
		req := sip.NewRequest(sip.INVITE, sip.Uri{Scheme: "sip", Host: "10.0.0.9"})
		for _, h := range lines {
			req.AppendHeader(h)
		}
		CompleteContact(req)
	}
}
