package sipmsg

import "testing"

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
