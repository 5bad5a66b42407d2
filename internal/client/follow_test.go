package client

import (
	"testing"

	"github.com/emiago/sipgo/sip"
)

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
