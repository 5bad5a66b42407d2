package sipnet

import (
	"time"

	"github.com/emiago/sipgo/sip"
)

// patience is how long the peer waits for what it expects: as long as a
// transaction lives (RFC 3261 §17.1.1.2, 64*T1).
func patience() time.Duration { return 64 * sip.T1 }

// ExpectRequest returns the next new message, which must be a request with the
// given method. It waits for at most 64*T1.
func (p *Peer) ExpectRequest(t T, method sip.RequestMethod) *sip.Request {
	t.Helper()
	msg, ok := p.Recv(patience())
	if !ok {
		t.Fatalf("%s got nothing, want a %s", p.addr, method)
		return nil
	}
	req, ok := msg.(*sip.Request)
	if !ok || req.Method != method {
		t.Fatalf("%s got %s, want a %s\n%s", p.addr, Label(msg), method, msg.String())
		return nil
	}
	return req
}

// ExpectResponse returns the next new message, which must be a response with the
// given status. It skips provisional responses if the status is final, and a 100 if it is
// another provisional one. It waits for at most 64*T1.
func (p *Peer) ExpectResponse(t T, code int) *sip.Response {
	t.Helper()
	deadline := time.Now().Add(patience())
	for {
		msg, ok := p.Recv(time.Until(deadline))
		if !ok {
			t.Fatalf("%s got nothing, want a %d", p.addr, code)
			return nil
		}
		res, ok := msg.(*sip.Response)
		if ok && res.StatusCode == code {
			return res
		}
		if ok && res.IsProvisional() && (code >= 200 || res.StatusCode == 100) {
			continue
		}
		t.Fatalf("%s got %s, want a %d\n%s", p.addr, Label(msg), code, msg.String())
		return nil
	}
}

// Quiet waits for d and reports the first message that arrives, including retransmissions.
// It returns at once then.
func (p *Peer) Quiet(t T, d time.Duration) {
	t.Helper()
	if msg, ok := p.RecvAny(d); ok {
		t.Errorf("%s got %s, want nothing for %s\n%s", p.addr, Label(msg), d, msg.String())
	}
}
