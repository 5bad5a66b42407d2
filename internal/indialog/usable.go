package indialog

import (
	"fmt"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Bounds of a dialog that another process has stored. They are wider than those of package
// sipmsg for messages of peers, because here quotes, brackets and our own URIs count, too.
const (
	maxID     = 512     // bytes of a Call-ID or tag
	maxRoutes = 70      // RFC 3261 §8.1.1.6
	maxText   = 1 << 14 // bytes of another field, and of all routes together
	maxBody   = 1 << 16 // bytes of a session description: what a datagram can have
)

// Usable returns nil if requests can be made from d, which another process has stored, else
// the reason why not: a field that is too long, has control characters, or has no URI where
// one must be. A Contact may be missing.
func Usable(d *dialogstore.Dialog) error {
	if err := d.Check(); err != nil {
		return err
	}
	if err := sizes(d); err != nil {
		return err
	}
	if _, err := Request(d, sip.BYE); err != nil {
		return err
	}
	for _, f := range [...]struct{ name, text string }{{"LocalURI", d.LocalURI}, {"RemoteURI", d.RemoteURI}, {"Contact", d.Contact}} {
		if f.name == "Contact" && f.text == "" {
			continue
		}
		if !namesURI(f.text) {
			return fmt.Errorf("%s has no URI: %.100q", f.name, f.text)
		}
	}
	for _, route := range d.RouteSet {
		if !namesURI(route) {
			return fmt.Errorf("a route has no URI: %.100q", route)
		}
	}
	return nil
}

func sizes(d *dialogstore.Dialog) error {
	routes := 0
	for _, route := range d.RouteSet {
		routes += len(route)
	}
	for _, f := range [...]struct {
		name      string
		size, max int
	}{
		{"CallID", len(d.CallID), maxID}, {"LocalTag", len(d.LocalTag), maxID}, {"RemoteTag", len(d.RemoteTag), maxID},
		{"LocalURI", len(d.LocalURI), maxText}, {"RemoteURI", len(d.RemoteURI), maxText},
		{"RemoteTarget", len(d.RemoteTarget), maxText}, {"Contact", len(d.Contact), maxText},
		{"RouteSet", routes, maxText},
		{"SDP", len(d.SDP), maxBody}, {"PeerSDP", len(d.PeerSDP), maxBody},
	} {
		if f.size > f.max {
			return fmt.Errorf("%s has %d bytes, more than %d", f.name, f.size, f.max)
		}
	}
	if n := len(d.RouteSet); n > maxRoutes {
		return fmt.Errorf("%d routes, more than %d", n, maxRoutes)
	}
	return nil
}

// namesURI reports whether text is a name-addr or addr-spec with some URI (RFC 3261
// §25.1). It requires only a scheme: sipgo prints some unusual URIs that it cannot parse
// again, and the calls of those peers must not be lost.
func namesURI(text string) bool {
	uri, closed := addrSpec(text)
	scheme, _, found := strings.Cut(uri, ":")
	return closed && found && scheme != "" && !strings.ContainsFunc(scheme, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("+-.", c))
	})
}
