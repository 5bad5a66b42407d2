package calls

import (
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// Opening is a first INVITE and its 2xx, which make a dialog (RFC 3261 §12.1).
type Opening struct {
	Request  *sip.Request
	Response *sip.Response

	At      time.Time // of the 2xx
	Policy  sessiontimer.Policy
	Session sessiontimer.Session // that the 2xx starts
	Fields  sessiontimer.Fields  // of the peer's message
	Agreed  offeranswer.Agreed

	Transport string // lower case
	LocalAddr string // host:port of our socket; empty if unknown
	LocalCSeq uint32 // the last one that we used
}

// Answered makes d the dialog of the peer's INVITE, which we accept.
func (o *Opening) Answered(d *dialogstore.Dialog) {
	o.common(d)
	d.LocalTag, d.RemoteTag = sipmsg.ToTag(o.Response), sipmsg.FromTag(o.Request)
	d.LocalURI, d.RemoteURI = sipmsg.Value(o.Response.To()), sipmsg.Value(o.Request.From())
	d.RouteSet = sipmsg.RouteSet(o.Request, false)
	d.RemoteCSeq = o.Request.CSeq().SeqNo
	d.MinSE = o.Fields.MinSE
	if h := o.Response.Contact(); h != nil {
		d.Contact = sipmsg.Value(h)
	}
	d.Supported = sipmsg.OptionTags(o.Response, "Supported", "k")
	indialog.Locate(d, indialog.SightingOf(o.Request))
	learnPeer(&d.State, o.Fields)
	d.Accepted = accepted(d, o.Request)
}

// Accepted makes d the dialog of our INVITE, which the peer accepts. early has the fields of
// the provisional responses before.
func (o *Opening) Accepted(d *dialogstore.Dialog, early sessiontimer.Fields) {
	o.common(d)
	d.OwnsCallID = true
	d.LocalTag, d.RemoteTag = sipmsg.FromTag(o.Request), sipmsg.ToTag(o.Response)
	d.LocalURI, d.RemoteURI = sipmsg.Value(o.Request.From()), sipmsg.Value(o.Response.To())
	d.RouteSet = sipmsg.RouteSet(o.Response, true)
	if h := o.Request.Contact(); h != nil {
		d.Contact = sipmsg.Value(h)
	}
	d.Supported = sipmsg.OptionTags(o.Request, "Supported", "k")
	d.Require, d.ProxyRequire = sipmsg.OptionTags(o.Request, "Require", ""), sipmsg.OptionTags(o.Request, "Proxy-Require", "")
	learnPeer(&d.State, early)
	learnPeer(&d.State, o.Fields)
	if indialog.Locate(d, indialog.SightingIn(o.Response)); d.RemoteTarget == "" {
		d.RemoteTarget = sipmsg.Text(&o.Request.Recipient)
	}
}

func (o *Opening) common(d *dialogstore.Dialog) {
	d.CallID = sipmsg.CallID(o.Request)
	d.Began = o.At
	d.Policy, d.Session, d.LastMethod = o.Policy, o.Session, string(sip.INVITE)
	d.Transport, d.LocalAddr, d.LocalCSeq = o.Transport, o.LocalAddr, o.LocalCSeq
	AgreeOn(&d.State, o.Agreed)
}

// learnPeer notes the capabilities that a message of the peer shows.
func learnPeer(d *dialogstore.State, f sessiontimer.Fields) {
	d.PeerTimer = d.PeerTimer || f.Supported || d.Session.Refresher == sessiontimer.Peer
	if f.HasAllow {
		d.PeerUpdate = f.AllowUpdate
	}
}
