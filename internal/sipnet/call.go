package sipnet

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Invite calls the address, or the SIP URI, in a new dialog and returns the
// INVITE as it was sent. It carries SDP as body unless headers end in a body of
// their own, or in an empty element, which means no body. See Request for headers.
func (p *Peer) Invite(to string, headers ...string) *sip.Request {
	uri := to
	if !strings.HasPrefix(strings.ToLower(to), "sip") {
		uri = "sip:uas@" + to
	}
	p.dlg = &dialog{
		callID: fmt.Sprintf("call-%d-%s", p.net.nextSerial(), p.tag),
		from:   fmt.Sprintf("<sip:peer@%s>;tag=%s", p.addr, p.tag),
		uri:    uri,
	}
	p.dlg.restart()
	p.dlg.cseq = p.Number
	return p.Request(sip.INVITE, headers...)
}

// Request sends a request in the peer's dialog with the next CSeq number, and
// returns it as it was sent. Before the dialog is formed it repeats the target of
// Invite, which is how to try again after a 422.
//
// Each header is a line such as "Session-Expires: 90;refresher=uac", sent as it
// is written, in place of the peer's own header of that name. "-Name" leaves the
// peer's own header out. A last element beginning with "v=0" is the body, an
// empty last element means no body. An INVITE has SDP by default, others nothing.
func (p *Peer) Request(method sip.RequestMethod, headers ...string) *sip.Request {
	p.mustDialog()
	p.dlg.cseq++
	body := ""
	if method == sip.INVITE {
		body = SDP
	}
	req := p.send(method, p.dlg.cseq, p.newBranch(), p.dlg.to, p.dlg.target, p.dlg.routes, headers, body)
	if method == sip.INVITE {
		p.dlg.invite = req
	}
	return req
}

// Ack acknowledges a final response to an INVITE of the peer's. After a 2xx it
// goes to the remote target as a transaction of its own (RFC 3261 §13.2.2.4),
// otherwise it has branch, URI and route of the INVITE (§17.1.1.3).
func (p *Peer) Ack(res *sip.Response, headers ...string) *sip.Request {
	invite := p.mustInvite()
	number, to := res.CSeq().SeqNo, res.To().Value()
	if res.IsSuccess() {
		return p.send(sip.ACK, number, p.newBranch(), to, p.dlg.target, p.dlg.routes, headers, "")
	}
	branch, _ := res.Via().Params.Get("branch")
	return p.send(sip.ACK, number, branch, to, invite.Recipient.String(),
		headerValues(invite, "Route"), headers, "")
}

// Cancel cancels the last INVITE sent, with its branch and number (RFC 3261 §9.1).
func (p *Peer) Cancel(headers ...string) *sip.Request {
	invite := p.mustInvite()
	branch, _ := invite.Via().Params.Get("branch")
	return p.send(sip.CANCEL, invite.CSeq().SeqNo, branch, invite.To().Value(), invite.Recipient.String(),
		headerValues(invite, "Route"), headers, "")
}

// Reply answers req and returns the response as it was sent. It copies Via, From,
// To, Call-ID, CSeq and Record-Route, adds the peer's tag to To unless there is
// one or the code is 100, and a Contact from 101 to 299. A 2xx to an INVITE has SDP by
// default. See Request for headers.
func (p *Peer) Reply(req *sip.Request, code int, reason string, headers ...string) *sip.Response {
	var base []string
	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq", "Record-Route"} {
		for _, h := range req.GetHeaders(name) {
			line := h.Name() + ": " + h.Value()
			if name == "To" && code != 100 && !req.To().Params.Has("tag") {
				line += ";tag=" + p.tag
			}
			base = append(base, line)
		}
	}
	if code > 100 && code < 300 {
		base = append(base, p.contact())
	}
	body := ""
	if req.Method == sip.INVITE && code >= 200 && code < 300 {
		body = SDP
	}
	raw := compose(fmt.Sprintf("SIP/2.0 %d %s", code, reason), base, headers, body)
	res, ok := mustParse(raw).(*sip.Response)
	if !ok {
		panic("sipnet: not a response:\n" + raw)
	}
	if req.Method == sip.INVITE && code > 100 && code < 300 {
		p.accept(req, res)
	}
	p.Send(req.Source(), raw)
	return res
}

// send builds a request of the dialog and sends it to the first route, or else
// to the host in its URI.
func (p *Peer) send(method sip.RequestMethod, number uint32, branch, to, uri string, routes, headers []string, body string) *sip.Request {
	base := []string{
		fmt.Sprintf("Via: SIP/2.0/%s %s;branch=%s", p.over, p.addr, branch),
		"Max-Forwards: 70",
		"From: " + p.dlg.from,
		"To: " + to,
		"Call-ID: " + p.dlg.callID,
		"CSeq: " + strconv.FormatUint(uint64(number), 10) + " " + method.String(),
	}
	if p.Outbound != "" {
		routes = nil
	}
	for _, route := range routes {
		base = append(base, "Route: "+route)
	}
	if method != sip.ACK && method != sip.CANCEL && method != sip.BYE {
		base = append(base, p.contact())
	}
	raw := compose(fmt.Sprintf("%s %s SIP/2.0", method, uri), base, headers, body)
	req, ok := mustParse(raw).(*sip.Request)
	if !ok {
		panic("sipnet: not a request:\n" + raw)
	}
	next := uri
	if len(routes) > 0 {
		next = routes[0]
	}
	p.Send(cmp.Or(p.Outbound, hostPort(next), p.dlg.fallback), raw)
	return req
}

func (p *Peer) contact() string { return fmt.Sprintf("Contact: <sip:peer@%s>", p.addr) }

func (p *Peer) newBranch() string {
	return fmt.Sprintf("z9hG4bK-%s-%d", p.tag, p.net.nextSerial())
}

func (p *Peer) mustDialog() {
	if p.dlg == nil {
		panic("sipnet: peer " + p.addr + " has no dialog: call Invite, or Reply to an INVITE, first")
	}
}

func (p *Peer) mustInvite() *sip.Request {
	p.mustDialog()
	if p.dlg.invite == nil {
		panic("sipnet: peer " + p.addr + " has sent no INVITE in this dialog")
	}
	return p.dlg.invite
}

func mustParse(raw string) sip.Message {
	msg, err := sip.ParseMessage([]byte(raw))
	if err != nil {
		panic(fmt.Sprintf("sipnet: peer made an unreadable message: %v\n%s", err, raw))
	}
	return msg
}
