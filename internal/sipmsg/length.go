package sipmsg

import "github.com/emiago/sipgo/sip"

// maxDatagram is the largest message that sipgo sends over UDP.
func maxDatagram() int { return sip.UDPMTUSize - 200 }

// maxMessage returns the largest message that sipgo can send and receive. It refuses to
// send larger datagrams, and a refused response leaves the peer without any. It closes a
// stream on a larger message, and reads no more of a WebSocket frame than its buffer
// holds.
func maxMessage(transport string) int {
	switch sip.NetworkToLower(transport) {
	case "udp":
		return maxDatagram()
	case "ws", "wss":
		return min(sip.ParseMaxMessageLength, int(sip.TransportBufferReadSize))
	}
	return sip.ParseMaxMessageLength
}

// Fits reports whether m can be sent. req is m, or the request that m answers.
func Fits(m Message, req *sip.Request) bool {
	most := Longest(m)
	if most <= maxDatagram() {
		return true
	}
	limit := maxMessage(req.Transport())
	if most <= limit {
		return true
	}
	var n lengthWriter
	m.StringWrite(&n)
	return int(n) <= limit
}

// lengthWriter counts the bytes written to it.
type lengthWriter int

func (w *lengthWriter) WriteString(s string) (int, error) {
	*w += lengthWriter(len(s))
	return len(s), nil
}

// Longest returns an upper bound for the length of m on the wire. Most messages are far
// below the limit, and printing one to find out costs as much as sending it.
func Longest(m Message) int {
	const number, punctuation = 20, 16
	n := punctuation + len("SIP/2.0") + len(m.Body())
	switch m := m.(type) {
	case *sip.Request:
		n += len(m.Method) + longestURI(&m.Recipient)
	case *sip.Response:
		n += number + len(m.Reason)
	}
	for _, h := range m.Headers() {
		n += len(h.Name()) + punctuation
		switch h := h.(type) {
		case *sip.ViaHeader:
			n += len(h.ProtocolName) + len(h.ProtocolVersion) + len(h.Transport) + len(h.Host) + number + longestParams(h.Params)
		case *sip.FromHeader:
			n += len(h.DisplayName) + longestURI(&h.Address) + longestParams(h.Params)
		case *sip.ToHeader:
			n += len(h.DisplayName) + longestURI(&h.Address) + longestParams(h.Params)
		case *sip.ContactHeader:
			n += len(h.DisplayName) + longestURI(&h.Address) + longestParams(h.Params)
		case *sip.CSeqHeader:
			n += number + len(h.MethodName)
		case *sip.MaxForwardsHeader, *sip.ContentLengthHeader:
			n += number
		default:
			n += len(h.Value())
		}
	}
	return n
}

func longestURI(u *sip.Uri) int {
	const number, punctuation = 20, 16
	switch u.Scheme {
	case "sip", "sips", "":
		return punctuation + len(u.Scheme) + len(u.User) + len(u.Password) + len(u.Host) + number +
			longestParams(u.UriParams) + longestParams(u.Headers)
	}
	return punctuation + len(u.String()) // tel and others; sipgo keeps them whole since v1.7
}

func longestParams(params sip.HeaderParams) int {
	n := 0
	for _, p := range params {
		n += len(p.K) + len(p.V) + len(`;=""`)
	}
	return n
}
