package middleware_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// C-24: what a provisional response tells of the peer counts, and what later
// requests tell, too.
func TestPeerLearnt(t *testing.T) {
	for _, c := range []struct {
		row        string
		ring, good []string
		method     sip.RequestMethod // of the peer, after the call began
		later      string
		want       sip.RequestMethod
	}{
		{"C-24 nothing", nil, nil, "", "", sip.INVITE},
		{"C-24 Allow in the 183", []string{allow}, nil, "", "", sip.UPDATE},
		{"C-24 Allow in the 183, withdrawn in the 200", []string{allow}, []string{"Allow: INVITE"}, "", "", sip.INVITE},
		{"C-24 Allow in the 183 without UPDATE", []string{"Allow: INVITE"}, []string{allow}, "", "", sip.UPDATE},
		{"C-24 Allow in an UPDATE", nil, nil, sip.UPDATE, allow, sip.UPDATE},
		{"C-24 Allow in a re-INVITE", nil, nil, sip.INVITE, allow, sip.UPDATE},
		{"C-24 withdrawn in a re-INVITE", nil, []string{allow}, sip.INVITE, "Allow: INVITE", sip.INVITE},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				_, outcome := l.dial(alice)
				invite := p.ExpectRequest(l, sip.INVITE)
				p.Reply(invite, 183, "Session Progress", c.ring...)
				synctest.Wait()
				p.Reply(invite, 200, "OK", append(c.good, ours, timerHeader)...)
				p.ExpectRequest(l, sip.ACK)
				if err := <-outcome; err != nil {
					l.Fatal(err)
				}
				if c.method != "" {
					p.Request(c.method, timerHeader, "Session-Expires: 1800;refresher=uas", c.later)
					res, _ := p.Recv(time.Second)
					if c.method == sip.INVITE {
						p.Ack(res.(*sip.Response))
					}
				}
				l.at(901 * time.Second)
				if msg, _ := p.Recv(time.Second); sipnet.Label(msg) != string(c.want) {
					l.Errorf("the refresh is %s, should be %s", sipnet.Label(msg), c.want)
				}
			})
		})
	}
	// D-03, D-04: the peer that said timer while it rang can be named as refresher.
	t.Run("C-24 Supported in the 183", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			_, outcome := l.dial(alice)
			invite := p.ExpectRequest(l, sip.INVITE)
			p.Reply(invite, 183, "Session Progress", timerHeader, allow)
			synctest.Wait()
			p.Reply(invite, 200, "OK", "Session-Expires: 1800;refresher=uas")
			p.ExpectRequest(l, sip.ACK)
			<-outcome
			for d, err := range alice.Timers.Store().All(context.Background()) {
				if err != nil || !d.PeerTimer || !d.PeerUpdate {
					l.Errorf("of the peer is known: timer %v, UPDATE %v (%v); should be both", d.PeerTimer, d.PeerUpdate, err)
				}
			}
			l.at(100 * time.Second)
		})
	})
}

// B-10, C-15: what a 422 taught holds for the INVITE that follows a redirection or a
// challenge, and C-16 for no other call.
func TestLearntAcrossRedirection(t *testing.T) {
	for _, status := range []int{300, 301, 302, 305, 380, 401, 407, 420, 421} {
		t.Run(fmt.Sprint(status), func(t *testing.T) { learnt(t, status) })
	}
}

// learnt makes a call that is refused with 422 and then with status, and checks what the
// INVITE of the application says that comes next.
func learnt(t *testing.T, status int) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		invite := sip.NewRequest(sip.INVITE, peerURI)
		invite.AppendHeader(&sip.ContactHeader{Address: sip.Uri{Scheme: "sip", Host: "10.0.0.1", Port: 5060}})
		first, err := alice.Client.TransactionRequest(context.Background(), invite)
		if err != nil {
			l.Fatal(err)
		}
		answered := make(chan *sip.Response, 1)
		go func() { answered <- <-first.Responses() }()
		l.tooSmall(p, "3600")
		p.Reply(p.ExpectRequest(l, sip.INVITE), status, "Refused", "Contact: <sip:other@10.0.0.9:5060>")
		p.ExpectRequest(l, sip.ACK)
		if res := <-answered; res.StatusCode != status {
			l.Fatalf("the application gets %d, should get the %d", res.StatusCode, status)
		}
		again := invite.Clone()
		again.RemoveHeader("Via")
		again.Recipient.User = "other"
		second, err := alice.Client.TransactionRequest(context.Background(), again)
		if err != nil {
			l.Fatal(err)
		}
		go func() { answered <- <-second.Responses() }()
		moved := p.ExpectRequest(l, sip.INVITE)
		if got, want := sipnet.Timers(moved), "Session-Expires: 3600, Min-SE: 3600"; got != want || !lists(moved, "Supported") {
			l.Errorf("the INVITE after the %d carries %s and Supported %q, should carry %s", status, got, field(moved, "Supported"), want)
		}
		p.Reply(moved, 486, "Busy Here")
		p.ExpectRequest(l, sip.ACK)
		<-answered
		l.wantNothingLeft(alice)

		_, outcome := l.dial(alice)
		other := p.ExpectRequest(l, sip.INVITE)
		p.Reply(other, 486, "Busy Here")
		if got := sipnet.Timers(other); got != "Session-Expires: 1800" {
			l.Errorf("another call carries %s, should know nothing of the first", got)
		}
		<-outcome
		l.wantNothingLeft(alice)
	})
}
