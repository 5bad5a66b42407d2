package middleware

import (
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
	"github.com/sipgo-contrib/sessiontimer/internal/target"
)

// sighting is an accepted INVITE or UPDATE of the peer, or a 2xx of it: what it says of
// where the peer is, and how it looked on arrival.
type sighting struct {
	contact *sip.Uri // nil if it says nothing
	target  string   // the same as text
	seen    target.Seen
}

func sightingOf(req *sip.Request) sighting {
	s := sightingAt(req.MessageData.Source(), req.Transport(), req.Contact())
	if via := req.Via(); via != nil {
		s.seen.Via, s.seen.Hops = via.Host, sipmsg.Vias(req)
	}
	return s
}

// sightingIn leaves the Via out: it is ours.
func sightingIn(res *sip.Response) sighting {
	return sightingAt(res.Source(), res.Transport(), res.Contact())
}

func sightingAt(source, transport string, contact *sip.ContactHeader) sighting {
	s := sighting{contact: sipmsg.Target(contact), seen: target.Seen{Transport: sip.NetworkToLower(transport), Source: source}}
	if s.contact != nil {
		s.target, s.seen.Contact = sipmsg.Text(s.contact), s.contact.Host
	}
	return s
}

// locate moves the remote target, as each accepted INVITE and UPDATE does (RFC 3261
// §12.2, RFC 3311 §5), and notes where the peer was seen. It reports whether that is
// elsewhere than before; then it is forgotten where the peer was reached there. What
// comes over another transport than the dialog's shows no place that it can use.
func locate(d *dialogstore.Dialog, s sighting) (moved bool) {
	sameTarget := s.contact == nil || s.target == d.RemoteTarget
	if !sameTarget {
		d.RemoteTarget = s.target
	}
	source := d.Source
	if s.seen.Source != "" && s.seen.Transport == d.Transport {
		d.Source = s.seen.Source
	}
	if moved = !sameTarget || d.Source != source; moved {
		d.Answered = ""
		if d.Destination == source {
			d.Destination = ""
		}
	}
	if d.Source == s.seen.Source && s.seen.Contact != "" {
		s.seen.Routed = len(d.RouteSet) > 0
		// A 2xx shows less than a request of the peer: it has no Via of its own.
		d.Behind = s.seen.Behind() || sameTarget && s.seen.Via == "" && d.Behind
	}
	return moved
}

// factsOf is what is known of the way to the peer; uri is where the request itself
// leads.
func factsOf(d *dialogstore.Dialog, uri string) target.Facts {
	return target.Facts{Transport: d.Transport, URI: uri, Chosen: d.Destination, Source: d.Source,
		Behind: d.Behind, Routed: len(d.RouteSet) > 0, Answered: d.Answered}
}

// moved has later requests of the application follow the peer of d, as it was before
// the sighting.
func moved(m *dialogset.Dialog, d *dialogstore.Dialog, s sighting, localAddr func() string) {
	known := dialogset.Whereabouts{Target: d.RemoteTarget, Source: d.Source, Destination: d.Destination}
	locate(d, s)
	if s.contact != nil {
		m.Moved(known, s.contact, d.RemoteTarget, factsOf(d, "").Peer().Addr, localAddr)
	}
}
