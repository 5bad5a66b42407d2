package middleware_test

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// G2: a node dies when a refresh of its is due, and another one sends that within the
// lease and a second.
func TestTakeoverRefreshesInTime(t *testing.T) {
	for _, c := range []struct {
		name   string
		allow  string
		method sip.RequestMethod
		dies   time.Duration
		from   time.Duration // when the refresh is sent, at the earliest
		until  time.Duration
	}{
		{"after the half, UPDATE", allow, sip.UPDATE, 899 * time.Second, 900 * time.Second, 899*time.Second + takenBy},
		{"after the half, re-INVITE", "Allow: INVITE", sip.INVITE, 899 * time.Second, 900 * time.Second, 899*time.Second + takenBy},
		{"long before the half", allow, sip.UPDATE, 100 * time.Second, 900 * time.Second, 900 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCluster(t, func(l *cluster) {
				a, b := l.alice(), l.bob()
				l.callPeer(a.UA, l.peer, c.allow, timerHeader, se1800)
				invite := l.requests(aliceAddr, "INVITE")[0].SIP.(*sip.Request)
				l.at(c.dies)
				a.crash()
				l.at(c.from - time.Nanosecond)
				if got := l.count(bobAddr, string(c.method)); got > 0 {
					l.Errorf("%d requests before anything is due", got)
				}
				l.at(c.until)
				if got := l.sent(bobAddr, c.method); len(got) != 1 || got[0] < c.from || got[0] > c.until {
					l.Errorf("refreshed at %v, want once between %v and %v", got, c.from, c.until)
				}
				req := l.answer(l.peer.ExpectRequest(l, c.method), se1800)
				if got, want := req.CSeq().SeqNo, invite.CSeq().SeqNo+1001; got != want {
					l.Errorf("CSeq %d, want %d: a thousand above the last and the next", got, want)
				}
				if got := field(req, "Contact"); got != field(invite, "Contact") {
					l.Errorf("Contact %q, want that of the former owner: the nodes are behind one address", got)
				}
				b.wantSaw(0, "TakenOver", "Refreshed")
				if e, _ := first[sessiontimer.TakenOver](b); e.From != "alice" {
					l.Errorf("taken over from %q", e.From)
				}
				b.wantLogged("call taken over")
				l.at(c.until + 10*time.Second)
				l.wantOwner("bob")
			})
		})
	}
}

// J-24: a refresh that had no answer when its node died has a CSeq, too, that the next owner
// goes on from.
func TestTakeoverDuringRefresh(t *testing.T) {
	for _, r := range refreshes {
		t.Run(string(r.method), func(t *testing.T) {
			inCluster(t, func(l *cluster) {
				a := l.alice()
				l.bob()
				l.callPeer(a.UA, l.peer, r.allow, timerHeader, se1800)
				l.at(905 * time.Second)
				a.crash()
				l.at(905*time.Second + takenBy)
				last, next := l.requests(aliceAddr, string(r.method)), l.requests(bobAddr, string(r.method))
				if len(next) == 0 {
					l.Fatal("no refresh by the next owner")
				}
				if got, want := next[0].SIP.CSeq().SeqNo, last[len(last)-1].SIP.CSeq().SeqNo+1001; got != want {
					l.Errorf("CSeq %d, want %d: a thousand above the last and the next", got, want)
				}
			})
		})
	}
}

// RFC 3261 §12.2: a node at another address tells the peer at once where it is. The
// route set stays (J-25).
func TestTakeoverAnnouncesAddress(t *testing.T) {
	const route = "<sip:10.0.0.9:5060;lr>"
	for _, c := range []struct {
		name   string
		allow  string
		refuse int // the UPDATE
		method sip.RequestMethod
	}{
		{"UPDATE", allow, 0, sip.UPDATE},
		{"UPDATE not allowed", "Allow: INVITE", 0, sip.INVITE},
		{"UPDATE allowed, but refused", allow, 501, sip.INVITE},
		{"UPDATE allowed, but not acceptable", allow, 405, sip.INVITE},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCluster(t, func(l *cluster) {
				a, b := l.alice(failover.WithAddress(aliceAddr)), l.bob(failover.WithAddress(bobAddr))
				l.callPeer(a.UA, l.peer, c.allow, timerHeader, se1800, "Record-Route: "+route)
				l.at(100 * time.Second)
				a.crash()
				if c.refuse > 0 {
					l.peer.Reply(l.peer.ExpectRequest(l, sip.UPDATE), c.refuse, "No")
				}
				req := l.answer(l.peer.ExpectRequest(l, c.method), se1800)
				if at := l.sent(bobAddr, c.method)[0]; at > 100*time.Second+takenBy+time.Second {
					l.Errorf("told at %v", at)
				}
				if got, want := field(req, "Contact"), "<sip:alice@10.0.0.2:5060>"; got != want {
					l.Errorf("Contact %q, want %q", got, want)
				}
				if got := field(req, "Route"); got != route {
					l.Errorf("Route %q, want %q", got, route)
				}
				if from := req.Source(); from != bobAddr {
					l.Errorf("sent from %s", from)
				}
				// The peer's requests come here by now.
				if res := l.asks(sip.UPDATE); res.StatusCode != 200 || field(res, "Contact") != "<sip:alice@10.0.0.2:5060>" {
					l.Errorf("the peer's UPDATE got\n%s", res)
				}
				for d := range b.Timers.Store().All(t.Context()) {
					if d.LocalAddr != bobAddr {
						l.Errorf("local address %s, want ours", d.LocalAddr)
					}
					if d.NoUpdate != (c.refuse > 0) {
						l.Errorf("refreshes may be UPDATEs: %v, want %v", !d.NoUpdate, c.refuse == 0)
					}
				}
				before := len(l.sent(bobAddr, sip.UPDATE)) + len(l.sent(bobAddr, sip.INVITE))
				l.at(900 * time.Second)
				if after := len(l.sent(bobAddr, sip.UPDATE)) + len(l.sent(bobAddr, sip.INVITE)); after > before {
					l.Errorf("%d requests more after the peer was told", after-before)
				}
			})
		})
	}
}

// An announcement is repeated where the peer says later, and given up where the call is
// over for it (J-25).
func TestTakeoverAnnouncesAgain(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a, b := l.alice(), l.bob(failover.WithAddress(bobAddr))
		l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		l.at(100 * time.Second)
		a.crash()
		l.peer.Reply(l.peer.ExpectRequest(l, sip.UPDATE), 503, "Busy")
		l.peer.Reply(l.peer.ExpectRequest(l, sip.UPDATE), 481, "No such call")
		l.peer.Reply(l.peer.ExpectRequest(l, sip.BYE), 481, "No such call")
		b.wantSaw(0, "TakenOver", "Expired", "Ended")
		l.wantNothingLeft(b.UA)
		l.wantOwner("")
	})
}

// A refresh that is accepted before the announcement is repeated has told the peer the
// Contact: nothing is left to be announced.
func TestTakeoverAnnouncedByRefresh(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a, _ := l.alice(), l.bob(failover.WithAddress(bobAddr))
		l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		l.at(890 * time.Second)
		a.crash()
		l.peer.Reply(l.peer.ExpectRequest(l, sip.UPDATE), 503, "Busy", "Retry-After: 20")
		l.at(900 * time.Second)
		l.answer(l.peer.ExpectRequest(l, sip.UPDATE), se1800)
		l.at(1790 * time.Second)
		if updates := l.sent(bobAddr, sip.UPDATE); len(updates) != 2 {
			l.Errorf("UPDATEs at %v, want two", updates)
		}
	})
}

// A takeover may give the call another session description, which the peer gets at
// once, and another Contact.
func TestTakeoverGivesDescription(t *testing.T) {
	for _, c := range []struct {
		name string
		dies time.Duration
	}{
		{"nothing due", 100 * time.Second},
		{"the refresh is due", 899 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) { givesDescription(t, c.dies) })
	}
}

func givesDescription(t *testing.T, dies time.Duration) {
	inCluster(t, func(l *cluster) {
		a := l.alice()
		l.bob(failover.WithTakeover(func(d dialogstore.Dialog) failover.Decision {
			return failover.Decision{SDP: []byte(hold), Contact: "<sip:media@10.0.0.2:5060>"}
		}))
		l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		l.at(dies)
		a.crash()
		told := 0
		for told == 0 {
			msg, ok := l.peer.Recv(40 * time.Second)
			if !ok {
				l.Fatal("the peer was not told of the new description")
			}
			req := msg.(*sip.Request)
			if got := field(req, "Contact"); got != "<sip:media@10.0.0.2:5060>" {
				l.Errorf("Contact %q of the %s, want that of the decision", got, req.Method)
			}
			l.answer(req, se1800)
			if req.IsInvite() {
				told++
				if string(req.Body()) != hold {
					l.Errorf("re-INVITE with\n%s", req.Body())
				}
			}
		}
		if at := l.sent(bobAddr, sip.INVITE)[0]; at > dies+takenBy+2*time.Second {
			l.Errorf("told at %v", at)
		}
		l.at(dies + time.Minute)
		if got := l.sent(bobAddr, sip.INVITE); len(got) != 1 {
			l.Errorf("re-INVITEs at %v, want one", got)
		}
	})
}

// What a takeover of many calls has to say at once keeps to WithRefreshLimits.
func TestTakeoverKeepsToLimits(t *testing.T) {
	const calls = 40
	for _, c := range []struct {
		name      string
		opts      []failover.Option
		method    string
		perSecond int
		longest   time.Duration // from the first to the last
		shortest  time.Duration
	}{
		{"BYEs", []failover.Option{failover.WithTakeover(failover.End)}, "BYE", 10, 5 * time.Second, 3 * time.Second},
		{"Contacts", []failover.Option{failover.WithAddress(bobAddr)}, "UPDATE", 10, 5 * time.Second, 3 * time.Second},
		{"without limits", []failover.Option{failover.WithAddress(bobAddr)}, "UPDATE", math.MaxInt, time.Second, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCluster(t, func(l *cluster) {
				dead := failover.Node{Name: "dead", Run: "1"}
				if _, err := l.registry.Beat(t.Context(), dead); err != nil {
					l.Fatal(err)
				}
				for i := range calls {
					d := streamCall(fmt.Sprintf("call-%02d", i), "udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(peerAddr)), 1800*time.Second)
					d.Version, d.OwnsCallID, d.LocalAddr = 1, true, aliceAddr
					entry := failover.Entry{Epoch: 1, Dialog: d, Age: 100*time.Second + time.Duration(calls-i)*time.Second}
					if errs, err := l.registry.Put(t.Context(), dead, []failover.Entry{entry}); err != nil || errs[0] != nil {
						l.Fatal(err, errs)
					}
				}
				l.node("bob", bobAddr, c.opts, middleware.WithRefreshLimits(c.perSecond, math.MaxInt))
				l.at(30 * time.Second)
				var at []time.Duration
				for _, m := range l.requests(bobAddr, c.method) {
					at = append(at, m.At)
				}
				if len(at) != calls || at[calls-1]-at[0] > c.longest || at[calls-1]-at[0] < c.shortest {
					l.Errorf("sent at %v", at)
				}
			})
		})
	}
}

// The peer gets the description although the session is refreshed meanwhile, here by an
// UPDATE of the application that has restored its dialog.
func TestTakeoverGivesDescriptionAfterRefresh(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a := l.alice()
		b := l.bob(failover.WithTakeover(func(dialogstore.Dialog) failover.Decision {
			return failover.Decision{SDP: []byte(hold), Restored: true}
		}))
		d := l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		l.at(100 * time.Second)
		a.crash()
		l.peer.Reply(l.peer.ExpectRequest(l, sip.INVITE), 503, "Later")
		l.peer.ExpectRequest(l, sip.ACK)
		refused := l.net.Elapsed()
		l.at(refused + 900*time.Millisecond)
		update := sip.NewRequest(sip.UPDATE, peerURI)
		for _, h := range []sip.Header{d.InviteRequest.From(), d.InviteResponse.To(), d.InviteRequest.CallID(),
			&sip.CSeqHeader{SeqNo: d.InviteRequest.CSeq().SeqNo + 1, MethodName: sip.UPDATE}} {
			update.AppendHeader(sip.HeaderClone(h))
		}
		go func() { _, _ = b.Client.Do(context.Background(), update) }()
		update = l.peer.ExpectRequest(l, sip.UPDATE)
		l.at(refused + 1100*time.Millisecond) // the next attempt waits for the answer
		l.peer.Reply(update, 200, "OK", timerHeader, "Session-Expires: 1800;refresher=uac")
		if invite := l.answer(l.peer.ExpectRequest(l, sip.INVITE), se1800); string(invite.Body()) != hold {
			l.Errorf("re-INVITE with\n%s", invite.Body())
		}
	})
}
