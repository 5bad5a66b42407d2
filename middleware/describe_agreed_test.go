package middleware_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
)

func audioSDP(name string, version int, addr string, port int, lines ...string) string {
	return strings.Join(append([]string{"v=0", fmt.Sprintf("o=%s 1 %d IN IP4 %s", name, version, addr), "s=-", "c=IN IP4 " + addr, "t=0 0",
		fmt.Sprintf("m=audio %d RTP/AVP 0", port)}, append(lines, "")...), "\r\n")
}

const weRefresh = "Session-Expires: 1800;refresher=uas" // in an INVITE of the peer, or its 2xx to ours the peer does

// respondSDP answers 200 with a description.
func respondSDP(req *sip.Request, tx sip.ServerTransaction, body string) {
	res := sip.NewSDPResponseFromRequest(req, []byte(body))
	res.AppendHeader(&sip.ContactHeader{Address: req.Recipient})
	_ = tx.Respond(res)
}

// D-28: a re-INVITE without a description while the session is held may be meant to
// resume it. The application makes the offer, and gets the answer in the ACK.
func TestResumeWithoutOffer(t *testing.T) {
	for _, c := range []struct{ held, resumed string }{{"a=inactive", "a=sendrecv"}, {"a=sendonly", "a=sendrecv"}} {
		inLab(t, func(l *lab) {
			bob, p := peersCall(l)
			asked, answer := 0, ""
			bob.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) {
				asked++
				direction := "a=inactive"
				if len(req.Body()) == 0 {
					direction = c.resumed
				}
				respondSDP(req, tx, audioSDP("bob", asked+1, "10.0.0.2", 40000, direction))
			}
			bob.Server.OnAck(func(req *sip.Request, _ sip.ServerTransaction) { answer = string(req.Body()) })
			p.Request(sip.INVITE, timerHeader, se1800, audioSDP("peer", 2, "10.0.0.9", 4000, c.held))
			p.Ack(wantStatus(l, p, "hold", 200))
			synctest.Wait()
			p.Request(sip.INVITE, timerHeader, se1800, "")
			res := wantStatus(l, p, "resume", 200)
			p.Ack(res, audioSDP("peer", 3, "10.9.9.9", 6000))
			synctest.Wait()
			if asked != 2 || !strings.Contains(answer, "10.9.9.9") || !strings.Contains(string(res.Body()), c.resumed) {
				l.Errorf("%s: the application was asked %d times, want twice; it saw the answer %q to the offer\n%s", c.held, asked, answer, res.Body())
			}
			// The resumed session is what refreshes of either side are about.
			l.at(900 * time.Second)
			p.Request(sip.INVITE, timerHeader, weRefresh, "")
			if again := wantStatus(l, p, "refresh", 200); string(again.Body()) != string(res.Body()) || asked != 2 {
				t.Errorf("%s: a refresh asked the application %d times more, and offers\n%s", c.held, asked-2, again.Body())
			}
		})
	}
}

// D-29: the response to the peer's refresh has a proper answer (RFC 3264 §6, RFC 4145
// §4.1, RFC 4568 §5.1.2), even if what we sent last was an offer. The same by UPDATE.
func TestOfferInForceAsAnswer(t *testing.T) {
	for _, c := range []struct{ rule, ours, theirs, bad, good string }{
		{"RFC 3264 §6.1", "a=sendrecv", "a=sendonly", "a=sendrecv", "a=recvonly"},
		{"RFC 3264 §6", "m=video 40002 RTP/AVP 96", "m=video 0 RTP/AVP 96", "m=video 40002", "m=video 0 "},
		{"RFC 3264 §6", "m=video 40002 RTP/AVP 96", "a=sendrecv", "m=video", "m=audio 40000"},
		{"RFC 4568 §5.1.2", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:A\r\na=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:B",
			"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:C", "a=crypto:2", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:A"},
		{"RFC 4145 §4.1", "a=setup:actpass", "a=setup:active", "a=setup:actpass", "a=setup:passive"},
	} {
		for _, method := range []sip.RequestMethod{sip.INVITE, sip.UPDATE} {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				alice.SDP = audioSDP("alice", 1, "10.0.0.1", 40000, c.ours)
				answer := audioSDP("peer", 1, "10.0.0.9", 4000, c.theirs)
				l.callPeer(alice, p, timerHeader, weRefresh, answer)
				for range 2 { // what was answered is agreed
					p.Request(method, timerHeader, se1800, answer)
					res := wantStatus(l, p, "refresh", 200)
					if method == sip.INVITE {
						p.Ack(res)
					}
					if got := string(res.Body()); strings.Contains(got, c.bad) || !strings.Contains(got, c.good) || !strings.Contains(got, "o=alice 1 2 ") {
						t.Errorf("%s by %s: offered %q, answered\n%s", c.rule, method, c.theirs, got)
					}
				}
			})
		}
	}
}

// D-13, D-30: a refresh offers what was agreed before the call was answered.
func TestAgreedBeforeTheAnswer(t *testing.T) {
	first, second := sipua.SDP("alice", "1"), audioSDP("alice", 2, "10.0.0.1", 40020)
	reliable := []string{"Require: 100rel", "RSeq: 1"}
	prack := func(body string) *sip.Request {
		req := sip.NewRequest(sip.PRACK, peerURI)
		req.AppendHeader(sip.NewHeader("RAck", "1 1 INVITE"))
		req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		req.SetBody([]byte(body))
		return req
	}
	for _, c := range []struct {
		name  string
		offer string // of the INVITE
		early func(l *lab, p *sipnet.Peer, invite *sip.Request, send func(*sip.Request))
		want  string
	}{
		{"an answer in a 183", first, func(_ *lab, p *sipnet.Peer, invite *sip.Request, _ func(*sip.Request)) {
			p.Reply(invite, 183, "Session Progress", sipnet.SDP)
		}, first},
		{"an offer in UPDATE after it", first, func(l *lab, p *sipnet.Peer, invite *sip.Request, _ func(*sip.Request)) {
			p.Reply(invite, 183, "Session Progress", sipnet.SDP)
			p.Request(sip.UPDATE, sdp2)
			wantStatus(l, p, "early UPDATE", 200)
		}, second},
		{"an UPDATE that is refused", first, func(l *lab, p *sipnet.Peer, invite *sip.Request, _ func(*sip.Request)) {
			p.Reply(invite, 183, "Session Progress", append(reliable, sipnet.SDP)...)
			synctest.Wait()
			p.Request(sip.UPDATE, strings.Replace(sdp2, "RTP/AVP", "RTP/SAVP", 1))
			wantStatus(l, p, "early UPDATE", 488)
		}, first},
		{"an UPDATE of ours after a reliable 183", first, func(l *lab, p *sipnet.Peer, invite *sip.Request, send func(*sip.Request)) {
			p.Reply(invite, 183, "Session Progress", append(reliable, sipnet.SDP)...)
			synctest.Wait()
			req := sip.NewRequest(sip.UPDATE, peerURI)
			req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
			req.SetBody([]byte(second))
			go send(req)
			p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", sdp2)
		}, second},
		{"an offer in a reliable 183, the answer in the PRACK", "", func(l *lab, p *sipnet.Peer, invite *sip.Request, send func(*sip.Request)) {
			p.Reply(invite, 183, "Session Progress", append(reliable, sipnet.SDP)...)
			synctest.Wait()
			go send(prack(second))
			p.Reply(p.ExpectRequest(l, sip.PRACK), 200, "OK")
		}, second},
		{"an offer in the PRACK, the answer in its 200", first, func(l *lab, p *sipnet.Peer, invite *sip.Request, send func(*sip.Request)) {
			p.Reply(invite, 183, "Session Progress", append(reliable, sipnet.SDP)...)
			synctest.Wait()
			go send(prack(second))
			p.Reply(p.ExpectRequest(l, sip.PRACK), 200, "OK", sdp2)
		}, second},
		{"an offer in the PRACK that is refused", first, func(l *lab, p *sipnet.Peer, invite *sip.Request, send func(*sip.Request)) {
			p.Reply(invite, 183, "Session Progress", append(reliable, sipnet.SDP)...)
			synctest.Wait()
			go send(prack(second))
			p.Reply(p.ExpectRequest(l, sip.PRACK), 488, "Not Acceptable Here")
		}, first},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				alice.Server.OnUpdate(func(req *sip.Request, tx sip.ServerTransaction) {
					if strings.Contains(string(req.Body()), "SAVP") {
						_ = tx.Respond(sip.NewResponseFromRequest(req, 488, "Not Acceptable Here", nil))
						return
					}
					respondSDP(req, tx, second)
				})
				alice.SDP = c.offer
				ready := make(chan *sipgo.DialogClientSession, 1)
				done := make(chan error, 1)
				go func() {
					d, err := alice.Invite(context.Background(), peerURI)
					ready <- d
					if err == nil {
						err = d.WaitAnswer(context.Background(), sipgo.AnswerOptions{})
					}
					if err == nil {
						err = d.Ack(context.Background())
					}
					done <- err
				}()
				invite := p.ExpectRequest(l, sip.INVITE)
				p.Reply(invite, 180, "Ringing")
				synctest.Wait()
				d := <-ready
				c.early(l, p, invite, func(req *sip.Request) {
					to := &sip.ToHeader{Address: peerURI, Params: sip.NewParams()}
					to.Params.Add("tag", p.Tag())
					req.AppendHeader(to)
					_, _ = d.Do(context.Background(), req)
				})
				synctest.Wait()
				p.Reply(invite, 200, "OK", se1800, "")
				p.ExpectRequest(l, sip.ACK)
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				l.at(900 * time.Second)
				if re := l.refreshed(p, sip.INVITE); string(re.Body()) != c.want || field(re, "Content-Type") != "application/sdp" {
					l.Errorf("refresh with\n%s\nwant\n%s", re.Body(), c.want)
				}
			})
		})
	}
}

// acceptWith answers a call with a body of the type.
func acceptWith(body, kind string) func(*sipgo.DialogServerSession) {
	return func(d *sipgo.DialogServerSession) {
		_ = d.Respond(200, "OK", []byte(body), sip.NewHeader("Content-Type", kind))
	}
}
