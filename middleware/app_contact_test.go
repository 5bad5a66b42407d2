package middleware_test

import (
	"context"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// J-13: the Contact of a first INVITE is completed as sipgo does without timers. In any
// other request it stays as the application wrote it.
func TestContactWithoutPort(t *testing.T) {
	contact := func() sip.Header {
		return &sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "alice", Host: "10.0.0.1"}}
	}
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE, sip.INFO} {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			d := l.callPeer(alice, p, allow, ours)
			req := sip.NewRequest(method, peerURI)
			req.AppendHeader(contact())
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			go func() { _, _ = d.Do(ctx, req) }()
			got := p.ExpectRequest(l, method)
			if c := field(got, "Contact"); c != "<sip:alice@10.0.0.1>" {
				l.Errorf("the %s within the call says Contact %s, want the application's", method, c)
			}
			p.Reply(got, 488, "Not Acceptable Here")
		})
	}
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = alice.TryURI(context.Background(), peerURI, contact())
		}()
		invite := p.ExpectRequest(l, sip.INVITE)
		if c := field(invite, "Contact"); c != "<sip:alice@10.0.0.1:5060>" {
			l.Errorf("the INVITE says Contact %s, want it with a port", c)
		}
		p.Reply(invite, 486, "Busy Here")
		<-done
	})
}
