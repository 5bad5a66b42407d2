package indialog

import (
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// Refresh returns a refresh within d: a Request with the extensions that the first request
// listed and, in a re-INVITE, our agreed session description, byte for byte if it can serve
// as an offer (RFC 4028 §7.4).
func Refresh(d *dialogstore.Dialog, method sessiontimer.Method) (*sip.Request, error) {
	name := sip.UPDATE
	if method == sessiontimer.MethodReInvite {
		name = sip.INVITE
	}
	req, err := Request(d, name)
	if err != nil {
		return nil, err
	}
	for _, h := range [][2]string{{"Supported", d.Supported}, {"Require", d.Require}, {"Proxy-Require", d.ProxyRequire}} {
		if h[1] != "" {
			req.AppendHeader(sip.NewHeader(h[0], h[1]))
		}
	}
	if name == sip.INVITE {
		offer := offeranswer.Agreed{Ours: offeranswer.Description{Body: d.SDP, Type: d.SDPType}}.Reoffer()
		req.AppendHeader(sip.NewHeader("Content-Type", offer.Type))
		req.SetBody(offer.Body)
	}
	return req, nil
}

// Method returns the method to refresh d with (RFC 4028 §7.4: UPDATE if the peer allows it).
func Method(d *dialogstore.Dialog) sessiontimer.Method {
	want := d.Policy.Method
	switch {
	case !canInvite(d):
		return sessiontimer.MethodUpdate
	case d.NoUpdate || want == sessiontimer.MethodReInvite:
		return sessiontimer.MethodReInvite
	case d.PeerUpdate || want == sessiontimer.MethodUpdate:
		return sessiontimer.MethodUpdate
	}
	return sessiontimer.MethodReInvite
}

// Alternative reports whether the method other than the given one may refresh d too.
func Alternative(d *dialogstore.Dialog, method sessiontimer.Method) bool {
	if method == sessiontimer.MethodReInvite {
		return d.PeerUpdate && !d.NoUpdate
	}
	return canInvite(d)
}

// canInvite reports whether d can be refreshed by a re-INVITE, which needs a session
// description.
func canInvite(d *dialogstore.Dialog) bool { return len(d.SDP) > 0 }
