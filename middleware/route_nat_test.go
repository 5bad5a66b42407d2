package middleware_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
)

// A peer behind a NAT: its Contact and the source of its messages differ. The application
// addresses it in two ways: by its Contact, as sipgo does, and by the source address.
const (
	private    = "Contact: <sip:peer@192.168.1.5:5060>"
	publicAddr = "192.0.2.9:40000"
)

// rewriting is an application whose requests go to the source address of its peer, for both
// roles.
func rewriting(u *sipua.UA) (ua *sipgo.DialogUA, answered *atomic.Pointer[sipgo.DialogServerSession]) {
	h, port, _ := sip.ParseAddr(u.Addr)
	contact := sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: u.Name, Host: h, Port: port}}
	ua = &sipgo.DialogUA{Client: u.Client, ContactHDR: contact, RewriteContact: true}
	answered = new(atomic.Pointer[sipgo.DialogServerSession])
	u.Server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		if d, err := ua.ReadInvite(req, tx); err == nil {
			answered.Store(d)
			_ = d.RespondSDP([]byte(u.SDP))
		}
	})
	u.Server.OnAck(func(req *sip.Request, tx sip.ServerTransaction) {
		if d := answered.Load(); d != nil {
			_ = d.ReadAck(req, tx)
		}
	})
	return ua, answered
}

// seen accepts each request of the method at the peer's source address, and checks that the
// Request-URI is still its Contact.
func (l *lab) seen(p *sipnet.Peer, method sip.RequestMethod) *sip.Request {
	l.Helper()
	req := p.ExpectRequest(l, method)
	if got := req.Recipient.String(); got != "sip:peer@192.168.1.5:5060" {
		l.Errorf("%s has Request-URI %s, want the Contact", method, got)
	}
	if method != sip.ACK {
		p.Reply(req, 200, "OK", ours, private)
	}
	if method == sip.INVITE {
		l.seen(p, sip.ACK)
	}
	synctest.Wait()
	return req
}

// D-16: an application with RewriteContact reaches a caller whose Contact leads nowhere, and
// so do the refreshes, their ACKs and the BYE at the end.
func TestCallToPeerBehindNAT(t *testing.T) {
	for _, r := range refreshes {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.net.Peer(publicAddr)
			ua, _ := rewriting(alice)
			done := make(chan *sipgo.DialogClientSession, 1)
			go func() {
				uri := sip.Uri{Scheme: "sip", User: "peer", Host: "192.0.2.9", Port: 40000}
				d, err := ua.Invite(context.Background(), uri, []byte(alice.SDP), sip.NewHeader("Content-Type", "application/sdp"))
				if err == nil {
					err = d.WaitAnswer(context.Background(), sipgo.AnswerOptions{})
				}
				if err == nil {
					err = d.Ack(context.Background())
				}
				if err != nil {
					l.Errorf("the call: %v", err)
				}
				done <- d
			}()
			p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", ours, r.allow, private)
			l.seen(p, sip.ACK)
			d := <-done
			l.at(900 * time.Second)
			l.seen(p, r.method)
			go func() { l.send(alice, d, publicAddr, sip.INFO, "") }()
			p.Reply(p.ExpectRequest(l, sip.INFO), 200, "OK")
			synctest.Wait()
			l.at(1800 * time.Second)
			l.seen(p, r.method)
			l.at(2700 * time.Second)
			p.Reply(p.ExpectRequest(l, r.method), 481, "Gone")
			if r.method == sip.INVITE {
				p.ExpectRequest(l, sip.ACK)
			}
			l.seen(p, sip.BYE)
		})
	}
}

// D-16: for a caller behind a NAT the application need not do anything. Its next request
// shows a change of the binding.
func TestCallFromPeerBehindNAT(t *testing.T) {
	for _, r := range refreshes {
		inLab(t, func(l *lab) {
			bob, p := l.bob(), l.net.Peer(publicAddr)
			rebound := l.net.Peer("192.0.2.9:50000")
			_, answered := rewriting(bob)
			p.Invite(bob.Addr, timerHeader, r.allow, "Session-Expires: 1800;refresher=uas", private)
			res := p.ExpectResponse(l, 200)
			p.Ack(res)
			synctest.Wait()
			l.at(900 * time.Second)
			l.seen(p, r.method)

			go func() { l.send(bob, answered.Load(), publicAddr, sip.INFO, "") }()
			p.Reply(p.ExpectRequest(l, sip.INFO), 200, "OK")
			synctest.Wait()
			l.at(1800 * time.Second)
			l.seen(p, r.method)

			// The same dialog from another port of the NAT.
			l.at(2000 * time.Second)
			update := p.Request(sip.UPDATE, timerHeader, "Session-Expires: 1800;refresher=uas", private,
				"Via: SIP/2.0/UDP 192.168.1.5:5060;rport;branch=z9hG4bK-lost")
			wantStatus(l, p, "the UPDATE", 200)
			again := update.Clone()
			again.CSeq().SeqNo++
			again.Via().Params.Add("branch", "z9hG4bK-rebound")
			rebound.Send(bobAddr, again.String())
			wantStatus(l, rebound, "the UPDATE from there", 200)
			l.at(2900 * time.Second)
			l.seen(rebound, r.method)
		})
	}
}
