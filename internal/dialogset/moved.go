package dialogset

import "github.com/emiago/sipgo/sip"

// Whereabouts are where the peer of a dialog was until now: its Contact, where its
// latest message came from, and where the application sends.
type Whereabouts struct{ Target, Source, Destination string }

// Moved notes the Contact of an accepted INVITE or UPDATE, as a URI and as text, and
// where the peer is found if not by that (RFC 3261 §12.2). Until it is another place
// than known, the application knows where that is. localAddr is our socket.
func (d *Dialog) Moved(known Whereabouts, told *sip.Uri, text, place string, localAddr func() string) {
	d.mu.Lock()
	first := d.target == nil
	d.mu.Unlock()
	if first && (place == "" || place == known.Source || place == known.Destination) && text == known.Target {
		return
	}
	uri, from := told.Clone(), localAddr()
	d.mu.Lock()
	defer d.mu.Unlock()
	if first {
		d.former = known.Source
	}
	d.target, d.from = uri, from
}

// Elsewhere is where the peer has moved to, where it was seen before, and our socket
// for it; a nil target if it has not moved, or a strict router comes first.
func (d *Dialog) Elsewhere(req *sip.Request) (target *sip.Uri, former, from string) {
	d.mu.Lock()
	target, former, from = d.target, d.former, d.from
	d.mu.Unlock()
	if target == nil {
		return nil, "", ""
	}
	if r := req.Route(); r != nil && (r.Address.UriParams == nil || !r.Address.UriParams.Has("lr")) {
		return nil, "", ""
	}
	return target, former, from
}
