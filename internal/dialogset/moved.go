package dialogset

import (
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// Moved notes the Contact of an accepted INVITE or UPDATE, and where that came from if
// its Contact does not lead there: that is where the peer is from now on (RFC 3261
// §12.2). Until it names another place than known does, the application knows where
// that is. localAddr is our socket.
func (d *Dialog) Moved(known *dialogstore.Dialog, contact *sip.ContactHeader, source string, localAddr func() string) {
	told := sipmsg.Target(contact)
	if told == nil {
		return
	}
	d.mu.Lock()
	first := d.target == nil
	d.mu.Unlock()
	if first && (source == "" || source == known.Destination) && sipmsg.Text(told) == known.RemoteTarget {
		return
	}
	uri, from := told.Clone(), localAddr()
	d.mu.Lock()
	defer d.mu.Unlock()
	if first {
		d.former = known.Destination
	}
	d.target, d.from = uri, from
}

// Elsewhere is where the peer has moved to, where its requests went before, and our
// socket for it; a nil target if it has not moved, or a strict router comes first.
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
