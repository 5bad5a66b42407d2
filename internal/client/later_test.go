package client

import (
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// describe gives a message a session description.
func describe(m sip.Message, sdp string) {
	m.AppendHeader(sip.NewHeader("Content-Type", offeranswer.SDP))
	m.SetBody([]byte(sdp))
}

// later sends a request of the application, and returns it as the peer gets it.
func (c *call) later(t *testing.T, req *sip.Request, led bool) (l *laterOffer, tx sip.ClientTransaction, got *sip.Request) {
	t.Helper()
	l = c.r.newLaterOffer(c.set, c.dialog, req, led)
	tx, err := l.begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return l, tx, c.peer.ExpectRequest(t, req.Method)
}

// RFC 4028 §7.4: a request within a stored dialog asks for its session, and at least for the
// Min-SE of the peer. An early dialog is not stored, and asks for nothing.
func TestLaterProposes(t *testing.T) {
	learned := func(d *dialogstore.Dialog) { d.MinSE = 2000 * time.Second }
	for _, early := range []bool{false, true} {
		inCall(t, learned, func(t *testing.T, c *call) {
			if early {
				if _, err := c.calls.Store.Delete(t.Context(), c.d.ID); err != nil {
					t.Fatal(err)
				}
			}
			invited := sessiontimer.Policy{Mode: sessiontimer.Accept, Strict: true}
			c.set.Invite(invited)
			l, tx, got := c.later(t, c.request(t, sip.UPDATE, 3), false)
			defer tx.Terminate()
			if want := map[bool]sessiontimer.Policy{true: invited, false: c.d.Policy}[early]; l.policy != want {
				t.Errorf("early: %t: the policy is %+v, want %+v", early, l.policy, want)
			}
			se, minSE := got.GetHeader(sessiontimer.HeaderSessionExpires), got.GetHeader(sessiontimer.HeaderMinSE)
			if early != (se == nil) || early != (minSE == nil) {
				t.Errorf("early: %t: Session-Expires %v, Min-SE %v", early, se, minSE)
			}
			if !early && (se.Value() != "2000;refresher=uac" || minSE.Value() != "2000") {
				t.Errorf("Session-Expires %s, Min-SE %s; want 2000 of both", se.Value(), minSE.Value())
			}
			if got.CSeq().SeqNo != 11 {
				t.Errorf("CSeq %d, want 11", got.CSeq().SeqNo)
			}
		})
	}
}

// What is agreed is taken from the store for a request that may change it, and only for that.
func TestLaterRecalls(t *testing.T) {
	agreed := func(d *dialogstore.Dialog) { d.PeerSDP, d.PeerSDPType = []byte("v=0 b"), offeranswer.SDP }
	for _, c := range []struct {
		method  sip.RequestMethod
		body    string
		recalls bool
	}{{sip.INVITE, "", true}, {sip.INVITE, "v=0 a", true}, {sip.UPDATE, "v=0 a", true}, {sip.UPDATE, "", false}} {
		inCall(t, agreed, func(t *testing.T, call *call) {
			req := call.request(t, c.method, 3)
			if c.body != "" {
				describe(req, c.body)
			}
			_, tx, _ := call.later(t, req, false)
			defer tx.Terminate()
			if got := string(call.dialog.Agreed().Peers.Body); (got == "v=0 b") != c.recalls {
				t.Errorf("%s %q: the peer's description is %q", c.method, c.body, got)
			}
		})
	}
}

// RFC 4028 §7.2: a 2xx restarts the session, and RFC 3261 §12.2: it changes where both sides
// are. What does not belong to the call changes nothing.
func TestLaterAccepted(t *testing.T) {
	for _, c := range []struct {
		name    string
		method  sip.RequestMethod
		headers []string
		renewed bool
	}{
		{"an UPDATE", sip.UPDATE, []string{"Session-Expires: 600;refresher=uas", "Require: timer"}, true},
		{"a re-INVITE", sip.INVITE, []string{"Session-Expires: 600;refresher=uas", "Require: timer", "v=0 theirs"}, true},
		{"of another call", sip.UPDATE, []string{"Session-Expires: 600;refresher=uas", "Call-ID: other"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCall(t, nil, func(t *testing.T, call *call) {
				req := call.request(t, c.method, 3)
				req.ReplaceHeader(&sip.ContactHeader{Address: uri(t, "sip:new@"+us)})
				if req.IsInvite() {
					describe(req, "v=0 ours")
				}
				call.change(t, func(d *dialogstore.Dialog) { d.LocalAddr = "10.0.0.1:5070" }) // of a socket before
				_, tx, got := call.later(t, req, false)
				time.Sleep(time.Second)
				call.peer.Reply(got, 200, "OK", append([]string{"Contact: <sip:peer@" + elsewhere + ">"}, c.headers...)...)
				<-tx.Responses()
				d := call.stored(t)
				moved, _, from := call.dialog.Elsewhere(req)
				if (moved != nil) != c.renewed || d.LocalCSeq != 11 {
					t.Errorf("moved to %v, last CSeq %d", moved, d.LocalCSeq)
				}
				refreshed := call.calls.Figures.Read()[""].Refreshed[sessiontimer.Local]
				if !c.renewed {
					if !d.Session.Equal(call.d.Session) || refreshed != (calls.ByMethod{}) {
						t.Errorf("session %+v, counted %v; want that nothing changes", d.Session, refreshed)
					}
					call.wantLog(t, 1, "no session timer for the call", call.d.ID, "error=")
					return
				}
				if d.Session.Interval != 600*time.Second || d.Session.Refresher != sessiontimer.Peer || !d.Session.Since.Equal(time.Now()) || d.LastMethod != string(c.method) {
					t.Errorf("session %+v by %s; want 600 s of the peer, from the 2xx", d.Session, d.LastMethod)
				}
				if d.RemoteTarget != "sip:peer@"+elsewhere || d.Contact != "<sip:new@"+us+">" || from != us || d.LocalAddr != us {
					t.Errorf("the peer is at %s, we are at %s on %s; want both moved", d.RemoteTarget, d.Contact, from)
				}
				if refreshed[map[sip.RequestMethod]int{sip.INVITE: calls.Invite, sip.UPDATE: calls.Update}[c.method]] != 1 {
					t.Errorf("counted %v, want one refresh of ours", refreshed)
				}
				if ours, theirs := string(d.SDP), string(d.PeerSDP); req.IsInvite() != (ours == "v=0 ours" && theirs == "v=0 theirs") {
					t.Errorf("agreed are %q and %q", ours, theirs)
				}
			})
		})
	}
}

// What a 2xx settles depends on what was asked and when: a 2xx without Session-Expires leaves
// the session as it was asked for, and the peer of an UPDATE counts from when it got that, for
// all we know (RFC 4028 §7.2).
func TestSettle(t *testing.T) {
	const delay = 5 * time.Second
	for _, c := range []struct {
		name    string
		method  sip.RequestMethod
		header  string
		want    time.Duration // interval
		refresh time.Duration // since the request was sent
	}{
		{"an UPDATE", sip.UPDATE, "Session-Expires: 600;refresher=uac", 600 * time.Second, 300 * time.Second},
		{"a re-INVITE, whose user may have hesitated", sip.INVITE, "Session-Expires: 600;refresher=uac", 600 * time.Second, 300*time.Second + delay},
		{"no Session-Expires", sip.UPDATE, "Subject: x", 1800 * time.Second, 900 * time.Second},
		{"no refresher, which is who was asked for", sip.UPDATE, "Session-Expires: 600", 600 * time.Second, 300 * time.Second},
		{"more than asked for", sip.UPDATE, "Session-Expires: 6000;refresher=uac", 6000 * time.Second, 900 * time.Second},
	} {
		inCall(t, nil, func(t *testing.T, call *call) {
			begun := time.Now()
			_, tx, got := call.later(t, call.request(t, c.method, 3), false)
			time.Sleep(delay)
			call.peer.Reply(got, 200, "OK", c.header, "")
			<-tx.Responses()
			s := call.stored(t).Session
			if s.Interval != c.want || s.Refresher != sessiontimer.Local || !s.Since.Equal(time.Now()) || s.RefreshAt().Sub(begun) != c.refresh {
				t.Errorf("%s: %+v, to be refreshed after %v; want %v, %v", c.name, s, s.RefreshAt().Sub(begun), c.want, c.refresh)
			}
		})
	}
}

// What has begun is finished even if nobody waits for it any more.
func TestLaterDetached(t *testing.T) {
	inCall(t, nil, func(t *testing.T, c *call) {
		l, tx, _ := c.later(t, c.request(t, sip.UPDATE, 3), false)
		defer tx.Terminate()
		l.proposal, l.policy = sessiontimer.Proposal{}, sessiontimer.Policy{}
		if l.propose(ended()); !l.proposal.Send || l.policy != c.d.Policy {
			t.Error("nothing is asked for")
		}
		if l.numbered(ended(), 20); c.stored(t).LocalCSeq != 20 {
			t.Error("the CSeq is not stored")
		}
		res := answerTo(l.req, nil, them)
		res.AppendHeader(sip.NewHeader(sessiontimer.HeaderSessionExpires, "600;refresher=uac"))
		if l.accepted(ended(), res); c.stored(t).Session.Interval != 600*time.Second {
			t.Error("the session is not stored")
		}
	})
	inCall(t, nil, func(t *testing.T, c *call) {
		req := c.request(t, sip.PRACK, 3)
		describe(req, "v=0 ours")
		l, tx, _ := c.later(t, req, false)
		defer tx.Terminate()
		res := answerTo(l.req, nil, them)
		describe(res, "v=0 theirs")
		if l.told(ended(), res); string(c.stored(t).PeerSDP) != "v=0 theirs" {
			t.Error("the answer is not stored")
		}
	})
}

// A 2xx settles nothing in a dialog that has ended meanwhile.
func TestSettleEnded(t *testing.T) {
	inCall(t, nil, func(t *testing.T, c *call) {
		req := c.request(t, sip.UPDATE, 3)
		describe(req, "v=0 ours")
		l, tx, _ := c.later(t, req, false)
		defer tx.Terminate()
		if _, err := c.calls.Store.Delete(t.Context(), c.d.ID); err != nil {
			t.Fatal(err)
		}
		res := answerTo(l.req, nil, them)
		describe(res, "v=0 theirs")
		if _, agreed, news := l.settle(t.Context(), res, nil, calls.Sent{}); news || len(agreed.Peers.Body) > 0 {
			t.Errorf("agreed is %q, which is news: %t", agreed.Peers.Body, news)
		}
		if c.calls.Figures.Read()[""].Refreshed[sessiontimer.Local] != (calls.ByMethod{}) || c.log.Count("level=ERROR") > 0 {
			t.Errorf("it is counted, or logged: %s", c.log.String())
		}
	})
}

// A Session-Expires that cannot be parsed is logged with the names of the dialog.
func TestLaterMalformed(t *testing.T) {
	inCall(t, nil, func(t *testing.T, c *call) {
		_, tx, got := c.later(t, c.request(t, sip.UPDATE, 3), false)
		c.peer.Reply(got, 200, "OK", "Session-Expires: soon")
		<-tx.Responses()
		c.wantLog(t, 1, "malformed", c.d.ID, "error=")
	})
}

// RFC 4028 §7.4: the Min-SE of a 422 counts until the end of the dialog, and the request goes
// out again with it.
func TestLaterTooSmall(t *testing.T) {
	inCall(t, nil, func(t *testing.T, c *call) {
		_, tx, got := c.later(t, c.request(t, sip.UPDATE, 3), false)
		_ = tx.Responses()
		c.peer.Reply(got, 422, "Session Interval Too Small", "Min-SE: 2000")
		again := c.peer.ExpectRequest(t, sip.UPDATE)
		if n, se := again.CSeq().SeqNo, again.GetHeader(sessiontimer.HeaderSessionExpires).Value(); n != 12 || se != "2000;refresher=uac" || c.stored(t).MinSE != 2000*time.Second {
			t.Errorf("CSeq %d with %s, stored is %v; want 12 and 2000 s", n, se, c.stored(t).MinSE)
		}
		tx.Terminate()
	})
}

// What a Min-SE in the store exceeds is not learned again.
func TestLearnsHighestMinSE(t *testing.T) {
	inCall(t, func(d *dialogstore.Dialog) { d.MinSE = 300 * time.Second }, func(t *testing.T, c *call) {
		l := c.r.newLaterOffer(c.set, c.dialog, c.request(t, sip.UPDATE, 3), false)
		for _, row := range []struct{ minSE, want time.Duration }{{200 * time.Second, 300 * time.Second}, {400 * time.Second, 400 * time.Second}} {
			if l.learn(t.Context(), row.minSE); c.stored(t).MinSE != row.want {
				t.Errorf("after %v the stored one is %v, want %v", row.minSE, c.stored(t).MinSE, row.want)
			}
		}
	})
}

// RFC 3262 §5: a PRACK may have an offer, and its 2xx the answer. It starts no session.
func TestPrackWithOffer(t *testing.T) {
	inCall(t, nil, func(t *testing.T, c *call) {
		req := c.request(t, sip.PRACK, 3)
		describe(req, "v=0 ours")
		_, tx, got := c.later(t, req, false)
		c.peer.Reply(got, 200, "OK", "Session-Expires: 600;refresher=uas", "Content-Type: application/sdp", "v=0 theirs")
		<-tx.Responses()
		if d := c.stored(t); string(d.SDP) != "v=0 ours" || string(d.PeerSDP) != "v=0 theirs" || !d.Session.Equal(c.d.Session) {
			t.Errorf("agreed are %q and %q, session %+v; want both and the same session", d.SDP, d.PeerSDP, d.Session)
		}
	})
}

// A refusal withdraws an offer (RFC 3261 §14.1): what is agreed stays, and so does the session.
func TestLaterRefused(t *testing.T) {
	agreed := func(d *dialogstore.Dialog) {
		d.SDP, d.SDPType, d.PeerSDP, d.PeerSDPType = []byte("v=0 a"), offeranswer.SDP, []byte("v=0 b"), offeranswer.SDP
	}
	inCall(t, agreed, func(t *testing.T, c *call) {
		req := c.request(t, sip.UPDATE, 3)
		describe(req, "v=0 ours")
		_, tx, got := c.later(t, req, false)
		c.peer.Reply(got, 488, "Not Acceptable Here")
		<-tx.Responses()
		if d := c.stored(t); string(d.SDP) != "v=0 a" || !d.Session.Equal(c.d.Session) || string(c.dialog.Agreed().Peers.Body) != "v=0 b" {
			t.Errorf("agreed are %q and %q", d.SDP, c.dialog.Agreed().Peers.Body)
		}
		answer := offeranswer.Message{Method: "UPDATE", CSeq: 11, Status: 200, Type: offeranswer.SDP, Body: []byte("v=0 c")}
		if _, news := c.dialog.Said(offeranswer.Peer, answer, "theirs"); news {
			t.Error("its offer is still open")
		}
		if clash := c.dialog.OpenUpdate(true); clash != dialogset.NoClash {
			t.Errorf("an offer of the peer clashes with what is over: %d", clash)
		}
	})
}

// The CSeq in the store never falls. Where the application sends is stored with it, unless we
// have led the request there.
func TestCommitNumber(t *testing.T) {
	for _, c := range []struct {
		cseq        uint32
		chosen      bool
		want        uint32
		destination string
	}{
		{20, true, 20, elsewhere}, {20, false, 20, ""}, {5, true, 10, elsewhere}, {5, false, 10, ""},
	} {
		inCall(t, nil, func(t *testing.T, call *call) {
			req := call.request(t, sip.UPDATE, 3)
			req.SetDestination(elsewhere)
			l := call.r.newLaterOffer(call.set, call.dialog, req, !c.chosen)
			l.numbered(t.Context(), c.cseq)
			if d := call.stored(t); d.LocalCSeq != c.want || d.Destination != c.destination {
				t.Errorf("CSeq %d, chosen: %t: stored are %d and %q, want %d and %q", c.cseq, c.chosen, d.LocalCSeq, d.Destination, c.want, c.destination)
			}
			req.SetDestination("")
			l.numbered(t.Context(), c.cseq)
			if d := call.stored(t); d.Destination != c.destination {
				t.Errorf("a request without a destination makes it %q", d.Destination)
			}
		})
	}
}

// A request that outlives its dialog is the last that needs the set.
func TestLaterOutlivesDialog(t *testing.T) {
	inCall(t, nil, func(t *testing.T, c *call) {
		req := c.request(t, sip.INVITE, 3)
		l, tx, _ := c.later(t, req, false)
		if _, last := c.set.End("theirs", false, sessiontimer.Reason{Cause: sessiontimer.CauseHungUp}); last {
			t.Fatal("the set is not needed while the INVITE is in flight")
		}
		tx.Terminate()
		l.over(nil)
		if c.calls.Sets.Len() != 1 {
			t.Error("the set is dropped at once, while its transactions live")
		}
		if time.Sleep(2 * dialogset.Life()); c.calls.Sets.Len() != 0 {
			t.Error("the set is kept")
		}
	})
}
