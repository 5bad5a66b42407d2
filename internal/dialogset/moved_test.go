package dialogset

import (
	"testing"

	"github.com/emiago/sipgo/sip"
)

// What the application knows is no news: the same Contact, where the peer was seen
// before or where the application sends anyway.
func TestMoved(t *testing.T) {
	const contact, source, chosen, other = "sip:peer@10.0.0.9", "10.0.0.9:51000", "10.0.0.7:5060", "10.0.0.9:52000"
	known := Whereabouts{Target: contact, Source: source, Destination: chosen}
	for _, c := range []struct {
		name, text, place string
		moved             bool
	}{
		{"the same", contact, "", false},
		{"seen there before", contact, source, false},
		{"the application sends there", contact, chosen, false},
		{"seen elsewhere", contact, other, true},
		{"another Contact", "sip:peer@10.0.0.8", "", true},
	} {
		var d Dialog
		d.Moved(known, &sip.Uri{Scheme: "sip", Host: "10.0.0.9"}, c.text, c.place, func() string { return "10.0.0.1:5060" })
		target, former, from := d.Elsewhere(sip.NewRequest(sip.BYE, sip.Uri{}))
		if (target != nil) != c.moved {
			t.Errorf("%s: moved is %v", c.name, target != nil)
		}
		if c.moved && (former != source || from != "10.0.0.1:5060") {
			t.Errorf("%s: it was at %q, our socket is %q", c.name, former, from)
		}
	}
}

// Where the peer has moved is no matter to a request that a strict router passes on (RFC
// 3261 §16.6).
func TestElsewhere(t *testing.T) {
	var d Dialog
	d.Moved(Whereabouts{Source: "10.0.0.9:5060"}, &sip.Uri{Scheme: "sip", Host: "10.0.0.8"}, "sip:peer@10.0.0.8", "", func() string { return "10.0.0.1:5060" })
	loose := sip.NewParams()
	loose.Add("lr", "")
	other := sip.NewParams()
	other.Add("x", "y")
	for _, c := range []struct {
		name  string
		route *sip.RouteHeader
		want  bool
	}{
		{"no route", nil, true},
		{"a loose router", &sip.RouteHeader{Address: sip.Uri{Host: "10.0.0.7", UriParams: loose}}, true},
		{"a strict router", &sip.RouteHeader{Address: sip.Uri{Host: "10.0.0.7"}}, false},
		{"a strict router with a parameter", &sip.RouteHeader{Address: sip.Uri{Host: "10.0.0.7", UriParams: other}}, false},
	} {
		req := sip.NewRequest(sip.BYE, sip.Uri{})
		if c.route != nil {
			req.AppendHeader(c.route)
		}
		target, former, from := d.Elsewhere(req)
		if moved := target != nil && former == "10.0.0.9:5060" && from == "10.0.0.1:5060"; moved != c.want || !moved && (target != nil || former+from != "") {
			t.Errorf("%s: %v, %q, %q; want the new place: %t", c.name, target, former, from, c.want)
		}
	}
}
