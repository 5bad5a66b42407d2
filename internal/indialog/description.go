package indialog

import (
	"bytes"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// Offer is the session description that was sent last, as an offer: one in which we
// have chosen a DTLS role leaves the choice to the peer again.
func Offer(d *dialogstore.Dialog) offeranswer.Description {
	if !choosesRole(d.SDP) {
		return ours(d)
	}
	return offeranswer.Agreed{Ours: ours(d)}.Reoffer()
}

// Answer is the session description that was sent last, as the answer to an offer of
// the peer that changes nothing: with the DTLS role that fits it.
func Answer(d *dialogstore.Dialog, offer []byte) offeranswer.Description {
	if choosesRole(d.SDP) {
		agreed := offeranswer.Agreed{Ours: ours(d), Peers: offeranswer.Description{Body: d.PeerSDP}}
		if answer, ok := agreed.Answer(offeranswer.Description{Body: offer}); ok {
			return answer
		}
	}
	return ours(d)
}

func ours(d *dialogstore.Dialog) offeranswer.Description {
	return offeranswer.Description{Body: d.SDP, Type: d.SDPType}
}

// choosesRole reports whether a description has a role of a connection (RFC 4145). In
// others offer and answer look alike.
func choosesRole(sdp []byte) bool { return bytes.Contains(sdp, []byte("a=setup:")) }
