package dialogset

import "github.com/emiago/sipgo/sip"

// Whereabouts are the addresses of a peer until now: its Contact, the source of its latest
// message, and the destination that the application chose.
type Whereabouts struct{ Target, Source, Destination string }

// Moved notes the Contact of an accepted INVITE or UPDATE (RFC 3261 §12.2), as a URI (told)
// and as text. place is the address to send to; empty for the address in the Contact. As long
// as the peer has not moved from known, nothing is noted: the application knows those
// addresses too. localAddr returns the address of our socket.
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

// Elsewhere returns the Contact to which the peer has moved, the source of its messages
// before, and our socket for it. target is nil if the peer has not moved, or if req goes
// through a strict router first.
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
