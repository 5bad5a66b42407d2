package client

import (
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

func uri(t *testing.T, s string) (u sip.Uri) {
	t.Helper()
	if err := sip.ParseUri(s, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

// A request that does not know where the peer has moved goes to where its own URI leads,
// or to another port there. Any other place is the application's choice.
func TestOfTarget(t *testing.T) {
	for _, c := range []struct {
		name, uri, pinned, target string
		want                      bool
	}{
		{"its URI", "sip:peer@10.0.0.9", "10.0.0.9:5060", "sip:peer@10.0.0.8", true},
		{"another port there", "sip:peer@10.0.0.9", "10.0.0.9:40000", "sip:peer@10.0.0.8", true},
		{"a name", "sip:peer@example.com", "example.com:5060", "sip:peer@10.0.0.8", true},
		{"IPv6", "sip:peer@[2001:db8::9]", "[2001:db8::9]:40000", "sip:peer@10.0.0.8", true},
		{"a proxy", "sip:peer@10.0.0.9", "10.0.0.7:5060", "sip:peer@10.0.0.8", false},
		{"it knows the target", "sip:peer@10.0.0.9", "10.0.0.9:5060", "sip:peer@10.0.0.9", false},
		{"no address", "sip:peer@10.0.0.9", "10.0.0.9:port", "sip:peer@10.0.0.8", false},
	} {
		target := uri(t, c.target)
		if got := ofTarget(c.pinned, sip.NewRequest(sip.INFO, uri(t, c.uri)), &target); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}

// Where the application sends is a wish if nothing else leads there.
func TestDestination(t *testing.T) {
	for _, c := range []struct {
		name, pinned string
		routes       []string
		want         string
	}{
		{"none", "", nil, ""},
		{"a place of its own", "10.0.0.7:5060", nil, "10.0.0.7:5060"},
		{"where its URI leads", "10.0.0.9:5060", nil, ""},
		{"another port there", "10.0.0.9:5070", nil, "10.0.0.9:5070"},
		{"the route set leads (RFC 3261 §12.2.1.1)", "10.0.0.7:5060", []string{"<sip:10.0.0.7;lr>"}, ""},
	} {
		req := sip.NewRequest(sip.ACK, uri(t, "sip:peer@10.0.0.9"))
		if c.pinned != "" {
			req.SetDestination(c.pinned)
		}
		var d dialogstore.Dialog
		d.RouteSet = c.routes
		if got := destination(req, d); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
