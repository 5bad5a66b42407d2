package indialog

import (
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// Sighting is what an accepted INVITE or UPDATE of the peer, or its 2xx, shows about where
// the peer is.
type Sighting struct {
	Contact *sip.Uri // nil if there is none
	target  string   // Contact as text
	seen    Seen
}

// SightingOf returns the Sighting in a request.
func SightingOf(req *sip.Request) Sighting {
	s := sightingAt(req.MessageData.Source(), req.Transport(), req.Contact())
	if via := req.Via(); via != nil {
		s.seen.Via, s.seen.Hops = via.Host, sipmsg.Vias(req)
	}
	return s
}

// SightingIn returns the Sighting in a response. It has no Via: the Via of a response is ours.
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

// Locate updates the remote target of d, as each accepted INVITE and UPDATE does (RFC 3261
// §12.2, RFC 3311 §5), and the source of the peer's messages. It reports whether the peer
// has moved; if so, it clears Answered, and Destination if that was the former source. The
// source of a message over another transport is ignored, since requests of the dialog cannot
// be sent there.
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
		// A 2xx has no Via of the peer, so it cannot show that the peer is not behind a NAT.
		d.Behind = s.seen.Behind() || sameTarget && s.seen.Via == "" && d.Behind
	}
	return moved
}

// FactsOf returns the facts about how to reach the peer of d. uri is where the request
// itself leads.
func FactsOf(d *dialogstore.Dialog, uri string) Facts {
	return Facts{Transport: d.Transport, URI: uri, Chosen: d.Destination, Source: d.Source,
		Behind: d.Behind, Routed: len(d.RouteSet) > 0, Answered: d.Answered}
}
