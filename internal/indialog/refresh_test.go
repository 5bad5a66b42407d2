package indialog

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Trap11, D-13: a re-INVITE offers the very bytes that were sent last. D-12: an UPDATE
// has no body. D-07: both list what the first request listed.
func TestRequestBody(t *testing.T) {
	d := dialog("body")
	d.SDP = []byte("v=0\r\no=l 1 7 IN IP4 10.0.0.1\r\na=sendonly\r\n\x00odd\n")
	d.Supported, d.Require, d.ProxyRequire = "replaces", "100rel", "sec-agree"
	for _, c := range []struct {
		method       sessiontimer.Method
		name         string
		body, ofType string
	}{
		{sessiontimer.MethodReInvite, "INVITE", string(d.SDP), "application/sdp"},
		{sessiontimer.MethodUpdate, "UPDATE", "", ""},
	} {
		req, err := Refresh(&d, c.method)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{string(req.Method), string(req.Body())}
		for _, name := range []string{"Content-Type", "Supported", "Require", "Proxy-Require"} {
			value := ""
			if h := req.GetHeader(name); h != nil {
				value = h.Value()
			}
			got = append(got, value)
		}
		if diff := cmp.Diff([]string{c.name, c.body, c.ofType, "replaces", "100rel", "sec-agree"}, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.method, diff)
		}
	}
}

// D-11, RFC 4028 §7.4: which method comes first, and whether the other one may follow.
func TestMethod(t *testing.T) {
	const update, invite = sessiontimer.MethodUpdate, sessiontimer.MethodReInvite
	for _, c := range []struct {
		name          string
		call          func(*dialogstore.Dialog)
		want          sessiontimer.Method
		update, other bool // UPDATE may follow a re-INVITE, a re-INVITE an UPDATE
	}{
		{"allowed", func(*dialogstore.Dialog) {}, update, true, true},
		{"not allowed", func(d *dialogstore.Dialog) { d.PeerUpdate = false }, invite, false, true},
		{"allowed and refused", func(d *dialogstore.Dialog) { d.NoUpdate = true }, invite, false, true},
		{"re-INVITE wanted", func(d *dialogstore.Dialog) { d.Policy.Method = invite }, invite, true, true},
		{"UPDATE wanted, not allowed", func(d *dialogstore.Dialog) { d.Policy.Method, d.PeerUpdate = update, false }, update, false, true},
		{"UPDATE wanted and refused", func(d *dialogstore.Dialog) { d.Policy.Method, d.NoUpdate = update, true }, invite, false, true},
		{"nothing to re-INVITE with", func(d *dialogstore.Dialog) { d.SDP, d.Policy.Method = nil, invite }, update, true, false},
		{"nor UPDATE allowed", func(d *dialogstore.Dialog) { d.SDP, d.PeerUpdate = nil, false }, update, false, false},
	} {
		d := dialog("method")
		c.call(&d)
		if got := Method(&d); got != c.want {
			t.Errorf("%s: refreshed by %v, want %v", c.name, got, c.want)
		}
		if got := [2]bool{Alternative(&d, invite), Alternative(&d, update)}; got != [2]bool{c.update, c.other} {
			t.Errorf("%s: UPDATE and re-INVITE as the other method: %v, want %v", c.name, got, [2]bool{c.update, c.other})
		}
	}
}
