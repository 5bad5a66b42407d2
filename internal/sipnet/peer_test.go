package sipnet

import (
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// peers runs f with a raw peer at alice and one at bob.
func peers(t *testing.T, f func(t *testing.T, n *Network, a, b *Peer)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		n := New()
		defer n.Close()
		f(t, n, n.Peer(alice), n.Peer(bob))
		CheckCSeq(t, n.Messages())
	})
}

func TestPeerCall(t *testing.T) {
	peers(t, func(t *testing.T, n *Network, a, b *Peer) {
		a.Invite(bob, "Session-Expires: 60", "Supported: timer")
		first := b.ExpectRequest(t, sip.INVITE)
		b.Reply(first, 422, "Session Interval Too Small", "Min-SE: 90")
		a.Ack(a.ExpectResponse(t, 422))
		b.ExpectRequest(t, sip.ACK)

		a.Request(sip.INVITE, "x: 90")
		second := b.ExpectRequest(t, sip.INVITE)
		if *second.CallID() != *first.CallID() || second.To().Params.Has("tag") {
			t.Errorf("the retry is not in the same call, or has a To tag:\n%s", second)
		}
		b.Reply(second, 100, "Trying")
		b.Reply(second, 180, "Ringing")
		sent := b.Reply(second, 200, "OK", "Session-Expires:90 ;refresher=uac", "Require: timer")
		ok := a.ExpectResponse(t, 200)
		if got := headerValues(ok, "session-expires"); len(got) != 1 || got[0] != "90 ;refresher=uac" {
			t.Errorf("Session-Expires arrived as %q", got)
		}
		if string(ok.Body()) != SDP || sent.To().Value() != ok.To().Value() {
			t.Errorf("the 200 arrived as\n%s\nand was sent as\n%s", ok, sent)
		}
		a.Ack(ok)
		b.ExpectRequest(t, sip.ACK)

		time.Sleep(45 * time.Second)
		b.Request(sip.UPDATE, "Session-Expires: 90;refresher=uas")
		a.Reply(a.ExpectRequest(t, sip.UPDATE), 200, "OK")
		b.ExpectResponse(t, 200)
		b.Request(sip.INVITE, "")
		re := a.ExpectRequest(t, sip.INVITE)
		if len(re.Body()) != 0 || re.ContentType() != nil {
			t.Errorf("want a re-INVITE without offer, got\n%s", re)
		}
		a.Reply(re, 491, "Request Pending")
		b.Ack(b.ExpectResponse(t, 491))
		a.ExpectRequest(t, sip.ACK)
		a.Request(sip.BYE)
		b.Reply(b.ExpectRequest(t, sip.BYE), 200, "OK")
		a.ExpectResponse(t, 200)

		want := []string{
			"0.000s alice->bob INVITE | Session-Expires: 60",
			"0.000s bob->alice 422 Session Interval Too Small (INVITE) | Min-SE: 90",
			"0.000s alice->bob ACK",
			"0.000s alice->bob INVITE | Session-Expires: 90",
			"0.000s bob->alice 100 Trying (INVITE)",
			"0.000s bob->alice 180 Ringing (INVITE)",
			"0.000s bob->alice 200 OK (INVITE) | Session-Expires: 90 ;refresher=uac",
			"0.000s alice->bob ACK",
			"45.000s bob->alice UPDATE | Session-Expires: 90;refresher=uas",
			"45.000s alice->bob 200 OK (UPDATE)",
			"45.000s bob->alice INVITE",
			"45.000s alice->bob 491 Request Pending (INVITE)",
			"45.000s bob->alice ACK",
			"45.000s alice->bob BYE",
			"45.000s bob->alice 200 OK (BYE)",
		}
		if diff := cmp.Diff(want, Rows(names, n.Messages())); diff != "" {
			t.Errorf("ladder (-want +got):\n%s", diff)
		}
	})
}

func TestPeerCancel(t *testing.T) {
	peers(t, func(t *testing.T, n *Network, a, b *Peer) {
		a.Invite("sip:bob@" + bob)
		invite := b.ExpectRequest(t, sip.INVITE)
		// The Contact of a provisional response must not divert the CANCEL.
		b.Reply(invite, 180, "Ringing", "Contact: <sip:elsewhere@10.0.0.9>")
		a.ExpectResponse(t, 180)
		a.Cancel()
		b.Reply(b.ExpectRequest(t, sip.CANCEL), 200, "OK")
		b.Reply(invite, 487, "Request Terminated")
		a.ExpectResponse(t, 200)
		a.Ack(a.ExpectResponse(t, 487))
		b.ExpectRequest(t, sip.ACK)
	})
}

// Requests of both sides go through the recorded route, in the right order.
func TestPeerRoutes(t *testing.T) {
	peers(t, func(t *testing.T, n *Network, a, b *Peer) {
		const p1, p2 = "<sip:10.0.0.3:5060;lr>", "<sip:10.0.0.4:5060;lr>"
		near, far := n.Peer("10.0.0.3:5060"), n.Peer("10.0.0.4:5060")
		a.Invite(bob, "Record-Route: "+p2, "Record-Route: "+p1)
		ok := b.Reply(b.ExpectRequest(t, sip.INVITE), 200, "OK")
		a.ExpectResponse(t, 200)
		a.Ack(ok)
		b.Request(sip.UPDATE)
		for _, got := range []*sip.Request{near.ExpectRequest(t, sip.ACK), far.ExpectRequest(t, sip.UPDATE)} {
			want := []string{p1, p2}
			if got.Method == sip.UPDATE {
				want = []string{p2, p1}
			}
			if diff := cmp.Diff(want, headerValues(got, "Route")); diff != "" {
				t.Errorf("Route of %s (-want +got):\n%s", got.Method, diff)
			}
		}
	})
}

func TestPeerHeaders(t *testing.T) {
	peers(t, func(t *testing.T, n *Network, a, b *Peer) {
		a.Invite(bob, "m: <sip:other@10.0.0.1>", "-Max-Forwards", "SESSION-EXPIRES : 90\r\n\t;refresher=uac", "v=0\ns=mine\n")
		raw := string(n.Messages()[0].Raw)
		for _, want := range []string{
			"\r\nm: <sip:other@10.0.0.1>\r\n", "\r\nSESSION-EXPIRES : 90\r\n\t;refresher=uac\r\n",
			"\r\nContent-Length: 13\r\n", "\r\n\r\nv=0\r\ns=mine\r\n",
		} {
			if !strings.Contains(raw, want) {
				t.Errorf("want %q in\n%s", want, raw)
			}
		}
		for _, not := range []string{"Max-Forwards", "Contact"} {
			if strings.Contains(raw, not) {
				t.Errorf("want no %s in\n%s", not, raw)
			}
		}
	})
}

func TestPeerSkipsRetransmissions(t *testing.T) {
	peers(t, func(t *testing.T, n *Network, a, b *Peer) {
		for _, cseq := range []int{1, 1, 2} {
			a.Send(bob, optionsRaw(cseq))
		}
		for _, want := range []uint32{1, 2} {
			req := b.ExpectRequest(t, sip.OPTIONS)
			if got := req.CSeq().SeqNo; got != want {
				t.Errorf("got CSeq %d, want %d", got, want)
			}
			b.Reply(req, 200, "OK")
			b.Reply(req, 200, "OK")
		}
		a.ExpectResponse(t, 200)
		a.ExpectResponse(t, 200)
		if msg, ok := a.Recv(time.Minute); ok {
			t.Errorf("got %s, want nothing new", Label(msg))
		}
		a.Quiet(t, time.Minute)
	})
}

func TestPeerComplaints(t *testing.T) {
	peers(t, func(t *testing.T, n *Network, a, b *Peer) {
		var got faults
		start := time.Now()
		a.ExpectRequest(&got, sip.BYE)
		if d := time.Since(start); d != 32*time.Second {
			t.Errorf("waited %s, want 64*T1", d)
		}
		a.ExpectResponse(&got, 200)
		for cseq := range 3 {
			b.Send(alice, optionsRaw(cseq))
		}
		a.ExpectRequest(&got, sip.BYE)
		a.ExpectResponse(&got, 200)
		a.Quiet(&got, time.Second)
		wants := []string{"got nothing, want a BYE", "got nothing, want a 200",
			"got OPTIONS, want a BYE", "got OPTIONS, want a 200", "got OPTIONS, want nothing for 1s"}
		if len(got) != len(wants) {
			t.Fatalf("complaints:\n%s\nwant %d", got.text(), len(wants))
		}
		for i, want := range wants {
			if !strings.Contains(got[i], want) {
				t.Errorf("complaint %q, want %q in it", got[i], want)
			}
		}
	})
}

// A sipgo user agent understands the peer and the other way round.
func TestPeerWithSipgo(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := newPair(t, "udp")
		defer p.close()
		peer := p.net.Peer("10.0.0.3:5060")
		peer.Invite(bob)
		peer.Ack(peer.ExpectResponse(t, 405)) // bob only knows OPTIONS
		peer.Request(sip.OPTIONS)
		peer.ExpectResponse(t, 200)
		peer.Close()
		if _, ok := peer.Recv(time.Second); ok {
			t.Error("a closed peer received something")
		}
		CheckCSeq(t, p.net.Messages())
	})
}
