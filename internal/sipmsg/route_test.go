package sipmsg

import (
	"slices"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// RFC 3261 §12.1: the route set has every entry of every Record-Route in order, whether the
// parser has split the field or not.
func TestRouteSet(t *testing.T) {
	const near, far = "<sip:near;lr>", "<sip:far;lr>"
	recorded := func(value string) sip.Header { return sip.NewHeader("Record-Route", value) }
	for _, c := range []struct {
		name   string
		fields []sip.Header
		want   []string
	}{
		{"none", []sip.Header{sip.NewHeader("Route", near)}, nil},
		{"parsed", []sip.Header{
			&sip.RecordRouteHeader{Address: sip.Uri{Scheme: "sip", Host: "near"}},
			&sip.RecordRouteHeader{Address: sip.Uri{Scheme: "sip", User: "a,b", Host: "far"}},
		}, []string{"<sip:near>", "<sip:a,b@far>"}},
		{"one in each field", []sip.Header{recorded(near), sip.NewHeader("record-route", far)}, []string{near, far}},
		{"a list", []sip.Header{recorded(near + " ,\t" + far + ";x=1"), recorded("<sip:third;lr>")}, []string{near, far + ";x=1", "<sip:third;lr>"}},
		{"a comma in a URI", []sip.Header{recorded("<sip:a,b@near;lr>," + far)}, []string{"<sip:a,b@near;lr>", far}},
		{"a comma in a name", []sip.Header{recorded(`"Near, or not" ` + near + "," + far)}, []string{`"Near, or not" ` + near, far}},
		{"a quote in a name", []sip.Header{recorded(`"a \" b, c \\" ` + near + "," + far)}, []string{`"a \" b, c \\" ` + near, far}},
		{"brackets in a name", []sip.Header{recorded(`"<" ` + near + `,">" ` + far)}, []string{`"<" ` + near, `">" ` + far}},
	} {
		m := sip.NewRequest(sip.INVITE, sip.Uri{Scheme: "sip", Host: "us"})
		for _, h := range c.fields {
			m.AppendHeader(h)
		}
		if got := RouteSet(m, false); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		slices.Reverse(c.want)
		if got := RouteSet(m, true); !slices.Equal(got, c.want) {
			t.Errorf("%s, seen from the caller: %q, want %q", c.name, got, c.want)
		}
	}
}

// A relocated Contact keeps everything but its host and port.
func TestRelocated(t *testing.T) {
	for _, c := range []struct{ name, contact, want string }{
		{"a URI in brackets", `"Us" <sip:us@10.0.0.2:5060;transport=tcp>;expires=60`, `"Us" <sip:us@10.0.0.3:5070;transport=tcp>;expires=60`},
		{"a bare URI", "sip:us@10.0.0.2;expires=60", "<sip:us@10.0.0.3:5070>;expires=60"},
		{"no port", "<sip:us@10.0.0.3>", "<sip:us@10.0.0.3:5070>"},
		{"another host", "<sip:us@10.0.0.2:5070>", "<sip:us@10.0.0.3:5070>"},
		{"there already", "<sip:us@10.0.0.3:5070>", ""},
		{"none", "", ""},
		{"no URI", "<us>", ""},
	} {
		if got := Relocated(c.contact, "10.0.0.3", 5070); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
