package calls

import (
	"context"
	"testing"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// What is agreed is stored field by field, and read back the same.
func TestAgreeOn(t *testing.T) {
	a := offeranswer.Agreed{
		Ours:      offeranswer.Description{Body: []byte("ours"), Type: "application/sdp"},
		Peers:     offeranswer.Description{Body: []byte("peer's"), Type: "application/sdp;q=1", Beside: 3},
		WeOffered: true,
	}
	got, want := dialogstore.State{LocalCSeq: 7}, dialogstore.State{LocalCSeq: 7, SDP: []byte("ours"), SDPType: "application/sdp",
		PeerSDP: []byte("peer's"), PeerSDPType: "application/sdp;q=1", PeerSDPBeside: 3, SDPOffered: true}
	AgreeOn(&got, a)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(a, AgreedOf(&want)); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	AgreeOn(&got, offeranswer.Agreed{})
	if diff := cmp.Diff(dialogstore.State{LocalCSeq: 7}, got); diff != "" {
		t.Errorf("nothing agreed (-want +got):\n%s", diff)
	}
}

// A response belongs to the method and number of its request, whatever it says itself, and
// a refusal has no description.
func TestMessages(t *testing.T) {
	req := parse[*sip.Request](t, append(renewalLines("UPDATE", nil), "Content-Type: application/sdp")...)
	req.SetBody([]byte("v=0 of the request"))
	res := parse[*sip.Response](t, append(okLines, "Content-Type: application/sdp;q=1")...) // CSeq: 7 INVITE
	res.SetBody([]byte("v=0 of the response"))
	for name, c := range map[string]struct{ got, want offeranswer.Message }{
		"request":  {Requested(req), offeranswer.Message{Method: "UPDATE", CSeq: 9, Type: "application/sdp", Body: []byte("v=0 of the request")}},
		"response": {Responded(req, res), offeranswer.Message{Method: "UPDATE", CSeq: 9, Status: 200, Type: "application/sdp;q=1", Body: []byte("v=0 of the response")}},
		"refusal":  {Refused(req), offeranswer.Message{Method: "UPDATE", CSeq: 9, Status: 488}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// RFC 3262 §3: a provisional response with RSeq and Require: 100rel is reliable, and no other.
func TestReliable(t *testing.T) {
	const rseq, rel = "RSeq: 1", "Require: timer, 100rel"
	for _, c := range []struct {
		status string
		lines  []string
		want   bool
	}{
		{"183 Session Progress", []string{rseq, rel}, true},
		{"183 Session Progress", []string{rseq, "Require: 100REL"}, true},
		{"183 Session Progress", []string{rseq}, false},
		{"183 Session Progress", []string{rseq, "Supported: 100rel"}, false},
		{"183 Session Progress", []string{rel}, false},
		{"200 OK", []string{rseq, rel}, false},
		{"486 Busy Here", []string{rseq, rel}, false},
	} {
		res := parse[*sip.Response](t, append(append([]string{"SIP/2.0 " + c.status}, okLines[1:]...), c.lines...)...)
		if got := Responded(parse[*sip.Request](t, inviteLines...), res).Reliable; got != c.want {
			t.Errorf("%s with %q is reliable: %t, want %t", c.status, c.lines, got, c.want)
		}
	}
}

// A message is described by a session description in its body, alone or as a part, and by
// no other body.
func TestDescribed(t *testing.T) {
	for _, c := range []struct {
		kind, body string
		want       bool
	}{
		{"application/sdp", "v=0\r\n", true},
		{"application/sdp", "", false},
		{"", "v=0\r\n", true},
		{"", "hello", false},
		{"text/plain", "v=0\r\n", false},
		{"multipart/mixed;boundary=x", "--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--x--\r\n", true},
		{"multipart/mixed;boundary=x", "--x\r\nContent-Type: text/plain\r\n\r\nv=0\r\n--x--\r\n", false},
	} {
		lines := renewalLines("UPDATE", nil)
		if c.kind != "" {
			lines = append(lines, "Content-Type: "+c.kind)
		}
		req := parse[*sip.Request](t, lines...)
		req.SetBody([]byte(c.body))
		if got := Described(req); got != c.want {
			t.Errorf("%q of type %q is described: %t, want %t", c.body, c.kind, got, c.want)
		}
	}
}

// RFC 3264: once an offer is answered, what is agreed is stored. Until then nothing is, and
// an early dialog, which the store does not have, gives no reason to complain.
func TestSays(t *testing.T) {
	for _, stored := range []bool{true, false} {
		c, logs := observed(context.Background(), Config{})
		d := ofPeer()
		if stored {
			keep(t, c, d)
		}
		set := c.Sets.Open(d.CallID, d.LocalTag)
		flight := set.Ring(d.RemoteTag, 1, dialogset.Told{})
		say := func(by offeranswer.Party, status int, body string) {
			c.Says(context.Background(), flight, d.ID, by, offeranswer.Message{Method: "UPDATE", CSeq: 9, Status: status, Type: "application/sdp", Body: []byte(body)})
		}
		if say(offeranswer.Peer, 0, "v=0 theirs"); stored && kept(t, c).Version != 1 {
			t.Error("an offer is stored")
		}
		say(offeranswer.Us, 200, "v=0 ours")
		want := offeranswer.Agreed{Ours: offeranswer.Description{Body: []byte("v=0 ours"), Type: "application/sdp"},
			Peers: offeranswer.Description{Body: []byte("v=0 theirs"), Type: "application/sdp"}}
		if diff := cmp.Diff(want, flight.Agreed()); diff != "" {
			t.Errorf("stored %t: in flight (-want +got):\n%s", stored, diff)
		}
		if stored {
			if s := kept(t, c).State; !AgreedOf(&s).Equal(want) {
				t.Errorf("stored is %+v, want %+v", AgreedOf(&s), want)
			}
		}
		if logs.String() != "" {
			t.Errorf("stored %t: logged %q", stored, logs)
		}
	}
}

// RFC 3261 §12.1: each early dialog of our INVITE has what it says to itself, by its tag.
func TestSaysApart(t *testing.T) {
	c, _ := observed(context.Background(), Config{})
	sdp := func(status int, body string) offeranswer.Message {
		return offeranswer.Message{Method: "INVITE", CSeq: 1, Status: status, Reliable: status > 0, Type: "application/sdp", Body: []byte(body)}
	}
	set := c.Sets.Open("call", "ours")
	invite := set.Invite(sessiontimer.DefaultPolicy())
	invite.Invites(sdp(0, "v=0 ours"))
	for _, tag := range []string{"one", "other"} {
		c.Says(context.Background(), invite, set.ID(tag), offeranswer.Peer, sdp(183, "v=0 "+tag))
	}
	if got := string(set.Accept("other").Agreed().Peers.Body); got != "v=0 other" {
		t.Errorf("the peer that accepts has described %q, want its own", got)
	}
}
