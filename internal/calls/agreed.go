package calls

import (
	"context"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// AgreedOf returns the agreed session descriptions of a stored dialog.
func AgreedOf(d *dialogstore.State) offeranswer.Agreed {
	return offeranswer.Agreed{
		Ours:      offeranswer.Description{Body: d.SDP, Type: d.SDPType},
		Peers:     offeranswer.Description{Body: d.PeerSDP, Type: d.PeerSDPType, Beside: d.PeerSDPBeside},
		WeOffered: d.SDPOffered,
	}
}

// AgreeOn stores a in d. It is the inverse of AgreedOf.
func AgreeOn(d *dialogstore.State, a offeranswer.Agreed) {
	d.SDP, d.SDPType = a.Ours.Body, a.Ours.Type
	d.PeerSDP, d.PeerSDPType, d.PeerSDPBeside = a.Peers.Body, a.Peers.Type, a.Peers.Beside
	d.SDPOffered = a.WeOffered
}

// Requested returns a request as package offeranswer sees it.
func Requested(req *sip.Request) offeranswer.Message {
	return offeranswer.Message{Method: string(req.Method), CSeq: req.CSeq().SeqNo, Type: sipmsg.ContentType(req), Body: req.Body()}
}

// Responded returns a response to req as package offeranswer sees it.
func Responded(req *sip.Request, res *sip.Response) offeranswer.Message {
	return offeranswer.Message{Method: string(req.Method), CSeq: req.CSeq().SeqNo, Status: res.StatusCode, Reliable: reliable(res),
		Type: sipmsg.ContentType(res), Body: res.Body()}
}

// Refused returns a refusal of req as package offeranswer sees it; the status does not
// matter.
func Refused(req *sip.Request) offeranswer.Message {
	return offeranswer.Message{Method: string(req.Method), CSeq: req.CSeq().SeqNo, Status: sip.StatusNotAcceptableHere}
}

// reliable reports whether a response is acknowledged by a PRACK (RFC 3262 §3).
func reliable(res *sip.Response) bool {
	return res.IsProvisional() && sipmsg.First(res, "RSeq", "") != nil && sipmsg.HasToken(res, "Require", "", "100rel")
}

// Described reports whether m has a session description.
func Described(m sip.Message) bool {
	if len(m.Body()) == 0 {
		return false
	}
	_, ok := offeranswer.Find(sipmsg.ContentType(m), m.Body())
	return ok
}

// Says notes the session description in a message that changes nothing else. id is the
// dialog's.
func (c *Calls) Says(ctx context.Context, flight *dialogset.Dialog, id dialogstore.ID, by offeranswer.Party, msg offeranswer.Message) {
	agreed, news := flight.Said(by, msg, id.RemoteTag)
	if !news {
		return
	}
	c.Renew(ctx, id, func(d dialogstore.Dialog) dialogstore.State { // an early dialog is not stored
		AgreeOn(&d.State, agreed)
		return d.State
	})
}
