package sipmsg

import (
	"errors"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// The bounds of what is kept of a dialog, each from both sides.
func TestKeepable(t *testing.T) {
	tagged := func(tag string) sip.HeaderParams {
		p := sip.NewParams()
		p.Add("tag", tag)
		return p
	}
	from := func(tag string) sip.Header {
		return &sip.FromHeader{Address: sip.Uri{Scheme: "sip", Host: "h"}, Params: tagged(tag)}
	}
	to := func(tag string) sip.Header {
		return &sip.ToHeader{Address: sip.Uri{Scheme: "sip", Host: "h"}, Params: tagged(tag)}
	}
	contact := func(u sip.Uri) sip.Header { return &sip.ContactHeader{Address: u} }
	callID := func(id string) sip.Header { h := sip.CallIDHeader(id); return &h }
	routes := func(n int) (all []sip.Header) {
		for range n {
			all = append(all, sip.NewHeader("record-route", "<sip:p;lr>"))
		}
		return all
	}
	long := strings.Repeat("x", maxID)
	tel := func(digits int) (u sip.Uri) {
		if err := sip.ParseUri("tel:"+strings.Repeat("1", digits), &u); err != nil {
			t.Fatal(err)
		}
		return u
	}
	const most = maxNames - len("tel:")
	for _, c := range []struct {
		name    string
		headers []sip.Header
		want    error
	}{
		{"the longest Call-ID", []sip.Header{callID(long)}, nil},
		{"a longer Call-ID", []sip.Header{callID(long + "x")}, errLongID},
		{"the longest From tag", []sip.Header{from(long)}, nil},
		{"a longer From tag", []sip.Header{from(long + "x")}, errLongID},
		{"the longest To tag", []sip.Header{to(long)}, nil},
		{"a longer To tag", []sip.Header{to(long + "x")}, errLongID},
		{"70 routes", routes(maxRoutes), nil},
		{"71 routes", routes(maxRoutes + 1), ErrRoutes},
		{"8192 bytes", []sip.Header{contact(sip.Uri{User: strings.Repeat("u", maxNames)})}, nil},
		{"8193 bytes", []sip.Header{contact(sip.Uri{User: strings.Repeat("u", maxNames), Host: "h"})}, errLong},
		{"8193 bytes, with a password", []sip.Header{contact(sip.Uri{User: strings.Repeat("u", maxNames), Password: "p"})}, errLong},
		{"8192 bytes of a tel URI", []sip.Header{contact(tel(most))}, nil},
		{"8193 bytes of a tel URI", []sip.Header{contact(tel(most + 1))}, errLong},
		{"8193 bytes in two header fields", []sip.Header{contact(tel(most)), callID("x")}, errLong},
		{"a space", []sip.Header{callID("a b")}, nil},
		{"the last control character", []sip.Header{callID("a\x1fb")}, errControls},
		{"DEL", []sip.Header{callID("a\x7fb")}, errControls},
		{"a control character in a user", []sip.Header{contact(sip.Uri{User: "a\nb"})}, errControls},
		{"a control character in a name, text after it", []sip.Header{&sip.ContactHeader{DisplayName: "\n", Address: sip.Uri{Host: "h"}}}, errControls},
		{"a control character in a parameter", []sip.Header{from("a\nb")}, errControls},
		{"a control character in a route", []sip.Header{sip.NewHeader("Record-Route", "<sip:p\n>")}, errControls},
		{"a control character elsewhere", []sip.Header{sip.NewHeader("Subject", "a\nb")}, nil},
	} {
		m := sip.NewResponse(200, "OK")
		for _, h := range c.headers {
			m.AppendHeader(h)
		}
		if got := Keepable(m); !errors.Is(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// A Contact is a target unless it is a wildcard or exceeds the bounds.
func TestTarget(t *testing.T) {
	for _, c := range []struct {
		name    string
		contact *sip.ContactHeader
		want    bool
	}{
		{"none", nil, false},
		{"one", &sip.ContactHeader{Address: sip.Uri{Host: "h"}}, true},
		{"a wildcard", &sip.ContactHeader{Address: sip.Uri{Wildcard: true}}, false},
		{"the longest", &sip.ContactHeader{Address: sip.Uri{Host: strings.Repeat("h", maxNames)}}, true},
		{"too long", &sip.ContactHeader{Address: sip.Uri{Host: strings.Repeat("h", maxNames+1)}}, false},
		{"control characters", &sip.ContactHeader{Address: sip.Uri{Host: "h\n"}}, false},
	} {
		if got := Target(c.contact); (got != nil) != c.want || c.want && got != &c.contact.Address {
			t.Errorf("%s: %v, want a target: %t", c.name, got, c.want)
		}
	}
}
