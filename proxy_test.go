package sessiontimer_test

import (
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// proxy forwards without state, as text. It refuses intervals below minSE
// (RFC 4028 §8.1), and record-routes if it wants to stay on the path.
type proxy struct {
	peer        *sipnet.Peer
	addr, next  string
	minSE       time.Duration
	recordRoute bool
	refused     map[string]bool // branches of INVITEs that got 422 here
}

// startProxy runs a proxy that sends calls on to next, until the network closes.
func startProxy(n *sipnet.Network, addr, next string, minSE time.Duration, recordRoute bool) {
	p := &proxy{peer: n.Peer(addr), addr: addr, next: next, minSE: minSE, recordRoute: recordRoute, refused: make(map[string]bool)}
	go func() {
		for {
			msg, ok := p.peer.RecvAny(1000 * time.Hour)
			if !ok {
				return
			}
			switch m := msg.(type) {
			case *sip.Request:
				p.request(m)
			case *sip.Response:
				p.response(m)
			}
		}
	}()
}

func (p *proxy) request(req *sip.Request) {
	branch := req.Via().Params.GetOr("branch", "")
	to := p.next
	switch {
	case req.IsAck() && p.refused[branch]:
		return
	case req.IsInvite() && p.tooSmall(req):
		p.refused[branch] = true
		p.peer.Reply(req, 422, "Session Interval Too Small", "Min-SE: "+strconv.Itoa(int(p.minSE/time.Second)))
		return
	case req.Route() != nil: // within the dialog
		to = net.JoinHostPort(req.Recipient.Host, strconv.Itoa(req.Recipient.Port))
	}
	head := "Via: SIP/2.0/UDP " + p.addr + ";branch=" + branch + "p\r\n"
	if p.recordRoute && req.IsInvite() {
		head += "Record-Route: <sip:" + p.addr + ";lr>\r\n"
	}
	req.RemoveHeader("Route")
	start, rest, _ := strings.Cut(req.String(), "\r\n")
	p.peer.Send(to, start+"\r\n"+head+rest)
	if req.Method == sip.BYE {
		// As in §13, it reports at once that the callee is gone.
		p.peer.Reply(req, 408, "Request Timeout")
	}
}

func (p *proxy) tooSmall(req *sip.Request) bool {
	value, _, _ := strings.Cut(req.GetHeader("Session-Expires").Value(), ";")
	seconds, err := strconv.Atoi(value)
	return err == nil && time.Duration(seconds)*time.Second < p.minSE
}

// response goes to the sender of the request: the Via below the proxy's own.
func (p *proxy) response(res *sip.Response) {
	head, rest, _ := strings.Cut(res.String(), "Via: ")
	_, rest, _ = strings.Cut(rest, "\r\n")
	via := res.GetHeaders("Via")[1].(*sip.ViaHeader)
	p.peer.Send(net.JoinHostPort(via.Host, strconv.Itoa(via.Port)), head+rest)
}
