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
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// The rest of known_dangers_test.go.

// C-14, C-15, D-08, D-09, D-22, E-12: a carrier with a minimum of 14400 s gets it with the
// default limits, and one Min-SE, in the first INVITE and in a refresh. A minimum of 120 s
// without an interval binds the timer that we add.
func TestDanger6MinSE14400(t *testing.T) {
	wantAsked := func(l *lab, req *sip.Request, se string) {
		l.Helper()
		if got, min := values(req, "Session-Expires"), values(req, "Min-SE"); len(got) != 1 || got[0] != se || len(min) != 1 || min[0] != "14400" {
			l.Errorf("the %s has Session-Expires %q, Min-SE %q; want %q and one Min-SE: 14400", req.Method, got, min, se)
		}
	}
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		_, outcome := l.dial(alice)
		l.tooSmall(p, "14400")
		again := p.ExpectRequest(l, sip.INVITE)
		wantAsked(l, again, "14400")
		const agreed = "Session-Expires: 14400;refresher=uac"
		p.Reply(again, 200, "OK", agreed, allow)
		if err := <-outcome; err != nil {
			l.Fatal(err)
		}
		l.plays(p, 3*14400*time.Second-time.Second, func(req *sip.Request) []string {
			if got := sipnet.Timers(req); got != agreed {
				l.Errorf("a refresh says %s, want %s", got, agreed)
			}
			return []string{agreed}
		})
		l.wantSent(aliceAddr, sip.UPDATE, 7200*time.Second, 14400*time.Second, 21600*time.Second, 28800*time.Second, 36000*time.Second)
	})
	for _, r := range refreshes {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			d := l.callPeer(alice, p, r.allow, timerHeader, ours)
			l.at(900 * time.Second)
			p.Reply(p.ExpectRequest(l, r.method), 422, "Session Interval Too Small", "Min-SE: 14400")
			if r.method == sip.INVITE {
				p.ExpectRequest(l, sip.ACK)
			}
			again := p.ExpectRequest(l, r.method)
			wantAsked(l, again, "14400;refresher=uac")
			p.Reply(again, 200, "OK", "Session-Expires: 14400;refresher=uac")
			l.at(8099 * time.Second)
			l.wantAlive("alice", d)
		})
	}
	for _, c := range []struct {
		row  string
		opts []middleware.Option
		want string
	}{
		{"E-12 default", nil, "1800;refresher=uas"},
		{"E-12 as short as may be", []middleware.Option{middleware.WithSessionExpires(90 * time.Second)}, "120;refresher=uas"},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(c.opts...), l.peer()
				_, res := l.peerCalls(p, bob, timerHeader, "Min-SE: 120", noUpdate)
				if got := field(res, "Session-Expires"); got != c.want {
					l.Errorf("the 200 says %q, want %q", got, c.want)
				}
				l.at(901 * time.Second)
				if re := p.ExpectRequest(l, sip.INVITE); field(re, "Min-SE") != "120" {
					l.Errorf("the refresh has Min-SE %q, want the peer's 120", field(re, "Min-SE"))
				}
			})
		})
	}
}

// dresses are ways in which providers write header fields.
var dresses = []struct {
	row     string
	headers []string // beside Allow, with an interval that the peer's side refreshes
	rewrite []sipnet.Rule
}{
	{"A-02 A-04 compact, no blank", []string{"k:timer,path", "x:1800;refresher=uac"}, []sipnet.Rule{
		{Pattern: `(?m)^From: `, To: "f:"}, {Pattern: `(?m)^To: `, To: "t:"}, {Pattern: `(?m)^Call-ID: `, To: "i:"}, {Pattern: `(?m)^Contact: `, To: "m:"},
		{Pattern: `(?m)^Content-Type: `, To: "c:"}, {Pattern: `(?m)^Content-Length: `, To: "l:"}, {Pattern: `(?m)^Via: `, To: "v:"}}},
	{"A-03 capitals", []string{timerHeader, se1800, "Min-SE: 90"}, []sipnet.Rule{{Pattern: `(?m)^[A-Za-z-]+:`, Upper: true}}},
	{"A-03 Min-Se, Supported four times", []string{"Supported: 100rel", "Supported: replaces", "Supported: timer", "Supported: path",
		"Session-Expires: 1800;refresher=uac", "Min-Se: 900"}, nil},
	{"A-18 Supported empty and repeated", []string{"Supported:", timerHeader, "Supported: ", se1800}, nil},
	{"A-18 Supported empty, timer in Require only", []string{"Supported:", "Require:  timer", "Session-Expires:  1800;refresher=uac"}, nil},
	{"A-04 two blanks after each colon", []string{timerHeader, se1800}, []sipnet.Rule{{Pattern: `(?m)^([A-Za-z-]+): `, To: "$1:  "}}},
	{"A-04 no blank after CSeq", []string{timerHeader, se1800}, []sipnet.Rule{{Pattern: `(?m)^CSeq: `, To: "CSeq:"}}},
	{"A-04 many blanks in the CSeq of requests", []string{timerHeader, se1800}, []sipnet.Rule{{Pattern: `(?m)^(CSeq: \d+) `, To: "$1       ", Requests: true}}},
	{"Content-Type and Content-Length twice", []string{timerHeader, se1800}, []sipnet.Rule{
		{Pattern: `(?m)^(Content-Type: .*\n)`, To: "$1$1"}, {Pattern: `(?m)^(Content-Length: .*\n)`, To: "$1$1"}}},
}

// a call, refreshes of both sides and both hang-ups with peers that
// write header fields in unusual ways.
func TestDanger7Spelling(t *testing.T) {
	for _, c := range dresses {
		for _, caller := range []bool{true, false} {
			for _, byPeer := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, caller %v, the peer hangs up %v", c.row, caller, byPeer), func(t *testing.T) {
					inLab(t, func(l *lab) {
						l.dressed(c.headers, sipnet.Dress(c.rewrite...), caller, byPeer)
					})
				})
			}
		}
	}
}

func (l *lab) dressed(headers []string, dress func(string) string, caller, byPeer bool) {
	u, p := l.alice(), l.peer()
	p.Dress = dress
	headers = append(headers, "Allow:INVITE,ACK,BYE,CANCEL,UPDATE")
	var d dialog
	if caller { // uac is us
		d = l.callPeer(u, p, headers...)
		l.plays(p, 2000*time.Second, accepts(headers...))
		l.wantSent(aliceAddr, sip.UPDATE, 900*time.Second, 1800*time.Second)
		p.Request(sip.UPDATE, headers...)
		wantStatus(l, p, "its UPDATE", 200)
	} else { // and here the peer
		var res *sip.Response
		d, res = l.peerCalls(p, u, headers...)
		for range 3 {
			if got := field(res, "Session-Expires"); got != "1800;refresher=uac" {
				l.Errorf("the 200 says %q, want 1800;refresher=uac", got)
			}
			l.plays(p, l.net.Elapsed()+900*time.Second, accepts(headers...))
			p.Request(sip.UPDATE, headers...)
			res = wantStatus(l, p, "its UPDATE", 200)
		}
	}
	l.wantAlive(u.Name, d)
	if byPeer {
		p.Request(sip.BYE)
		wantStatus(l, p, "its BYE", 200)
	} else {
		go func() { _ = d.Bye(context.Background()) }()
		l.plays(p, l.net.Elapsed()+time.Second, accepts())
	}
	l.wantEnded(u.Name, d)
	l.wantNothingLeft(u)
}

// F-07, F-22: a 407 to a refresh or to our BYE is answered if there are credentials. Without
// them the session lives until it expires, and the BYE is sent once.
func TestDanger8ChallengedInDialog(t *testing.T) {
	ask := asks(407, `realm="r", nonce="n1", qop="auth"`)
	challenging := func(req *sip.Request) []string {
		if req.GetHeader(ask.answer) == nil {
			return []string{"407 Proxy Authentication Required", ask.header}
		}
		return []string{ours}
	}
	for _, r := range refreshes {
		t.Run("F-07 with credentials, "+string(r.method), func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(secret...), l.peer()
				d := l.callPeer(alice, p, r.allow, ours)
				l.plays(p, 5400*time.Second, challenging)
				l.wantAlive("alice", d)
				l.net.Silence(peerAddr)
				l.at(6332 * time.Second)
				l.wantEnded("alice", d)
			})
		})
		t.Run("F-07 without, "+string(r.method), func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				d := l.callPeer(alice, p, r.allow, ours)
				l.plays(p, 1799*time.Second, challenging)
				l.wantAlive("alice", d)
				l.plays(p, 2000*time.Second, challenging)
				l.wantEnded("alice", d)
				l.wantSent(aliceAddr, sip.BYE, 1800*time.Second)
			})
		})
	}
	t.Run("F-22 our BYE", func(t *testing.T) {
		inLab(t, func(l *lab) {
			bob, p := l.bob(secret...), l.peer()
			d, _ := l.peerCalls(p, bob, timerHeader, allow, se1800)
			l.plays(p, 1800*time.Second, challenging)
			l.wantEnded("bob", d)
			byes := l.requests(bobAddr, "BYE")
			if len(byes) != 2 || byes[1].SIP.(*sip.Request).GetHeader(ask.answer) == nil {
				l.Errorf("%d BYEs, want two, the second with credentials", len(byes))
			}
		})
	})
}

// J-13: the peer answers a repeated number with 408, or takes it for another call. No number
// is repeated, whatever the application sends between refreshes and around a 422 or a
// challenge.
func TestDanger9CSeqUsedTwice(t *testing.T) {
	for _, r := range refreshes {
		inLab(t, func(l *lab) {
			alice, p := l.alice(secret...), l.peer()
			d := l.callPeer(alice, p, r.allow, ours)
			last, n := l.requests(aliceAddr, "INVITE")[0].SIP.CSeq().SeqNo, 0
			provider := func(req *sip.Request) []string {
				number := req.CSeq().SeqNo
				if number <= last {
					l.Errorf("%s has CSeq %d after %d", req.Method, number, last)
					return []string{"408 Request Timeout"}
				}
				last = number
				n++
				switch {
				case req.Method != sip.INFO && n%5 == 0:
					return []string{"422 Session Interval Too Small", fmt.Sprintf("Min-SE: %d", 1800+n)}
				case req.Method != sip.INFO && n%7 == 0 && req.GetHeader("Proxy-Authorization") == nil:
					return []string{"407 Proxy Authentication Required", `Proxy-Authenticate: Digest realm="r", nonce="n1"`}
				}
				return []string{ours, r.allow}
			}
			for i := range 30 {
				go func() {
					for _, method := range []sip.RequestMethod{sip.INFO, sip.INVITE, sip.INFO} {
						_, _ = alice.Send(d, peerAddr, method, map[sip.RequestMethod]string{sip.INVITE: hold}[method])
					}
				}()
				l.plays(p, time.Duration(i+1)*450*time.Second, provider)
			}
			l.wantAlive("alice", d)
		})
	}
}

// C-10, D-13, J-01: after a hold the refresh repeats the hold, not what was before. A peer
// that hangs up on the second re-INVITE that changes nothing ends the call; with one that
// refuses it the call lives.
func TestDanger10SecondReInvite(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		d := l.callPeer(alice, p, noUpdate, ours)
		go l.send(alice, d, peerAddr, sip.INVITE, hold)
		offers := 0
		l.plays(p, 2000*time.Second, func(req *sip.Request) []string {
			if offers++; string(req.Body()) != hold {
				l.Errorf("offer %d is\n%s, want the hold", offers, req.Body())
			}
			return []string{ours, noUpdate, strings.ReplaceAll(sipnet.SDP, "t=0 0\r\n", "t=0 0\r\na=recvonly\r\n")}
		})
		if offers != 3 {
			l.Errorf("%d offers, want the hold and two refreshes", offers)
		}
		l.wantAlive("alice", d)
	})
	inLab(t, func(l *lab) { // hangs up
		alice, p := l.alice(), l.peer()
		d := l.callPeer(alice, p, noUpdate, ours)
		n := 0
		l.plays(p, 1801*time.Second, func(req *sip.Request) []string {
			if n++; n == 2 {
				p.Request(sip.BYE)
				synctest.Wait()
				return nil
			}
			return []string{ours, noUpdate}
		})
		l.wantEnded("alice", d)
		l.wantSent(aliceAddr, sip.BYE)
		l.wantNothingLeft(alice)
	})
	inLab(t, func(l *lab) { // refuses
		alice, p := l.alice(), l.peer()
		d := l.callPeer(alice, p, noUpdate, ours)
		n := 0
		l.plays(p, 5*900*time.Second, func(*sip.Request) []string {
			if n++; n%2 == 0 {
				return []string{"500 Server Internal Error"}
			}
			return []string{ours, noUpdate}
		})
		l.wantAlive("alice", d)
	})
	t.Run("F-06 a stream that is closed when idle", func(t *testing.T) {
		if testing.Short() {
			t.Skip("takes seconds of real time")
		}
		for _, caller := range []bool{true, false} {
			t.Run(fmt.Sprint("caller ", caller), func(t *testing.T) {
				t.Parallel()
				p, o := newStreamPeer(t), newOnStream(t, middleware.WithSessionExpires(2*time.Second), middleware.WithMaxInterval(2*time.Second))
				d := o.call(t, p, caller)
				_ = p.conn.Close() // in peace
				p.accept()
				p.accepts(p.expect("UPDATE"), "Session-Expires: 6;refresher=uac")
				p.accepts(p.expect("UPDATE"), "Session-Expires: 6;refresher=uac")
				if s := d.LoadState(); s != sip.DialogStateConfirmed {
					t.Errorf("the dialog is in state %v, want it alive", s)
				}
			})
		}
	})
}
