package middleware_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// The peer's messages come from peerAddr, over a stream from streamAddr, and its
// Contact may be elsewhere.
const (
	elsewhere  = "10.0.0.99:5060"
	streamAddr = "10.0.0.9:51000"
)

// the target of each of our requests, and when it was first sent.
type directed struct {
	to string
	at time.Duration
}

// directed returns our requests of the method, without retransmissions.
func (l *lab) directed(method sip.RequestMethod) []directed {
	var out []directed
	for _, m := range l.requests(bobAddr, string(method)) {
		out = append(out, directed{m.To, m.At})
	}
	return out
}

func (l *lab) wantDirected(method sip.RequestMethod, want ...directed) {
	l.Helper()
	if got := l.directed(method); !slices.Equal(got, want) {
		l.Errorf("%s went to %v, want %v", method, got, want)
	}
}

// E-30: a phone seen through a NAT moves to where its Contact is right.
func TestPeerMovesOutOfNAT(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p, now := l.bob(), l.net.Peer(publicAddr), l.net.Peer("198.51.100.7:5060")
		l.peerCalls(p, bob, timerHeader, allow, weRefresh, private)
		update := p.Request(sip.UPDATE, timerHeader, weRefresh, private)
		wantStatus(l, p, "first", 200)
		again := update.Clone()
		again.CSeq().SeqNo++
		again.Via().Params.Add("branch", "z9hG4bK-moved")
		again.Via().Host, again.Via().Port = "198.51.100.7", 5060
		again.RemoveHeader("Contact")
		again.AppendHeader(sip.NewHeader("Contact", "<sip:peer@198.51.100.7:5060>"))
		now.Send(bobAddr, again.String())
		wantStatus(l, now, "moved", 200)
		l.at(900 * time.Second)
		l.wantDirected(sip.UPDATE, directed{"198.51.100.7:5060", 900 * time.Second})
	})
}

// D-27: the Contact leads nowhere, but the peer answers at the source of its messages. The
// refresh gets there, and the next refresh and the BYE go there directly. The next place is
// tried after half of the time of the UPDATE, or when the transaction is over.
func TestContactLeadsNowhere(t *testing.T) {
	for _, r := range refreshes {
		for _, contact := range []string{elsewhere, "peer.local:5060"} {
			t.Run("D-27 "+string(r.method)+" "+contact, func(t *testing.T) {
				inLab(t, func(l *lab) {
					bob, p := l.bob(), l.peer()
					contact := "Contact: <sip:peer@" + contact + ">"
					l.peerCalls(p, bob, timerHeader, r.allow, weRefresh, contact)
					begun, then := 900*time.Second, 900*time.Second
					var want []directed
					if contact == "Contact: <sip:peer@"+elsewhere+">" {
						then += map[sip.RequestMethod]time.Duration{sip.UPDATE: 12 * time.Second, sip.INVITE: 32 * time.Second}[r.method]
						want = []directed{{elsewhere, begun}}
					}
					l.at(then)
					l.refreshedBy(p, r.method, contact)
					l.wantDirected(r.method, append(want, directed{peerAddr, then})...)
					again := then + 900*time.Second
					l.at(again)
					p.Reply(p.ExpectRequest(l, r.method), 481, "Gone")
					if r.method == sip.INVITE {
						p.ExpectRequest(l, sip.ACK)
					}
					p.Reply(p.ExpectRequest(l, sip.BYE), 481, "Gone")
					l.wantDirected(r.method, append(want, directed{peerAddr, then}, directed{peerAddr, again})...)
					l.wantDirected(sip.BYE, directed{peerAddr, again})
					l.wantNothingLeft(bob)
				})
			})
		}
	}
}

// refreshedBy accepts our refresh at the peer, and expects the ACK there.
func (l *lab) refreshedBy(p *sipnet.Peer, method sip.RequestMethod, headers ...string) {
	l.Helper()
	p.Reply(p.ExpectRequest(l, method), 200, "OK", append([]string{ours}, headers...)...)
	if method == sip.INVITE {
		p.ExpectRequest(l, sip.ACK)
	}
	synctest.Wait()
}

// D-27: a refusal that does not mean the end also confirms the place.
func TestRefusalShowsPlace(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		contact := "Contact: <sip:peer@" + elsewhere + ">"
		l.peerCalls(p, bob, timerHeader, allow, weRefresh, contact)
		l.at(912 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 500, "Soon", "Retry-After: 3")
		l.at(915 * time.Second)
		l.refreshedBy(p, sip.UPDATE, contact)
		l.wantDirected(sip.UPDATE, directed{elsewhere, 900 * time.Second}, directed{peerAddr, 912 * time.Second}, directed{peerAddr, 915 * time.Second})
	})
}

// D-27: what answered is forgotten when the peer says that it has moved.
func TestPeerMovesFromGuessedPlace(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p, now := l.bob(), l.peer(), l.net.Peer("10.0.0.8:5060")
		contact := "Contact: <sip:peer@" + elsewhere + ">"
		l.peerCalls(p, bob, timerHeader, allow, weRefresh, contact)
		l.at(912 * time.Second)
		l.refreshedBy(p, sip.UPDATE, contact)
		p.Request(sip.UPDATE, timerHeader, weRefresh, "Contact: <sip:peer@10.0.0.8:5060>")
		wantStatus(l, p, "the peer's UPDATE", 200)
		l.at(1812 * time.Second)
		l.refreshedBy(now, sip.UPDATE)
		l.wantDirected(sip.UPDATE, directed{elsewhere, 900 * time.Second}, directed{peerAddr, 912 * time.Second},
			directed{"10.0.0.8:5060", 1812 * time.Second})
	})
}

// D-27: so is the destination of the application if the peer was there, but not a proxy.
func TestPeerMovesFromChosenPlace(t *testing.T) {
	const rebound, proxy = "192.0.2.9:50000", "10.0.0.7:5060"
	for chosen, want := range map[string]string{publicAddr: rebound, proxy: proxy} {
		inLab(t, func(l *lab) {
			bob, p, again := l.bob(), l.net.Peer(publicAddr), l.net.Peer(rebound)
			d, _ := l.peerCalls(p, bob, timerHeader, allow, weRefresh, private)
			info := sip.NewRequest(sip.INFO, sip.Uri{Scheme: "sip", User: "peer", Host: "192.168.1.5", Port: 5060})
			info.SetDestination(chosen)
			info.Laddr = sip.Addr{IP: net.IPv4(10, 0, 0, 2), Port: 5060}
			go func() { _, _ = d.Do(context.Background(), info) }()
			at := p
			if chosen == proxy {
				at = l.net.Peer(proxy)
			}
			at.Reply(at.ExpectRequest(l, sip.INFO), 200, "OK")
			synctest.Wait()
			update := p.Request(sip.UPDATE, timerHeader, weRefresh, private, "Via: SIP/2.0/UDP 192.168.1.5:5060;rport;branch=z9hG4bK-first")
			wantStatus(l, p, "the UPDATE", 200)
			moved := update.Clone()
			moved.CSeq().SeqNo++
			moved.Via().Params.Add("branch", "z9hG4bK-rebound")
			again.Send(bobAddr, moved.String())
			wantStatus(l, again, "the UPDATE from there", 200)
			l.at(900 * time.Second)
			l.wantDirected(sip.UPDATE, directed{want, 900 * time.Second})
		})
	}
}

// D-27: where the peer has moved is nothing to a request for which the application chose a
// place that is not the peer's.
func TestChosenPlaceStays(t *testing.T) {
	const chosen, moved = "10.0.0.7:5060", "10.0.0.8:5060"
	for _, place := range []string{chosen, moved} {
		inLab(t, func(l *lab) {
			bob, p, at := l.bob(), l.peer(), l.net.Peer(place)
			d, _ := l.peerCalls(p, bob, timerHeader, allow, weRefresh)
			p.Request(sip.UPDATE, timerHeader, weRefresh, "Contact: <sip:peer@"+moved+">")
			wantStatus(l, p, "the peer's UPDATE", 200)
			info := sip.NewRequest(sip.INFO, peerURI)
			info.Laddr = sip.Addr{IP: net.IPv4(10, 0, 0, 2), Port: 5060}
			if place == chosen {
				info.SetDestination(chosen)
			}
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			go func() { _, _ = d.Do(ctx, info) }()
			at.Reply(at.ExpectRequest(l, sip.INFO), 200, "OK")
			synctest.Wait()
			l.wantDirected(sip.INFO, directed{place, 0})
		})
	}
}

// D-27: the Contact leads to a stranger that does not know the call.
func TestStrangerAtContact(t *testing.T) {
	for _, r := range refreshes {
		for _, status := range []int{408, 481, 404} {
			for _, peer := range []string{"lives", "refuses", "is silent"} {
				t.Run(fmt.Sprintf("D-27 %s %d, the peer %s", r.method, status, peer), func(t *testing.T) {
					inLab(t, func(l *lab) {
						bob, p, stranger := l.bob(), l.peer(), l.net.Peer(elsewhere)
						contact := "Contact: <sip:peer@" + elsewhere + ">"
						d, _ := l.peerCalls(p, bob, timerHeader, r.allow, weRefresh, contact)
						l.at(900 * time.Second)
						refuse := func(at *sipnet.Peer) {
							at.Reply(at.ExpectRequest(l, r.method), status, "No")
							if r.method == sip.INVITE {
								at.ExpectRequest(l, sip.ACK)
							}
						}
						refuse(stranger)
						switch peer {
						case "lives":
							l.refreshedBy(p, r.method, contact)
							l.at(1799 * time.Second)
							l.wantAlive("bob", d)
							l.wantDirected(sip.BYE)
							return
						case "refuses":
							refuse(p)
							synctest.Wait()
							l.wantDirected(sip.BYE, directed{elsewhere, 900 * time.Second}) // neither has answered before
						case "is silent":
							p.Close()
							l.at(933 * time.Second)
						}
						l.wantEnded("bob", d)
						wantReason(l, bob, sessiontimer.CauseRefreshAnswered, status)
						l.wantDirected(r.method, directed{elsewhere, 900 * time.Second}, directed{peerAddr, 900 * time.Second})
					})
				})
			}
		}
	}
}

// wantReason checks why the call has ended.
func wantReason(l *lab, u *sipua.UA, cause sessiontimer.Cause, status int) {
	l.Helper()
	for _, e := range u.Events() {
		if x, expired := e.Event.(sessiontimer.Expired); expired && x.Reason != (sessiontimer.Reason{Cause: cause, Status: status}) {
			l.Errorf("the call ends for %q, want %v %d", x.Reason, cause, status)
		}
	}
}

// D-27: a peer that answers nowhere counts as dead when each place was silent for the
// lifetime of a transaction, over both methods. The BYE goes to one of them. The number of
// packets is bounded.
func TestDeadEverywhere(t *testing.T) {
	for _, c := range []struct {
		name  string
		allow string
		until time.Duration
		want  map[sip.RequestMethod][]directed
	}{
		{"UPDATE, then re-INVITE", allow, 964 * time.Second, map[sip.RequestMethod][]directed{
			sip.UPDATE: {{elsewhere, 900 * time.Second}, {peerAddr, 912 * time.Second}},
			sip.INVITE: {{elsewhere, 924 * time.Second}, {peerAddr, 944 * time.Second}},
			sip.BYE:    {{elsewhere, 964 * time.Second}}}},
		{"re-INVITE alone", "Allow: INVITE", 964 * time.Second, map[sip.RequestMethod][]directed{
			sip.INVITE: {{elsewhere, 900 * time.Second}, {peerAddr, 932 * time.Second}},
			sip.BYE:    {{elsewhere, 964 * time.Second}}}},
	} {
		t.Run("D-27 "+c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				d, _ := l.peerCalls(p, bob, timerHeader, c.allow, weRefresh, "Contact: <sip:peer@"+elsewhere+">")
				p.Close()
				l.at(c.until - time.Second)
				l.wantAlive("bob", d)
				l.at(c.until + time.Second)
				l.wantEnded("bob", d)
				l.at(2000 * time.Second)
				for method, want := range c.want {
					l.wantDirected(method, want...)
					if n := l.count(bobAddr, string(method)); n > 11*len(want) {
						l.Errorf("%d %ss on the wire, want 11 for each of %d at most", n, method, len(want))
					}
				}
				l.wantNothingLeft(bob)
			})
		})
	}
}

// D-27: if no refresh has shown which place answers, the BYE goes to the next one after half
// of its time.
func TestByeGoesElsewhere(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		l.peerCalls(p, bob, timerHeader, allow, "Session-Expires: 1800;refresher=uac", "Contact: <sip:peer@"+elsewhere+">")
		l.at(1784 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
		synctest.Wait()
		l.wantDirected(sip.BYE, directed{elsewhere, 1768 * time.Second}, directed{peerAddr, 1784 * time.Second})
		l.wantNothingLeft(bob)
	})
}

// D-27: with little time left we wait for a place for half of it at most.
func TestWrongGuessCostsHalf(t *testing.T) {
	for _, r := range refreshes {
		inLab(t, func(l *lab) {
			bob := l.bob(middleware.WithSessionExpires(90 * time.Second))
			p := l.peer()
			contact := "Contact: <sip:peer@" + elsewhere + ">"
			d, _ := l.peerCalls(p, bob, timerHeader, r.allow, "Session-Expires: 90;refresher=uas", contact)
			l.at(51 * time.Second) // LastChance is 57 s
			p.Reply(p.ExpectRequest(l, r.method), 200, "OK", "Session-Expires: 90;refresher=uac", contact)
			synctest.Wait()
			l.wantDirected(r.method, directed{elsewhere, 45 * time.Second}, directed{peerAddr, 51 * time.Second})
			l.at(95 * time.Second)
			l.wantAlive("bob", d)
		})
	}
}

// D-27: a 2xx to a re-INVITE that arrives after another place was tried still counts, and
// gets its ACK.
func TestLateAnswerOfFirstPlace(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, slow := l.bob(middleware.WithSessionExpires(90*time.Second)), l.net.Peer(elsewhere)
		contact := "Contact: <sip:peer@" + elsewhere + ">"
		d, _ := l.peerCalls(l.peer(), bob, timerHeader, "Allow: INVITE", "Session-Expires: 90;refresher=uas", contact)
		l.at(53 * time.Second)
		l.wantDirected(sip.INVITE, directed{elsewhere, 45 * time.Second}, directed{peerAddr, 51 * time.Second})
		slow.Reply(slow.ExpectRequest(l, sip.INVITE), 200, "OK", "Session-Expires: 90;refresher=uac", contact)
		slow.ExpectRequest(l, sip.ACK)
		l.at(95 * time.Second)
		l.wantAlive("bob", d)
	})
}

// streamCall is a call of a scripted peer over a stream from addr, which bob refreshes.
func (l *lab) streamCall(addr, us string, r sip.RequestMethod, allow string, headers ...string) (*sipua.UA, *sipnet.Peer, *sipgo.DialogServerSession) {
	bob := sipua.New(l.T, l.net, "bob", us, "tcp")
	l.uas = append(l.uas, bob)
	p := l.net.StreamPeer(addr, us, "TCP")
	synctest.Wait()
	d, _ := l.peerCalls(p, bob, append([]string{timerHeader, allow, weRefresh}, headers...)...)
	return bob, p, d
}

// D-27: a peer that does not listen is refreshed over the stream that it opened, and so is
// one behind an edge that accepts no connections.
func TestRefreshOnPeersStream(t *testing.T) {
	for _, c := range []struct{ name, addr, us, contact, route string }{
		{"IPv4", "10.0.0.9:51000", bobAddr, "<sip:peer@10.0.0.9:5060;transport=tcp>", ""},
		{"IPv6", "[2001:db8::9]:51000", "[2001:db8::2]:5060", "<sip:peer@[2001:db8::9]:5060;transport=tcp>", ""},
		{"another address", "10.0.0.9:51000", bobAddr, "<sip:peer@10.0.0.99:5060;transport=tcp>", ""},
		{"a name", "10.0.0.9:51000", bobAddr, "<sip:peer@peer.local;transport=tcp>", ""},
		{"an edge", "10.0.0.9:51000", bobAddr, "<sip:peer@10.0.0.99:5060;transport=tcp>", "<sip:10.0.0.9:5060;transport=tcp;lr>"},
		{"an edge with a name", "10.0.0.9:51000", bobAddr, "<sip:peer@10.0.0.99:5060;transport=tcp>", "<sip:edge.local;transport=tcp;lr>"},
	} {
		for _, r := range refreshes {
			t.Run("D-27 "+c.name+" "+string(r.method), func(t *testing.T) {
				inLab(t, func(l *lab) {
					headers := []string{"Contact: " + c.contact}
					if c.route != "" {
						headers = append(headers, "Record-Route: "+c.route)
					}
					bob, p, d := l.streamCall(c.addr, c.us, r.method, r.allow, headers...)
					for _, at := range []time.Duration{900, 1800} {
						l.at(at * time.Second)
						l.refreshedBy(p, r.method, "Contact: "+c.contact)
					}
					l.at(2699 * time.Second)
					l.wantAlive("bob", d)
					for _, e := range bob.Events() {
						if f, failed := e.Event.(sessiontimer.RefreshFailed); failed {
							l.Errorf("a refresh failed: %v", f.Err)
						}
					}
				})
			})
		}
	}
}

// D-27: a stream that is closed is not opened again from its far end, where a stranger
// may listen by now.
func TestClosedStreamStaysClosed(t *testing.T) {
	inLab(t, func(l *lab) {
		contact := "Contact: <sip:peer@10.0.0.9:5060;transport=tcp>"
		_, p, _ := l.streamCall(streamAddr, bobAddr, sip.UPDATE, allow, contact)
		p.Close()
		synctest.Wait()
		l.net.Stall(streamAddr) // whoever dials it waits
		reachable := l.net.StreamPeer(peerAddr, bobAddr, "TCP")
		l.at(900 * time.Second)
		l.refreshedBy(reachable, sip.UPDATE, contact)
		l.wantDirected(sip.UPDATE, directed{peerAddr, 900 * time.Second})
		l.net.Resume(streamAddr)
	})
}

// D-24, D-27: if the stream of a re-INVITE is closed and its 2xx comes again over another
// one, the ACK goes to the Contact.
func TestAckAfterClosedStream(t *testing.T) {
	inLab(t, func(l *lab) {
		contact := "Contact: <sip:peer@10.0.0.9:5060;transport=tcp>"
		_, p, _ := l.streamCall(streamAddr, bobAddr, sip.INVITE, "Allow: INVITE", contact)
		l.at(900 * time.Second)
		ok := p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", timerHeader, "Session-Expires: 1800;refresher=uac", contact)
		p.ExpectRequest(l, sip.ACK)
		p.Close()
		reachable := l.net.StreamPeer(peerAddr, bobAddr, "TCP")
		synctest.Wait()
		reachable.Send(bobAddr, ok.String())
		reachable.ExpectRequest(l, sip.ACK)
	})
}

// D-27: a redirected request of the application does not count as a destination that the
// application chose.
func TestLedIsNotChosen(t *testing.T) {
	const second = "10.0.0.9:52000"
	inLab(t, func(l *lab) {
		contact := "Contact: <sip:peer@10.0.0.9:5060;transport=tcp>"
		bob, p, d := l.streamCall(streamAddr, bobAddr, sip.UPDATE, allow, contact)
		update := p.Request(sip.UPDATE, timerHeader, weRefresh, contact)
		wantStatus(l, p, "the UPDATE", 200)
		again := l.net.StreamPeer(second, bobAddr, "TCP")
		synctest.Wait()
		moved := update.Clone()
		moved.CSeq().SeqNo++
		moved.Via().Params.Add("branch", "z9hG4bK-second")
		again.Send(bobAddr, moved.String())
		wantStatus(l, again, "the UPDATE on another stream", 200)
		synctest.Wait() // until it counts, which is after it has been sent
		go func() {
			_, _ = d.Do(context.Background(), sip.NewRequest(sip.INFO, sip.Uri{Scheme: "sip", Host: "10.0.0.9", Port: 5060, UriParams: sip.HeaderParams{{K: "transport", V: "tcp"}}}))
		}()
		again.Reply(again.ExpectRequest(l, sip.INFO), 200, "OK")
		synctest.Wait()
		for stored := range bob.Timers.Store().All(context.Background()) {
			if stored.Destination != "" || stored.Source != second {
				l.Errorf("the application sends to %q and the peer is at %q, want no choice and %s", stored.Destination, stored.Source, second)
			}
		}
	})
}

// D-27, F-06: if a stream was abandoned without a FIN, accepts no more data, or breaks during
// the refresh, the Contact is tried, and is used from then on.
func TestStreamGivesWayToContact(t *testing.T) {
	for _, how := range []string{"silent", "stalled", "broken"} {
		for _, r := range refreshes {
			t.Run("D-27 "+how+" "+string(r.method), func(t *testing.T) {
				inLab(t, func(l *lab) {
					contact := "Contact: <sip:peer@10.0.0.9:5060;transport=tcp>"
					bob, p, d := l.streamCall(streamAddr, bobAddr, r.method, r.allow, contact)
					reachable := l.net.StreamPeer(peerAddr, bobAddr, "TCP") // what sipgo would dial
					synctest.Wait()
					then := 901 * time.Second
					switch how {
					case "silent":
						l.net.Silence(streamAddr)
					case "stalled":
						l.net.Stall(streamAddr)
					}
					if how != "broken" {
						then = 900*time.Second + map[sip.RequestMethod]time.Duration{sip.UPDATE: 12 * time.Second, sip.INVITE: 32 * time.Second}[r.method]
					}
					l.at(900 * time.Second)
					if how == "broken" {
						p.ExpectRequest(l, r.method)
						p.Close()
					}
					l.at(then)
					l.refreshedBy(reachable, r.method, contact)
					l.at(then + 900*time.Second)
					l.refreshedBy(reachable, r.method, contact)
					want := []directed{{peerAddr, then}, {peerAddr, then + 900*time.Second}}
					if how != "stalled" {
						want = slices.Insert(want, 0, directed{streamAddr, 900 * time.Second})
					}
					l.wantDirected(r.method, want...)
					l.wantAlive("bob", d)
					for _, e := range bob.Events() {
						if f, failed := e.Event.(sessiontimer.RefreshFailed); failed {
							l.Errorf("a refresh failed: %v", f.Err)
						}
					}
				})
			})
		}
	}
}
