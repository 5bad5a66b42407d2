package middleware_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
)

// imageOf returns the description of a fax (T.38).
func imageOf(name string, version int, addr string) string {
	return strings.Join([]string{"v=0", fmt.Sprintf("o=%s 1 %d IN IP4 %s", name, version, addr), "s=-", "c=IN IP4 " + addr, "t=0 0",
		"m=image 40100 udptl t38", "a=T38FaxVersion:0", ""}, "\r\n")
}

// D-13: a fax and the way back, a hold and another codec survive a refresh, whichever
// side changed the session, by INVITE with or without an offer or by UPDATE, and
// whichever refreshes.
func TestChangesSurviveRefreshes(t *testing.T) {
	changes := []struct{ name, alice, peer string }{
		{"fax", imageOf("alice", 2, "10.0.0.1"), imageOf("peer", 2, "10.0.0.9")},
		{"hold", audioSDP("alice", 2, "10.0.0.1", 40000, "a=sendonly"), audioSDP("peer", 2, "10.0.0.9", 4000, "a=recvonly")},
		{"codec", strings.Replace(audioSDP("alice", 2, "10.0.0.1", 40000), "AVP 0", "AVP 8", 1), strings.Replace(audioSDP("peer", 2, "10.0.0.9", 4000), "AVP 0", "AVP 8", 1)},
	}
	for _, c := range changes {
		for _, how := range []string{"our INVITE", "our UPDATE", "our INVITE without offer", "their INVITE", "their UPDATE", "their INVITE without offer"} {
			t.Run(c.name+" by "+how, func(t *testing.T) {
				inLab(t, func(l *lab) {
					alice, p := l.alice(), l.peer()
					alice.Server.OnUpdate(func(req *sip.Request, tx sip.ServerTransaction) { respondSDP(req, tx, c.alice) })
					alice.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) { respondSDP(req, tx, c.alice) }
					d := l.callPeer(alice, p, timerHeader, se1800)
					l.change(alice, d, p, how, c.alice, c.peer)

					l.at(900 * time.Second)
					if re := l.refreshedWith(p, c.peer); string(re.Body()) != c.alice || field(re, "Content-Type") != "application/sdp" {
						l.Errorf("our refresh offers, as %s,\n%s\nwant\n%s", field(re, "Content-Type"), re.Body(), c.alice)
					}
					p.Request(sip.INVITE, timerHeader, se1800, c.peer)
					res := wantStatus(l, p, "their refresh", 200)
					p.Ack(res)
					if string(res.Body()) != c.alice || field(res, "Content-Type") != "application/sdp" {
						l.Errorf("their refresh is answered, as %s, with\n%s\nwant\n%s", field(res, "Content-Type"), res.Body(), c.alice)
					}
				})
			})
		}
	}
}

// change changes the session from one side of a call.
func (l *lab) change(alice *sipua.UA, d sipua.Dialog, p *sipnet.Peer, how, ours, theirs string) {
	l.Helper()
	switch how {
	case "our INVITE", "our UPDATE":
		method := sip.INVITE
		if how == "our UPDATE" {
			method = sip.UPDATE
		}
		go func() { _, _ = alice.Send(d, peerAddr, method, ours) }()
		p.Reply(p.ExpectRequest(l, method), 200, "OK", se1800, theirs)
		if method == sip.INVITE {
			p.ExpectRequest(l, sip.ACK)
		}
	case "our INVITE without offer":
		go func() {
			if _, err := d.Do(context.Background(), sip.NewRequest(sip.INVITE, peerURI)); err != nil {
				return
			}
			ack := sip.NewRequest(sip.ACK, peerURI)
			ack.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
			ack.SetBody([]byte(ours))
			_ = d.WriteRequest(ack)
		}()
		p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", se1800, theirs)
		p.ExpectRequest(l, sip.ACK)
	case "their INVITE", "their UPDATE":
		method := sip.INVITE
		if how == "their UPDATE" {
			method = sip.UPDATE
		}
		p.Request(method, timerHeader, weRefresh, theirs)
		res := wantStatus(l, p, how, 200)
		if method == sip.INVITE {
			p.Ack(res)
		}
	case "their INVITE without offer":
		// alice has the UPDATE handler too, so that re-INVITEs go to the application.
		p.Request(sip.INVITE, timerHeader, weRefresh, "")
		p.Ack(wantStatus(l, p, how, 200), theirs)
	}
	synctest.Wait()
}

// refreshedWith answers our re-INVITE with a description.
func (l *lab) refreshedWith(p *sipnet.Peer, answer string) *sip.Request {
	l.Helper()
	req := p.ExpectRequest(l, sip.INVITE)
	p.Reply(req, 200, "OK", se1800, answer)
	p.ExpectRequest(l, sip.ACK)
	synctest.Wait()
	return req
}

// D-13, D-30: a description that is neither offer nor answer does not change the session.
func TestNoOfferNoAnswer(t *testing.T) {
	other := audioSDP("alice", 9, "10.0.0.1", 40900)
	theirs := audioSDP("peer", 9, "10.0.0.9", 4900)
	foreign := func(method sip.RequestMethod, kind, body string) *sip.Request {
		req := sip.NewRequest(method, peerURI)
		req.AppendHeader(sip.NewHeader("Content-Type", kind))
		req.SetBody([]byte(body))
		return req
	}
	for _, c := range []struct {
		name string
		do   func(l *lab, d sipua.Dialog, p *sipnet.Peer)
	}{
		{"a body that is no description in our UPDATE", func(l *lab, d sipua.Dialog, p *sipnet.Peer) {
			go func() {
				_, _ = d.Do(context.Background(), foreign(sip.UPDATE, "application/rs-metadata", "<recording/>"))
			}()
			p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", se1800)
		}},
		{"in the 200 to it", func(l *lab, d sipua.Dialog, p *sipnet.Peer) {
			go func() { _, _ = d.Do(context.Background(), sip.NewRequest(sip.UPDATE, peerURI)) }()
			p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", se1800, "Content-Type: application/rs-metadata", "v=0 is no description")
		}},
		{"a description in the 200 to our UPDATE without one", func(l *lab, d sipua.Dialog, p *sipnet.Peer) {
			go func() { _, _ = d.Do(context.Background(), sip.NewRequest(sip.UPDATE, peerURI)) }()
			p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", se1800, theirs)
		}},
		{"a description in our 200 to their UPDATE without one", func(l *lab, _ sipua.Dialog, p *sipnet.Peer) {
			p.Request(sip.UPDATE, timerHeader, weRefresh)
			wantStatus(l, p, "UPDATE", 200)
		}},
		{"an offer that is refused", func(l *lab, d sipua.Dialog, p *sipnet.Peer) {
			go func() { _, _ = d.Do(context.Background(), foreign(sip.UPDATE, "application/sdp", other)) }()
			p.Reply(p.ExpectRequest(l, sip.UPDATE), 488, "Not Acceptable Here")
		}},
		{"an offer that nobody answers", func(l *lab, d sipua.Dialog, p *sipnet.Peer) {
			go func() { _, _ = d.Do(context.Background(), foreign(sip.UPDATE, "application/sdp", other)) }()
			p.ExpectRequest(l, sip.UPDATE)
			l.at(l.net.Elapsed() + 64*sip.T1 + time.Second)
			for { // its copies
				if _, ok := p.Recv(time.Millisecond); !ok {
					break
				}
			}
		}},
		{"in INFO", func(l *lab, d sipua.Dialog, p *sipnet.Peer) {
			go func() { _, _ = d.Do(context.Background(), foreign(sip.INFO, "application/sdp", other)) }()
			p.Reply(p.ExpectRequest(l, sip.INFO), 200, "OK", theirs)
		}},
		{"an offer in a re-INVITE that rang with an answer and is refused", func(l *lab, d sipua.Dialog, p *sipnet.Peer) {
			go func() { _, _ = d.Do(context.Background(), foreign(sip.INVITE, "application/sdp", other)) }()
			re := p.ExpectRequest(l, sip.INVITE)
			p.Reply(re, 183, "Session Progress", "Require: 100rel", "RSeq: 1", theirs)
			synctest.Wait()
			p.Reply(re, 488, "Not Acceptable Here")
			p.ExpectRequest(l, sip.ACK)
		}},
		{"late offer without an answer", func(l *lab, d sipua.Dialog, p *sipnet.Peer) {
			go func() {
				_, _ = d.Do(context.Background(), sip.NewRequest(sip.INVITE, peerURI))
				_ = d.WriteRequest(sip.NewRequest(sip.ACK, peerURI))
			}()
			p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", se1800, theirs)
			p.ExpectRequest(l, sip.ACK)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				alice.Server.OnUpdate(func(req *sip.Request, tx sip.ServerTransaction) { respondSDP(req, tx, other) })
				d := l.callPeer(alice, p, timerHeader, se1800)
				c.do(l, d, p)
				synctest.Wait()
				before := stored(alice)[0]
				if string(before.SDP) != alice.SDP || string(before.PeerSDP) != sipnet.SDP {
					l.Errorf("agreed on\n%s\n%s", before.SDP, before.PeerSDP)
				}
				l.at(900 * time.Second)
				if re := l.refreshed(p, sip.INVITE); string(re.Body()) != alice.SDP || field(re, "Content-Type") != "application/sdp" {
					l.Errorf("refresh with %s\n%s", field(re, "Content-Type"), re.Body())
				}
			})
		})
	}
}

// D-13: an offer of ours without an answer is withdrawn, so that the next one counts.
func TestChangeAfterOfferWithoutAnswer(t *testing.T) {
	unanswered := func(method sip.RequestMethod) func(*lab, *sipua.UA, sipua.Dialog, *sipnet.Peer) {
		return func(l *lab, alice *sipua.UA, d sipua.Dialog, p *sipnet.Peer) {
			go func() { _, _ = alice.Send(d, peerAddr, method, audioSDP("alice", 2, "10.0.0.1", 40900)) }()
			p.ExpectRequest(l, method)
			l.at(l.net.Elapsed() + 64*sip.T1 + time.Second)
			for ok := true; ok; _, ok = p.Recv(time.Millisecond) { // its copies
			}
		}
	}
	for _, c := range []struct {
		name string
		do   func(*lab, *sipua.UA, sipua.Dialog, *sipnet.Peer)
	}{
		{"UPDATE unanswered", unanswered(sip.UPDATE)},
		{"INVITE unanswered", unanswered(sip.INVITE)},
		{"UPDATE too long to be sent", func(l *lab, alice *sipua.UA, d sipua.Dialog, _ *sipnet.Peer) {
			long := audioSDP("alice", 2, "10.0.0.1", 40900, "a=x:"+strings.Repeat("x", int(sip.UDPMTUSize)))
			if _, err := alice.Send(d, peerAddr, sip.UPDATE, long); err == nil {
				l.Error("sent")
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				d := l.callPeer(alice, p, timerHeader, se1800)
				c.do(l, alice, d, p)
				ours := audioSDP("alice", 3, "10.0.0.1", 40020)
				l.change(alice, d, p, "our UPDATE", ours, audioSDP("peer", 3, "10.0.0.9", 4020))
				l.at(l.net.Elapsed() + 900*time.Second)
				if re := l.refreshed(p, sip.INVITE); string(re.Body()) != ours {
					l.Errorf("refresh with\n%s\nwant\n%s", re.Body(), ours)
				}
			})
		})
	}
}

// D-13, D-14: of a multipart body only the session description counts.
func TestDescriptionAmongOthers(t *testing.T) {
	multipart := func(description, other string) string {
		return "v=0\r\n--x\r\nContent-Type: application/pidf+xml\r\n\r\n" + other + "\r\n--x\r\nContent-Type: application/sdp\r\n\r\n" + description + "\r\n--x--\r\n"
	}
	const kind = "Content-Type: multipart/mixed;boundary=x"
	t.Run("theirs", func(t *testing.T) {
		inLab(t, func(l *lab) {
			bob, p := l.bob(), l.peer()
			asked := 0
			bob.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) { asked++; respondSDP(req, tx, bob.SDP) }
			l.peerCalls(p, bob, timerHeader, se1800, kind, multipart(sipnet.SDP, "here"))
			for _, again := range []struct {
				body []string
				want int
			}{
				{[]string{sipnet.SDP}, 0},
				{[]string{kind, multipart(sipnet.SDP, "here")}, 0},
				{[]string{kind, multipart(sipnet.SDP, "there")}, 1}, // somebody has moved
				{[]string{kind, multipart(sipnet.SDP, "there")}, 1},
				{[]string{"Content-Type: application/pidf+xml", "v=0 elsewhere"}, 2},
			} {
				p.Request(sip.INVITE, append([]string{timerHeader, se1800}, again.body...)...)
				res := wantStatus(l, p, "refresh", 200)
				p.Ack(res)
				synctest.Wait()
				if string(res.Body()) != bob.SDP || field(res, "Content-Type") != "application/sdp" || asked != again.want {
					l.Errorf("%q: answered, after %d questions, with %s\n%s", again.body, asked, field(res, "Content-Type"), res.Body())
				}
			}
		})
	})
	t.Run("ours", func(t *testing.T) {
		inLab(t, func(l *lab) {
			bob, p := l.bob(), l.peer()
			whole := multipart(bob.SDP, "here")[len("v=0\r\n"):]
			bob.Accept = acceptWith(whole, "multipart/mixed;boundary=x")
			l.peerCalls(p, bob, timerHeader, weRefresh)
			l.at(900 * time.Second)
			if re := l.refreshed(p, sip.INVITE); string(re.Body()) != bob.SDP || field(re, "Content-Type") != "application/sdp" {
				l.Errorf("refresh with %s\n%s", field(re, "Content-Type"), re.Body())
			}
		})
	})
}
