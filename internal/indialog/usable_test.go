package indialog

import (
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// What may come from a registry, and what may not.
// A scheme has letters, digits, "+", "-" and "." (RFC 3261 §25.1).
func TestNamesURI(t *testing.T) {
	for scheme, want := range map[string]bool{"aAzZ09+-.": true, "": false, "a b": false, "a@": false, "a[": false, "a`": false, "a{": false, "a/": false, "a;": false, "é": false} {
		if got := namesURI(scheme + ":b"); got != want {
			t.Errorf("%q is a scheme: %t, want %t", scheme, got, want)
		}
	}
}

func TestUsable(t *testing.T) {
	long := func(n int) string { return strings.Repeat("a", n) }
	for name, change := range map[string]func(d *dialogstore.Dialog){
		"":                  func(*dialogstore.Dialog) {},
		"no Contact":        func(d *dialogstore.Dialog) { d.Contact = "" },
		"a tel URI":         func(d *dialogstore.Dialog) { d.RemoteURI = `"Zoë" <tel:+491234>;tag=r` },
		"an IPv6 target":    func(d *dialogstore.Dialog) { d.RemoteTarget = "sips:[2001:db8::1]:5061;transport=tls" },
		"a strict router":   func(d *dialogstore.Dialog) { d.RouteSet = []string{"<sip:p.example.com>", "<sip:q.example.com;lr>"} },
		"a long Contact":    func(d *dialogstore.Dialog) { d.Contact = "<sip:" + long(8000) + "@10.0.0.1>" },
		"an addr-spec":      func(d *dialogstore.Dialog) { d.LocalURI = "sip:l@10.0.0.1;tag=l" },
		"a long Call-ID":    func(d *dialogstore.Dialog) { d.CallID = long(512) },
		"no session":        func(d *dialogstore.Dialog) { d.SDP, d.PeerSDP = nil, nil },
		"a full datagram":   func(d *dialogstore.Dialog) { d.SDP = []byte(long(1 << 16)) },
		"quotes and commas": func(d *dialogstore.Dialog) { d.RemoteURI = `"a, \"b\" <c>" <sip:r@10.0.0.2>;tag=r` },
	} {
		d := dialog("call")
		change(&d)
		if err := Usable(&d); err != nil {
			t.Errorf("%s: %v, want it usable", name, err)
		}
	}
	for name, change := range map[string]func(d *dialogstore.Dialog){
		"no target":             func(d *dialogstore.Dialog) { d.RemoteTarget = "" },
		"a target without URI":  func(d *dialogstore.Dialog) { d.RemoteTarget = "r@10.0.0.2 5060" },
		"a CR in the target":    func(d *dialogstore.Dialog) { d.RemoteTarget = "sip:r@10.0.0.2\r\nX: y" },
		"a NUL in a route":      func(d *dialogstore.Dialog) { d.RouteSet = []string{"<sip:p\x00;lr>"} },
		"no From":               func(d *dialogstore.Dialog) { d.LocalURI = "" },
		"a From without URI":    func(d *dialogstore.Dialog) { d.LocalURI = "<>;tag=l" },
		"a To that is open":     func(d *dialogstore.Dialog) { d.RemoteURI = "<sip:r@10.0.0.2" },
		"a Contact without URI": func(d *dialogstore.Dialog) { d.Contact = "<l>" },
		"a route without URI":   func(d *dialogstore.Dialog) { d.RouteSet = []string{"<sip:p.example.com;lr>", "<>"} },
		"a longer Call-ID":      func(d *dialogstore.Dialog) { d.CallID = long(513) },
		"a longer tag":          func(d *dialogstore.Dialog) { d.RemoteTag = long(513) },
		"a longer Contact":      func(d *dialogstore.Dialog) { d.Contact = "<sip:" + long(1<<14) + "@10.0.0.1>" },
		"many routes":           func(d *dialogstore.Dialog) { d.RouteSet = strings.Split(strings.Repeat("<sip:p;lr> ", 71), " ")[:71] },
		"long routes": func(d *dialogstore.Dialog) {
			d.RouteSet = []string{"<sip:" + long(1<<13) + ";lr>", "<sip:" + long(1<<13) + ";lr>"}
		},
		"a longer SDP": func(d *dialogstore.Dialog) { d.PeerSDP = []byte(long(1<<16 + 1)) },
	} {
		d := dialog("call")
		change(&d)
		if err := Usable(&d); err == nil {
			t.Errorf("%s: no error, want it refused", name)
		}
	}
}

// Whatever sipgo has parsed and printed is usable, however odd the peer: its call must not
// end because its node dies.
func FuzzUsable(f *testing.F) {
	for _, v := range []string{`"Zoë" <sip:a@b;x=y>;tag=1`, `sip:a@b:5060;tag=1`, `A b <sips:[::1]:5061;lr?x=y>;q=0.5`, `"a \"<" <tel:+49>`, `<sip:a:pw@h>`, `::0A`} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, from string) {
		if strings.ContainsFunc(from, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return
		}
		msg, err := sip.ParseMessage([]byte("OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: " + from +
			"\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"))
		if err != nil || msg.From() == nil {
			return
		}
		d := dialog("call")
		d.LocalURI = msg.From().Value()
		if err := Usable(&d); err != nil && len(from) < maxText/2 {
			t.Errorf("%q, as sipgo prints it: %v", d.LocalURI, err)
		}
	})
}

// The error names the field.
func TestUnusableField(t *testing.T) {
	long := strings.Repeat("a", maxBody+1)
	for want, change := range map[string]func(d *dialogstore.Dialog){
		"LocalURI has no URI: ":     func(d *dialogstore.Dialog) { d.LocalURI = "<>" },
		"RemoteURI has no URI: ":    func(d *dialogstore.Dialog) { d.RemoteURI = "<>" },
		"Contact has no URI: ":      func(d *dialogstore.Dialog) { d.Contact = "<>" },
		"a route has no URI: ":      func(d *dialogstore.Dialog) { d.RouteSet = []string{"<sip:p;lr>", "<>"} },
		"CallID has 65537 bytes":    func(d *dialogstore.Dialog) { d.CallID = long },
		"LocalTag has 65537 bytes":  func(d *dialogstore.Dialog) { d.LocalTag = long },
		"RemoteTag has 65537 bytes": func(d *dialogstore.Dialog) { d.RemoteTag = long },
		"LocalURI has 65537 bytes":  func(d *dialogstore.Dialog) { d.LocalURI = long },
		"RemoteURI has 65537 bytes": func(d *dialogstore.Dialog) { d.RemoteURI = long },
		"RemoteTarget has 65537 ":   func(d *dialogstore.Dialog) { d.RemoteTarget = long },
		"Contact has 65537 bytes":   func(d *dialogstore.Dialog) { d.Contact = long },
		"RouteSet has 65537 bytes":  func(d *dialogstore.Dialog) { d.RouteSet = []string{long} },
		"SDP has 65537 bytes":       func(d *dialogstore.Dialog) { d.SDP = []byte(long) },
		"PeerSDP has 65537 bytes":   func(d *dialogstore.Dialog) { d.PeerSDP = []byte(long) },
		"71 routes, more than 70":   func(d *dialogstore.Dialog) { d.RouteSet = make([]string, 71) },
	} {
		d := dialog("call")
		change(&d)
		if err := Usable(&d); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s…", err, want)
		}
	}
}
