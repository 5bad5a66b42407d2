package middleware_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// line is the session part of a message of RFC 4028 §13, and where the message goes.
func line(m sip.Message) string {
	start := sipnet.Label(m)
	if req, ok := m.(*sip.Request); ok {
		start = fmt.Sprintf("%d %s %s", req.CSeq().SeqNo, req.Method, req.Recipient.String())
	}
	for _, name := range []string{"Require", "Supported", "Session-Expires", "Min-SE", "Route", "Record-Route", "Content-Type", "Reason"} {
		for _, h := range m.GetHeaders(name) {
			start += " | " + name + ": " + h.Value()
		}
	}
	return start
}

func wantLine(l *lab, row string, m sip.Message, want string) {
	l.Helper()
	if diff := cmp.Diff(want, line(m)); diff != "" {
		l.Errorf("%s (-want +got):\n%s", row, diff)
	}
}

// The flow of RFC 4028 §13 as Alice sees it; the peer plays both proxies and Bob.
func TestFlowAlice(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(middleware.WithUnsafeIntervals(), middleware.WithSessionExpires(50*time.Second)), l.peer()
		_, outcome := l.dial(alice)
		first := p.ExpectRequest(l, sip.INVITE)
		n := first.CSeq().SeqNo
		to := "sip:peer@10.0.0.9:5060"
		invite := func(row string, req *sip.Request, nth uint32, fields string) {
			wantLine(l, row, req, fmt.Sprintf("%d INVITE %s | Supported: timer | %s | Content-Type: application/sdp", n+nth, to, fields))
			if req.CallID().Value() != first.CallID().Value() || req.To().Params.Has("tag") {
				l.Errorf("%s: Call-ID %s, To %s; want the Call-ID of the first INVITE and no To tag", row, req.CallID().Value(), req.To().Value())
			}
		}
		refuse := func(req *sip.Request, minSE string) {
			p.Reply(req, 422, "Session Interval Too Small", "Min-SE: "+minSE)
			if ack := p.ExpectRequest(l, sip.ACK); ack.CSeq().SeqNo != req.CSeq().SeqNo || field(ack, "Supported") != "" {
				l.Errorf("I-02: ACK %s with Supported %q", ack.CSeq().Value(), field(ack, "Supported"))
			}
		}
		invite("I-01", first, 0, "Session-Expires: 50")
		refuse(first, "3600")
		second := p.ExpectRequest(l, sip.INVITE)
		invite("I-03", second, 1, "Session-Expires: 3600 | Min-SE: 3600")
		refuse(second, "4000")
		third := p.ExpectRequest(l, sip.INVITE)
		invite("I-05", third, 2, "Session-Expires: 4000 | Min-SE: 4000")
		branches := map[string]bool{}
		for _, req := range []*sip.Request{first, second, third} {
			branches[req.Via().Params.GetOr("branch", "")] = true
		}
		if len(branches) != 3 {
			l.Errorf("I-05: the INVITEs have branches %v, want three", branches)
		}
		p.Reply(third, 200, "OK", "Require: timer", "Supported: timer", "Record-Route: <sip:10.0.0.9:5060;lr>",
			"Session-Expires: 4000;refresher=uac", "Contact: <sip:bob@192.0.2.4>", allow)
		wantLine(l, "I-06", p.ExpectRequest(l, sip.ACK), fmt.Sprintf("%d ACK sip:bob@192.0.2.4 | Route: <sip:10.0.0.9:5060;lr>", n+2))
		if err := <-outcome; err != nil {
			l.Fatalf("the call fails: %v", err)
		}
		l.at(2000 * time.Second)
		update := p.ExpectRequest(l, sip.UPDATE)
		l.wantSent(aliceAddr, sip.UPDATE, 2000*time.Second)
		wantLine(l, "I-07", update,
			fmt.Sprintf("%d UPDATE sip:bob@192.0.2.4 | Supported: timer | Session-Expires: 4000;refresher=uac | Route: <sip:10.0.0.9:5060;lr>", n+3))
		if got := field(update, "Content-Length"); got != "0" || field(update, "Contact") != "<sip:alice@10.0.0.1:5060>" {
			l.Errorf("I-07: Content-Length %q, Contact %q", got, field(update, "Contact"))
		}
		p.Reply(update, 200, "OK", "Require: timer", "Session-Expires: 4000;refresher=uac", "Contact: <sip:bob@192.0.2.4>",
			"Record-Route: <sip:10.0.0.77:5060;lr>")
		l.at(4000 * time.Second)
		wantLine(l, "J-14: the route set stays", p.ExpectRequest(l, sip.UPDATE),
			fmt.Sprintf("%d UPDATE sip:bob@192.0.2.4 | Supported: timer | Session-Expires: 4000;refresher=uac | Route: <sip:10.0.0.9:5060;lr>", n+4))
	})
}

// The same flow as Bob sees it, who at first refuses in place of the proxies.
func TestFlowBob(t *testing.T) {
	const id = "Call-ID: a84b4c76e66710"
	invite := func(cseq int, tag string, headers ...string) []string {
		return append([]string{id, timerHeader, allow, fmt.Sprintf("CSeq: %d INVITE", cseq), "From: <sip:alice@10.0.0.9>;tag=" + tag}, headers...)
	}
	for _, tags := range [][3]string{{"1928301774", "1928301774", "1928301774"}, {"1928301774", "2568701785", "5647301796"}} {
		for _, minSE := range []int{3600, 4000} {
			t.Run(fmt.Sprintf("Min-SE %d, From tags %v", minSE, tags), func(t *testing.T) {
				inLab(t, func(l *lab) {
					bob, p := l.bob(middleware.WithMinSE(time.Duration(minSE)*time.Second), middleware.WithSessionExpires(4000*time.Second)), l.peer()
					refused := func(row string, headers []string) {
						p.Invite(bob.Addr, headers...)
						res := p.ExpectResponse(l, 422)
						want := fmt.Sprintf("422 Session Interval Too Small (INVITE) | Min-SE: %d", minSE)
						if got := strings.ReplaceAll(line(res), " | Supported: timer", ""); got != want {
							l.Errorf("%s: %s, want %s", row, got, want)
						}
						p.Ack(res, id, headers[3][:len(headers[3])-6]+"ACK", headers[4])
						synctest.Wait()
					}
					refused("I-02", invite(314159, tags[0], "Session-Expires: 50"))
					if minSE == 4000 {
						refused("I-04", invite(314160, tags[1], "Session-Expires: 3600", "Min-SE: 3600"))
					}
					p.Invite(bob.Addr, invite(314161, tags[2], "Session-Expires: 4000", "Min-SE: 4000",
						"Record-Route: <sip:10.0.0.9:5060;lr>", "Contact: <sip:alice@192.0.2.9>")...)
					res := p.ExpectResponse(l, 200)
					wantLine(l, "I-06", res, "200 OK (INVITE) | Require: timer | Supported: timer | Session-Expires: 4000;refresher=uac"+
						" | Record-Route: <sip:10.0.0.9:5060;lr> | Content-Type: application/sdp")
					p.Ack(res, id, "CSeq: 314161 ACK", "From: <sip:alice@10.0.0.9>;tag="+tags[2])
					l.at(2000 * time.Second)
					p.Request(sip.UPDATE, id, "To: "+res.To().Value(), timerHeader, "CSeq: 314162 UPDATE", "From: <sip:alice@10.0.0.9>;tag="+tags[2],
						"Session-Expires: 4000;refresher=uac", "Contact: <sip:alice@192.0.2.9>")
					res = wantStatus(l, p, "the UPDATE", 200)
					wantLine(l, "I-08", res, "200 OK (UPDATE) | Require: timer | Supported: timer | Session-Expires: 4000;refresher=uac")
					if got := field(res, "CSeq") + " " + field(res, "Contact"); got != "314162 UPDATE <sip:bob@10.0.0.2:5060>" {
						l.Errorf("I-08: CSeq and Contact are %q", got)
					}
					l.at((2000 + 3968) * time.Second)
					bye := p.ExpectRequest(l, sip.BYE)
					l.wantSent(bobAddr, sip.BYE, (2000+3968)*time.Second)
					wantLine(l, "I-08", bye, fmt.Sprintf("%d BYE sip:alice@192.0.2.9 | Supported: timer | Route: <sip:10.0.0.9:5060;lr>"+
						` | Reason: SIP;cause=408;text="Session timer expired"`, bye.CSeq().SeqNo))
					p.Reply(bye, 408, "Request Timeout")
					p.Quiet(l, time.Hour)
					l.wantNothingLeft(bob)
				})
			})
		}
	}
}

// I-10: what pjsip's test suite plays.
func TestFlowsOfPjsip(t *testing.T) {
	t.Run("I-10 a 200 with less is obeyed", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(middleware.WithSessionExpires(2000*time.Second), middleware.WithMinSE(100*time.Second)), l.peer()
			l.callPeer(alice, p, allow, "Session-Expires: 1000;refresher=uac")
			l.at(500 * time.Second)
			p.ExpectRequest(l, sip.UPDATE)
			if diff := cmp.Diff([]string{"Session-Expires: 2000, Min-SE: 100"}, l.tries(aliceAddr)); diff != "" {
				l.Errorf("the INVITE (-want +got):\n%s", diff)
			}
			l.wantSent(aliceAddr, sip.UPDATE, 500*time.Second)
		})
	})
	t.Run("I-10 a 422 is followed", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(middleware.WithSessionExpires(1000*time.Second)), l.peer()
			_, outcome := l.dial(alice)
			p.Reply(p.ExpectRequest(l, sip.INVITE), 422, "Session Interval Too Small", "Min-SE: 2000")
			p.ExpectRequest(l, sip.ACK)
			p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK")
			p.ExpectRequest(l, sip.ACK)
			if err := <-outcome; err != nil {
				l.Errorf("the call fails: %v", err)
			}
			if diff := cmp.Diff([]string{"Session-Expires: 1000", "Session-Expires: 2000, Min-SE: 2000"}, l.tries(aliceAddr)); diff != "" {
				l.Errorf("the INVITEs (-want +got):\n%s", diff)
			}
		})
	})
	for _, c := range []struct {
		name    string
		opts    []middleware.Option
		headers []string
		status  int
		want    string
	}{
		{"too small", []middleware.Option{middleware.WithMinSE(2000 * time.Second), middleware.WithSessionExpires(2000 * time.Second)},
			[]string{timerHeader, "Session-Expires: 1800"}, 422, "422 Session Interval Too Small (INVITE) | Min-SE: 2000"},
		{"required", nil, []string{"Require: timer", timerHeader, "Session-Expires: 1800"}, 200,
			"200 OK (INVITE) | Require: timer | Supported: timer | Session-Expires: 1800;refresher=uac | Content-Type: application/sdp"},
		{"supported only, accepting", []middleware.Option{middleware.WithMode(sessiontimer.Accept)}, []string{timerHeader}, 200,
			"200 OK (INVITE) | Supported: timer | Content-Type: application/sdp"},
		{"supported only, wanting", nil, []string{timerHeader}, 200,
			"200 OK (INVITE) | Require: timer | Supported: timer | Session-Expires: 1800;refresher=uas | Content-Type: application/sdp"},
	} {
		t.Run("I-10 "+c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(c.opts...), l.peer()
				p.Invite(bob.Addr, c.headers...)
				res := p.ExpectResponse(l, c.status)
				wantLine(l, "I-10", res, c.want)
				p.Ack(res)
				synctest.Wait()
			})
		})
	}
}
