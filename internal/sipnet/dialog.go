package sipnet

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// dialog is what a peer needs to send a request in a dialog (RFC 3261 §12).
// From and To are values of the headers as the peer sends them.
type dialog struct {
	callID   string
	from, to string
	uri      string       // as the caller: the URI invited
	target   string       // request URI: the remote Contact, at first the URI invited
	routes   []string     // in the order of sending
	fallback string       // host:port to send to when URI and routes name no IP address
	cseq     uint32       // of the last request other than ACK and CANCEL
	settled  bool         // the INVITE got its 2xx: the route set is final
	invite   *sip.Request // the last INVITE sent
}

// accept makes the dialog for an INVITE that the peer answers (RFC 3261 §12.1.1).
func (p *Peer) accept(req *sip.Request, res *sip.Response) {
	if req.CallID() == nil || p.dlg != nil && p.dlg.callID == req.CallID().Value() {
		return // unusable; or a re-INVITE or a second response
	}
	p.dlg = &dialog{
		callID:   req.CallID().Value(),
		from:     res.To().Value(),
		to:       req.From().Value(),
		routes:   headerValues(req, "Record-Route"),
		fallback: req.Source(),
		settled:  true,
	}
	p.dlg.refreshTarget(req)
}

// learn updates the dialog from an incoming message.
func (p *Peer) learn(msg sip.Message) {
	d := p.dlg
	if d == nil || msg.CallID() == nil || msg.CallID().Value() != d.callID || msg.CSeq() == nil {
		return
	}
	method := methodOf(msg.CSeq())
	res, isResponse := msg.(*sip.Response)
	switch {
	case method != sip.INVITE && method != sip.UPDATE:
	case !isResponse || d.settled:
		// RFC 3261 §12.2.1.2: a 2xx, like the request itself, refreshes the target.
		if !isResponse || res.IsSuccess() {
			d.refreshTarget(msg)
		}
	case method == sip.INVITE && res.StatusCode >= 300:
		// The early dialog is over: the next attempt starts as the first did.
		d.restart()
	case method == sip.INVITE && res.StatusCode > 100 && res.To() != nil && res.To().Params.Has("tag"):
		d.to = res.To().Value()
		d.routes = headerValues(res, "Record-Route")
		slices.Reverse(d.routes)
		d.settled = res.IsSuccess()
		d.refreshTarget(res)
	}
}

// methodOf returns the method in CSeq. sipgo takes all spaces before it except one for a
// part of it.
func methodOf(h *sip.CSeqHeader) sip.RequestMethod {
	return sip.RequestMethod(strings.TrimSpace(string(h.MethodName)))
}

// restart forgets everything learnt from responses except the caller's CSeq number.
func (d *dialog) restart() {
	d.to, d.target, d.routes = "<"+d.uri+">", d.uri, nil
	d.fallback = hostPort(d.uri)
}

func (d *dialog) refreshTarget(msg sip.Message) {
	if contacts := headerValues(msg, "Contact", "m"); len(contacts) > 0 {
		d.target = uriOf(contacts[0])
	}
}

// uriOf returns the URI in a name-addr or addr-spec.
func uriOf(value string) string {
	if _, rest, ok := strings.Cut(value, "<"); ok {
		uri, _, _ := strings.Cut(rest, ">")
		return uri
	}
	uri, _, _ := strings.Cut(value, ";")
	return strings.TrimSpace(uri)
}

// hostPort returns where a request to the URI, in brackets or not, is sent. It is
// empty for a host that is no IP address, since nothing is resolved here.
func hostPort(value string) string {
	var uri sip.Uri
	if err := sip.ParseUri(uriOf(value), &uri); err != nil {
		return ""
	}
	host := strings.Trim(uri.Host, "[]")
	if net.ParseIP(host) == nil {
		return ""
	}
	return net.JoinHostPort(host, strconv.Itoa(cmp.Or(uri.Port, 5060)))
}
