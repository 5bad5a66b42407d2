package middleware_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// D-01, D-02, D-05, D-12: every refresh is at half the negotiated interval, not the
// configured one, and says refresher=uac, in calls either way.
func TestRefreshCarries(t *testing.T) {
	for _, r := range refreshes {
		for _, caller := range []bool{true, false} {
			inLab(t, func(l *lab) {
				u, p := l.alice(), l.peer()
				if caller {
					l.callPeer(u, p, r.allow, "Session-Expires: 600;refresher=uac")
				} else {
					l.peerCalls(p, u, timerHeader, r.allow, "Session-Expires: 600;refresher=uas")
				}
				for _, at := range []time.Duration{300, 600, 900} {
					l.at(at*time.Second - 1)
					req := p.ExpectRequest(l, r.method)
					if got := l.net.Elapsed(); got != at*time.Second {
						l.Errorf("D-01: the refresh comes at %v, want %v", got, at*time.Second)
					}
					if got, want := sipnet.Timers(req), "Session-Expires: 600;refresher=uac"; got != want {
						l.Errorf("D-02 D-05: caller %v: the refresh carries %q, want %q", caller, got, want)
					}
					if r.method == sip.UPDATE && (len(req.Body()) > 0 || field(req, "Content-Type") != "" || field(req, "Contact") == "") {
						l.Errorf("D-12: want no body and a Contact:\n%s", req)
					}
					p.Reply(req, 200, "OK", "Session-Expires: 600;refresher=uac")
					if r.method == sip.INVITE {
						p.ExpectRequest(l, sip.ACK)
					}
					synctest.Wait()
				}
			})
		}
	}
}

// D-07: a refresh lists the extensions of the first request or, for the callee,
// of its 2xx. 100rel is left out: a refresh would owe a PRACK.
func TestRefreshListsExtensions(t *testing.T) {
	want := func(l *lab, req *sip.Request, supported, require, proxyRequire string) {
		l.Helper()
		got := map[string][]string{}
		for _, name := range []string{"Supported", "Require", "Proxy-Require"} {
			got[name] = values(req, name)
		}
		list := func(s string) []string {
			if s == "" {
				return nil
			}
			return []string{s}
		}
		wanted := map[string][]string{"Supported": list(supported), "Require": list(require), "Proxy-Require": list(proxyRequire)}
		if diff := cmp.Diff(wanted, got); diff != "" {
			l.Errorf("D-07: extensions of the %s (-want +got):\n%s", req.Method, diff)
		}
	}
	for _, r := range refreshes {
		t.Run("D-07 caller "+string(r.method), func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(middleware.WithMode(sessiontimer.Require)), l.peer()
				go func() {
					_, _ = alice.TryURI(context.Background(), peerURI, sip.NewHeader("Supported", "replaces,100rel"), sip.NewHeader("k", "norefersub"),
						sip.NewHeader("Require", "privacy"), sip.NewHeader("Proxy-Require", "x"))
				}()
				p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", ours, r.allow)
				p.ExpectRequest(l, sip.ACK)
				for range 2 {
					l.at(l.net.Elapsed() + 899*time.Second)
					req := l.refreshed(p, r.method)
					want(l, req, "replaces, norefersub, timer", "privacy, timer", "x")
				}
			})
		})
		t.Run("D-07 callee "+string(r.method), func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				bob.Accept = func(d *sipgo.DialogServerSession) {
					_ = d.Respond(200, "OK", []byte(bob.SDP), sip.NewHeader("Supported", "replaces"), sip.NewHeader("Content-Type", "application/sdp"))
				}
				l.peerCalls(p, bob, timerHeader, r.allow, "Session-Expires: 1800;refresher=uas")
				l.at(899 * time.Second)
				want(l, l.refreshed(p, r.method), "replaces, timer", "", "")
			})
		})
	}
}

// D-08, D-10: the Min-SE of a refresh is the largest that the peer has sent within the
// dialog, and no other.
func TestRefreshMinSE(t *testing.T) {
	for _, r := range refreshes {
		t.Run("D-08 "+string(r.method), func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				l.callPeer(alice, p, r.allow, "Session-Expires: 600;refresher=uac", "Min-SE: 500") // misplaced
				next := func(want string) {
					l.Helper()
					req := p.ExpectRequest(l, r.method)
					if got := sipnet.Timers(req); got != want {
						l.Errorf("the refresh at %v carries %q, want %q", l.net.Elapsed(), got, want)
					}
					p.Reply(req, 200, "OK", "Session-Expires: "+strings.Fields(want)[1][:3]+";refresher=uac")
					if r.method == sip.INVITE {
						p.ExpectRequest(l, sip.ACK)
					}
					synctest.Wait()
				}
				l.at(299 * time.Second)
				next("Session-Expires: 600;refresher=uac")
				for _, minSE := range []string{"300", "200"} {
					p.Request(sip.UPDATE, timerHeader, "Session-Expires: 600;refresher=uas", "Min-SE: "+minSE)
					wantStatus(l, p, "the peer's refresh", 200)
					l.at(l.net.Elapsed() + 299*time.Second)
					next("Session-Expires: 600;refresher=uac, Min-SE: 300")
				}
				p.Request(sip.UPDATE, timerHeader, "Session-Expires: 700;refresher=uas", "Min-SE: 700")
				wantStatus(l, p, "the peer's refresh", 200)
				l.at(l.net.Elapsed() + 349*time.Second)
				next("Session-Expires: 700;refresher=uac, Min-SE: 700")
			})
		})
		t.Run("D-10 "+string(r.method), func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				l.peerCalls(p, bob, timerHeader, r.allow, "Session-Expires: 3600;refresher=uas", "Min-SE: 3600")
				l.at(1799 * time.Second)
				if got, want := sipnet.Timers(p.ExpectRequest(l, r.method)), "Session-Expires: 3600;refresher=uac, Min-SE: 3600"; got != want {
					l.Errorf("the callee's refresh carries %q, want %q", got, want)
				}
			})
		})
	}
}

// D-04: no request asks a peer to refresh that never listed timer.
func TestRefreshNeverHandedToLegacyPeer(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithRefresher(sessiontimer.Peer)), l.peer()
		d, _ := l.peerCalls(p, bob, "Session-Expires: 1800", allow)
		l.at(100 * time.Second)
		go l.send(bob, d, peerAddr, sip.INVITE, hold)
		req := p.ExpectRequest(l, sip.INVITE)
		p.Reply(req, 200, "OK") // it knows nothing of timers
		p.ExpectRequest(l, sip.ACK)
		l.at(999 * time.Second)
		update := p.ExpectRequest(l, sip.UPDATE)
		for _, m := range []*sip.Request{req, update} {
			if got := sipnet.Timers(m); got != se1800 {
				l.Errorf("%s carries %q, want %q", m.Method, got, se1800)
			}
		}
		p.Reply(update, 200, "OK")
		l.wantNext(p, sip.UPDATE, (1000+900)*time.Second)
	})
}

// D-24: the 2xx to a refresh by re-INVITE is acknowledged at once, and so is each
// retransmission, at its Contact.
func TestRefreshAcknowledged(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		moved := l.net.Peer("10.0.0.9:6000")
		l.callPeer(alice, p, ours, "Allow: INVITE")
		l.at(899 * time.Second)
		req := p.ExpectRequest(l, sip.INVITE)
		p.Reply(req, 100, "Trying")
		ok := p.Reply(req, 200, "OK", ours, "Contact: <sip:peer@10.0.0.9:6000>")
		for range 4 {
			msg, received := moved.RecvAny(time.Second)
			ack, isRequest := msg.(*sip.Request)
			if !received || !isRequest || !ack.IsAck() {
				l.Fatalf("the 200 is followed by %v, want an ACK", msg)
			}
			if got, want := ack.CSeq().SeqNo, req.CSeq().SeqNo; got != want {
				l.Errorf("the ACK has CSeq %d, want the INVITE's %d", got, want)
			}
			if ack.Via().Value() == req.Via().Value() {
				l.Error("the ACK of a 2xx has the INVITE's branch, want its own")
			}
			if got := sipnet.Timers(ack) + field(ack, "Supported"); got != "" {
				l.Errorf("A-15 B-01: the ACK carries %q, want nothing of timers", got)
			}
			time.Sleep(2 * time.Second)
			p.Send(aliceAddr, ok.String())
		}
		synctest.Wait()
		if again, ok := moved.RecvAny(time.Second); !ok || sipnet.Label(again) != "ACK" {
			l.Errorf("the last 200 is followed by %v, want an ACK", again)
		}
		// Retransmissions restart nothing (C-11).
		l.at(1800*time.Second - 1)
		if got := len(l.sent(aliceAddr, sip.INVITE)); got != 2 {
			l.Errorf("%d INVITEs before 1800 s, want 2", got)
		}
		moved.ExpectRequest(l, sip.INVITE)
		if got := l.net.Elapsed(); got != 1800*time.Second {
			l.Errorf("the next refresh is at %v, want 1800 s", got)
		}
	})
}

// D-13: a body that the application sent without Content-Type is repeated with the type that
// the peer assumed (RFC 3261 §20.15).
func TestReInviteNamesItsBody(t *testing.T) {
	untyped := func(bob *sipua.UA) {
		bob.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) {
			res := sip.NewResponseFromRequest(req, 200, "OK", []byte(bob.SDP))
			res.AppendHeader(&sip.ContactHeader{Address: bobURI})
			_ = tx.Respond(res)
		}
	}
	for _, c := range []struct {
		name  string
		offer string                              // the peer's last description
		call  func(*lab, *sipua.UA, *sipnet.Peer) // until a second before our refresh
	}{
		{"2xx", sipnet.SDP, func(l *lab, bob *sipua.UA, p *sipnet.Peer) {
			bob.Accept = func(d *sipgo.DialogServerSession) { _ = d.Respond(200, "OK", []byte(bob.SDP)) }
			l.peerCalls(p, bob, timerHeader, "Session-Expires: 1800;refresher=uas")
			l.at(899 * time.Second)
		}},
		{"2xx to a re-INVITE", sdp2, func(l *lab, bob *sipua.UA, p *sipnet.Peer) {
			untyped(bob)
			l.peerCalls(p, bob, timerHeader, "Session-Expires: 1800;refresher=uas")
			p.Request(sip.INVITE, timerHeader, "Session-Expires: 1800;refresher=uas", sdp2)
			p.Ack(wantStatus(l, p, "the re-INVITE", 200))
			l.at(899 * time.Second)
		}},
		{"early", sipnet.SDP, func(l *lab, bob *sipua.UA, p *sipnet.Peer) {
			bob.Accept = func(d *sipgo.DialogServerSession) {
				_ = d.Respond(183, "Session Progress", []byte(bob.SDP))
				_ = d.Respond(200, "OK", nil)
			}
			l.peerCalls(p, bob, timerHeader, "Session-Expires: 1800;refresher=uas")
			l.at(899 * time.Second)
		}},
		{"re-INVITE", sipnet.SDP, func(l *lab, bob *sipua.UA, p *sipnet.Peer) {
			d, _ := l.peerCalls(p, bob, timerHeader, "Session-Expires: 1800;refresher=uas")
			l.at(1 * time.Second)
			go func() {
				req := sip.NewRequest(sip.INVITE, peerURI)
				req.SetBody([]byte(bob.SDP))
				if _, err := d.Do(context.Background(), req); err == nil {
					_ = d.WriteRequest(sip.NewRequest(sip.ACK, peerURI))
				}
			}()
			p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", ours)
			p.ExpectRequest(l, sip.ACK)
			l.at(900 * time.Second)
		}},
		{"ACK", sipnet.SDP, func(l *lab, bob *sipua.UA, p *sipnet.Peer) {
			d, _ := l.peerCalls(p, bob, timerHeader, "Session-Expires: 1800;refresher=uas")
			l.at(1 * time.Second)
			go func() {
				if _, err := d.Do(context.Background(), sip.NewRequest(sip.INVITE, peerURI)); err == nil {
					ack := sip.NewRequest(sip.ACK, peerURI)
					ack.SetBody([]byte(bob.SDP))
					_ = d.WriteRequest(ack)
				}
			}()
			p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", ours)
			p.ExpectRequest(l, sip.ACK)
			l.at(900 * time.Second)
		}},
	} {
		t.Run("D-13 "+c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				c.call(l, bob, p)
				// Our answers and our requests say the same.
				p.Request(sip.INVITE, timerHeader, "Session-Expires: 1800;refresher=uas", c.offer)
				res := wantStatus(l, p, "an unchanged re-INVITE", 200)
				p.Ack(res)
				l.at(l.net.Elapsed() + 899*time.Second)
				req := l.refreshed(p, sip.INVITE)
				for _, m := range []interface {
					sip.Message
					String() string
				}{res, req} {
					if got := values(m, "Content-Type"); len(got) != 1 || got[0] != "application/sdp" || string(m.Body()) != bob.SDP {
						l.Errorf("Content-Type %q, want application/sdp before bob's description:\n%s", got, m)
					}
				}
			})
		})
	}
}

// D-26, D-21, F-10: the pause that a 500 asks for is observed if there is time. The last
// attempt is before the peer hangs up, and the session ends when it would have ended
// anyway.
func TestRefreshRetriedInTime(t *testing.T) {
	for _, c := range []struct {
		after string
		at    float64 // of the second try
	}{
		{"60", 960}, {"5", 905}, {"800", 1700}, {"100000", 1764.8},
	} {
		t.Run("D-26 Retry-After "+c.after, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				d := l.callPeer(alice, p, ours, allow)
				l.at(899 * time.Second)
				p.Reply(p.ExpectRequest(l, sip.UPDATE), 500, "Busy", "Retry-After: "+c.after, se1800)
				l.at(seconds(c.at) - 1)
				l.wantSent(aliceAddr, sip.UPDATE, 900*time.Second)
				update := p.ExpectRequest(l, sip.UPDATE)
				l.wantSent(aliceAddr, sip.UPDATE, 900*time.Second, seconds(c.at))
				p.Reply(update, 603, "Decline")
				for l.net.Elapsed() < 1799*time.Second { // D-21: the expiry is the old one
					if msg, ok := p.Recv(1799*time.Second - l.net.Elapsed()); ok {
						p.Reply(msg.(*sip.Request), 603, "Decline")
					}
				}
				l.wantAlive("alice", d)
				for _, at := range l.sent(aliceAddr, sip.UPDATE) {
					if at >= 1768*time.Second {
						l.Errorf("a try at %v, want all before 1768 s, when the peer hangs up", at)
					}
				}
				l.wantNext(p, sip.BYE, 1800*time.Second)
			})
		})
	}
}
