package indialog

import (
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// Sighting is what an accepted INVITE or UPDATE of the peer, or a 2xx of it, says of
// where the peer is, and how it looked on arrival.
type Sighting struct {
	Contact *sip.Uri // nil if it says nothing
	target  string   // the same as text
	seen    Seen
}

// SightingOf reads a request.
func SightingOf(req *sip.Request) Sighting {
	s := sightingAt(req.MessageData.Source(), req.Transport(), req.Contact())
	if via := req.Via(); via != nil {
		s.seen.Via, s.seen.Hops = via.Host, sipmsg.Vias(req)
	}
	return s
}

// SightingIn reads a response. Its Via is ours.
func SightingIn(res *sip.Response) Sighting {
	return sightingAt(res.Source(), res.Transport(), res.Contact())
}

func sightingAt(source, transport string, contact *sip.ContactHeader) Sighting {
	s := Sighting{Contact: sipmsg.Target(contact), seen: Seen{Transport: sip.NetworkToLower(transport), Source: source}}
	if s.Contact != nil {
		s.target, s.seen.Contact = sipmsg.Text(s.Contact), s.Contact.Host
	}
	return s
}

// Locate moves the remote target, as each accepted INVITE and UPDATE does (RFC 3261
// §12.2, RFC 3311 §5), and notes where the peer was seen. It reports whether that is
// elsewhere than before; then it is forgotten where the peer was reached there. What
// comes over another transport than the dialog's shows no place that it can use.
func Locate(d *dialogstore.Dialog, s Sighting) (moved bool) {
	sameTarget := s.Contact == nil || s.target == d.RemoteTarget
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

// FactsOf is what is known of the way to the peer; uri is where the request itself
// leads.
func FactsOf(d *dialogstore.Dialog, uri string) Facts {
	return Facts{Transport: d.Transport, URI: uri, Chosen: d.Destination, Source: d.Source,
		Behind: d.Behind, Routed: len(d.RouteSet) > 0, Answered: d.Answered}
}
