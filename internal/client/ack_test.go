package client

import (
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

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
