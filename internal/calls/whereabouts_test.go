package calls

import (
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
)

// RFC 3261 §12.2: the Contact of an accepted request is where the application's next request
// goes, unless the application knows that already. Where the peer was before is kept, too.
func TestPeerMoves(t *testing.T) {
	for _, c := range []struct {
		name, contact, source string // of the request
		want                  string // host and port of the new target; empty if nothing is new
	}{
		{"where it was", "Contact: <sip:peer@10.0.0.9:5080>", "10.0.0.9:5080", ""},
		{"no Contact", "", "10.0.0.8:5080", ""},
		{"another Contact", "Contact: <sip:peer@10.0.0.8:5080>", "10.0.0.8:5080", "10.0.0.8:5080"},
		{"behind a NAT that has moved it", "Contact: <sip:peer@10.0.0.9:5080>", "203.0.113.7:40000", "10.0.0.9:5080"},
		{"behind a NAT where it was", "Contact: <sip:peer@10.0.0.9:5080>", "203.0.113.5:40000", ""},
		{"behind a NAT where the application sends", "Contact: <sip:peer@10.0.0.9:5080>", "203.0.113.6:40000", ""},
		{"behind a NAT that has moved it, no Contact", "", "203.0.113.7:40000", ""},
	} {
		lines := renewalLines("UPDATE", nil)
		if c.contact != "" {
			lines = append(lines, c.contact)
		}
		req := parse[*sip.Request](t, lines...)
		req.SetTransport("UDP")
		req.SetSource(c.source)
		d := ofPeer()
		d.Transport, d.Source, d.Behind, d.Destination = "udp", "203.0.113.5:40000", true, "203.0.113.6:40000"
		var flight dialogset.Dialog
		Moved(&flight, &d, indialog.SightingOf(req), func() string { return "10.0.0.2:5070" })
		target, former, from := flight.Elsewhere(sip.NewRequest(sip.BYE, sip.Uri{}))
		if c.want == "" {
			if target != nil {
				t.Errorf("%s: the application's requests go to %v, want where they go anyway", c.name, target)
			}
			continue
		}
		if target == nil || target.HostPort() != c.want || former != "203.0.113.5:40000" || from != "10.0.0.2:5070" {
			t.Errorf("%s: at %v, before that at %q, from our %q; want %s, 203.0.113.5:40000, 10.0.0.2:5070", c.name, target, former, from, c.want)
		}
	}
}
