package middleware_test

import (
	"strings"
	"testing/synctest"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// hold is a session description other than those that user agents begin with.
var hold = strings.ReplaceAll(sipua.SDP("hold", "2"), "a=sendrecv", "a=sendonly")

// pair makes two user agents that reach each other over the transport.
func (l *lab) pair(transport string, forAlice, forBob []middleware.Option) (alice, bob *sipua.UA) {
	alice = sipua.New(l.T, l.net, "alice", aliceAddr, transport, forAlice...)
	bob = sipua.New(l.T, l.net, "bob", bobAddr, transport, forBob...)
	l.uas = append(l.uas, alice, bob)
	if transport == "tcp" {
		l.net.ConnectTCP(aliceAddr, bobAddr)
		synctest.Wait()
	}
	return alice, bob
}

// requests are the recorded requests of the method that addr sent,
// retransmissions left out.
func (l *lab) requests(addr, method string) []sipnet.Message {
	var out []sipnet.Message
	seen := make(map[string]bool)
	for _, m := range l.net.Messages() {
		branch := m.SIP.Via().Params.GetOr("branch", "")
		if m.From == addr && sipnet.Label(m.SIP) == method && !seen[branch] {
			seen[branch] = true
			out = append(out, m)
		}
	}
	return out
}
