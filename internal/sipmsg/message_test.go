package sipmsg

import (
	"testing"

	"github.com/emiago/sipgo/sip"
)

// What a message lacks is empty, also where sipgo has nil.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		name              string
		m                 sip.Message
		callID, from, tag string
	}{
		{"nothing", sip.NewResponse(200, "OK"), "", "", ""},
		{"all", invite(t, "Call-ID: c1", "From: <sip:a@h>;tag=f1", "To: <sip:b@h>;tag=t1"), "c1", "f1", "t1"},
		{"compact", invite(t, "i: c1", "f: <sip:a@h>;tag=f1", "t: <sip:b@h>;tag=t1"), "c1", "f1", "t1"},
		{"a first INVITE", invite(t, "Call-ID: c1", "From: <sip:a@h>;tag=f1", "To: <sip:b@h>"), "c1", "f1", ""},
		{"From without a tag (RFC 2543)", invite(t, "Call-ID: c1", "From: <sip:a@h>", "To: <sip:b@h>;tag=t1"), "c1", "", "t1"},
	} {
		if call, from, to := CallID(c.m), FromTag(c.m), ToTag(c.m); call != c.callID || from != c.from || to != c.tag {
			t.Errorf("%s: %q, %q, %q; want %q, %q, %q", c.name, call, from, to, c.callID, c.from, c.tag)
		}
	}
}

// RFC 3261 §20.15: a Content-Type means nothing without a body.
func TestContentType(t *testing.T) {
	for _, c := range []struct{ field, body, want string }{
		{"Content-Type: application/sdp", "v=0", "application/sdp"},
		{"c: multipart/mixed;boundary=x", "--x", "multipart/mixed;boundary=x"},
		{"Content-Type: application/sdp", "", ""},
		{"Allow: BYE", "v=0", ""},
	} {
		m := invite(t, c.field)
		m.SetBody([]byte(c.body))
		if got := ContentType(m); got != c.want {
			t.Errorf("%q with the body %q: %q, want %q", c.field, c.body, got, c.want)
		}
	}
}
