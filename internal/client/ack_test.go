package client

import (
	"context"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// moves makes the peer have moved to another address.
func (c *call) moves(t *testing.T) {
	t.Helper()
	to := uri(t, "sip:peer@"+elsewhere)
	c.dialog.Moved(dialogset.Whereabouts{Target: c.d.RemoteTarget, Source: them}, &to, to.String(), "", func() string { return us })
}

// RFC 3261 §13.2.2.4: an ACK has the CSeq that its INVITE had on the wire, and goes to where
// the peer is now. The application may send its message again, so that stays as it is.
func TestAckOnTheWire(t *testing.T) {
	const nat = "10.0.0.7:40000"
	for _, c := range []struct {
		name    string
		before  func(*testing.T, *call, *sip.Request)
		cseq    uint32
		uri, to string
	}{
		{"of an INVITE that the timers renumbered", func(_ *testing.T, c *call, _ *sip.Request) { c.dialog.Count.Number(3, true) }, 11, them, them},
		{"of an INVITE as the application numbered it", func(*testing.T, *call, *sip.Request) {}, 3, them, them},
		{"to a peer that has moved", func(t *testing.T, c *call, _ *sip.Request) { c.moves(t) }, 3, elsewhere, elsewhere},
		{"to a peer that has moved behind a NAT", func(t *testing.T, c *call, _ *sip.Request) {
			c.moves(t)
			c.change(t, func(d *dialogstore.Dialog) { d.Behind, d.Source = true, nat })
		}, 3, elsewhere, nat},
		{"in a call that we do not know", func(t *testing.T, c *call, ack *sip.Request) {
			c.dialog.Count.Number(3, true)
			other := sip.CallIDHeader("other")
			ack.ReplaceHeader(&other)
		}, 3, them, them},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCall(t, nil, func(t *testing.T, call *call) {
				ack := call.request(t, sip.ACK, 3)
				c.before(t, call, ack)
				if err := call.r.ack(t.Context(), ack); err != nil {
					t.Fatal(err)
				}
				sent := call.last(t)
				if req := sent.SIP.(*sip.Request); !req.IsAck() || req.CSeq().SeqNo != c.cseq || sent.To != c.to || req.Recipient.HostPort() != c.uri {
					t.Errorf("sent to %s:\n%s\nwant CSeq %d for %s to %s", sent.To, req, c.cseq, c.uri, c.to)
				}
				if ack.CSeq().SeqNo != 3 || ack.Recipient.HostPort() != them || ack.MessageData.Destination() != "" {
					t.Errorf("the application's message is now\n%s", ack)
				}
				if got := call.stored(t); got.Destination != "" {
					t.Errorf("stored as chosen by the application: %q", got.Destination)
				}
			})
		})
	}
}

// Without a CSeq, or to a call that has none, a message passes as it is.
func TestAckWithoutCSeq(t *testing.T) {
	inCall(t, nil, func(t *testing.T, c *call) {
		ack := c.request(t, sip.ACK, 3)
		ack.RemoveHeader("CSeq")
		if err := c.r.ack(t.Context(), ack); err != nil {
			t.Fatal(err)
		}
		if sent := c.last(t); strings.Contains(string(sent.Raw), "CSeq") || sent.To != them {
			t.Errorf("sent to %s:\n%s", sent.To, sent.Raw)
		}
		ack.SetTransport("NONE")
		if err := c.r.ack(t.Context(), ack); err == nil {
			t.Error("one that cannot be sent is no error")
		}
	})
}

// The peer may react to the ACK before its effects are committed, so they are announced before
// it leaves. One that cannot be sent has none.
func TestAckIsHandedOver(t *testing.T) {
	for _, transport := range []string{"UDP", "NONE"} {
		inCall(t, nil, func(t *testing.T, c *call) {
			c.lateOffer()
			announced := false
			c.net.Observe(func(sipnet.Message) { announced = c.dialog.Uncommitted() })
			ack := c.request(t, sip.ACK, 11)
			ack.AppendHeader(sip.NewHeader("Content-Type", offeranswer.SDP))
			ack.SetBody([]byte("v=0 ours"))
			ack.SetTransport(transport)
			err := c.r.ack(ended(), ack) // as sipgo, it does not look at the context
			if ok := transport == "UDP"; (err == nil) != ok || announced != ok || len(c.stored(t).SDP) > 0 != ok {
				t.Errorf("%s: %v; announced: %t, its answer is stored: %t", transport, err, announced, len(c.stored(t).SDP) > 0)
			}
			if c.dialog.Uncommitted() {
				t.Errorf("%s: it is still to be committed", transport)
			}
		})
	}
}

// lateOffer makes a re-INVITE of ours, CSeq 11, have an offer of the peer in its 2xx.
func (c *call) lateOffer() {
	c.dialog.Said(offeranswer.Us, offeranswer.Message{Method: "INVITE", CSeq: 11}, c.d.RemoteTag)
	c.dialog.Said(offeranswer.Peer, offeranswer.Message{Method: "INVITE", CSeq: 11, Status: 200, Type: offeranswer.SDP, Body: []byte("v=0 theirs")}, c.d.RemoteTag)
}

// The ACK of a further 2xx makes its dialog (RFC 3261 §13.2.2.4), before it is sent and even
// if the context of the ACK ends meanwhile.
func TestAckTakesFork(t *testing.T) {
	inCall(t, nil, func(t *testing.T, c *call) {
		joined := 0
		c.set.Fork("fork", func(ctx context.Context) {
			if joined++; ctx.Err() != nil || len(c.sent()) > 0 {
				t.Errorf("joined after %d messages, with %v; want it before the ACK", len(c.sent()), ctx.Err())
			}
			c.set.Accept("fork")
		})
		announced := false
		c.net.Observe(func(sipnet.Message) { announced = c.set.Dialog("fork").Uncommitted() })
		ack := c.request(t, sip.ACK, 3)
		ack.To().Params.Add("tag", "fork")
		if err := c.r.ack(ended(), ack); err != nil || joined != 1 || !announced {
			t.Errorf("%v; joined %d times, announced in the new dialog: %t", err, joined, announced)
		}
	})
}

// An ACK may answer a late offer (RFC 3261 §13.2.1), and have a destination that the
// application chose. What it does not change is not stored.
func TestAcknowledged(t *testing.T) {
	for _, c := range []struct {
		name        string
		chosen      string // destination of the ACK
		led         bool
		answers     bool
		destination string // stored after that
		commits     uint64
	}{
		{name: "nothing new"},
		{name: "an answer", answers: true, commits: 1},
		{name: "a destination", chosen: elsewhere, destination: elsewhere, commits: 1},
		{name: "both", chosen: elsewhere, answers: true, destination: elsewhere, commits: 1},
		{name: "a destination that we chose", chosen: elsewhere, led: true},
		{name: "an answer to where we chose", chosen: elsewhere, led: true, answers: true, commits: 1},
		{name: "where it goes anyway", chosen: them},
	} {
		inCall(t, nil, func(t *testing.T, call *call) {
			ack := call.request(t, sip.ACK, 11)
			if c.answers {
				call.lateOffer()
				ack.AppendHeader(sip.NewHeader("Content-Type", offeranswer.SDP))
				ack.SetBody([]byte("v=0 ours"))
			}
			if c.chosen != "" {
				ack.SetDestination(c.chosen)
			}
			call.acknowledged(t.Context(), call.d.ID, call.dialog, ack, c.led)
			call.acknowledged(t.Context(), call.d.ID, call.dialog, ack, c.led) // sent again
			d := call.stored(t)
			want := ""
			if c.answers {
				want = "v=0 ours"
			}
			if string(d.SDP) != want || d.Destination != c.destination || d.Version-call.d.Version != c.commits {
				t.Errorf("%s: stored %q and %q in %d commits; want %q and %q in %d", c.name, d.SDP, d.Destination, d.Version-call.d.Version, want, c.destination, c.commits)
			}
			none := call.request(t, sip.ACK, 12)
			if call.acknowledged(t.Context(), call.d.ID, call.dialog, none, false); call.stored(t).Version != d.Version {
				t.Errorf("%s: an ACK that says nothing is stored", c.name)
			}
			gone := call.set.ID("gone")
			if call.acknowledged(t.Context(), gone, new(dialogset.Dialog), ack, false); call.log.Count("level=ERROR") > 0 {
				t.Errorf("%s: for a dialog that has ended: %s", c.name, call.log.String())
			}
		})
	}
}

// Where the application sends is a wish if nothing else leads there.
func TestDestination(t *testing.T) {
	for _, c := range []struct {
		name, pinned string
		routes       []string
		want         string
	}{
		{"none", "", nil, ""},
		{"a place of its own", "10.0.0.7:5060", nil, "10.0.0.7:5060"},
		{"where its URI leads", "10.0.0.9:5060", nil, ""},
		{"another port there", "10.0.0.9:5070", nil, "10.0.0.9:5070"},
		{"the route set leads (RFC 3261 §12.2.1.1)", "10.0.0.7:5060", []string{"<sip:10.0.0.7;lr>"}, ""},
	} {
		req := sip.NewRequest(sip.ACK, uri(t, "sip:peer@10.0.0.9"))
		if c.pinned != "" {
			req.SetDestination(c.pinned)
		}
		var d dialogstore.Dialog
		d.RouteSet = c.routes
		if got := destination(req, d); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
