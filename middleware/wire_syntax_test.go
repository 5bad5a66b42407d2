package middleware_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// next returns the next request of a user agent to the silent peer, and when it came. It
// refuses a refresh so that the call ends.
func (l *lab) next(p *sipnet.Peer, within time.Duration) string {
	l.Helper()
	msg, ok := p.Recv(within)
	if !ok {
		return "nothing"
	}
	req, ok := msg.(*sip.Request)
	if !ok {
		l.Fatalf("the peer gets %s, should get a request or nothing", sipnet.Label(msg))
	}
	got := fmt.Sprintf("%s at %v", req.Method, l.net.Elapsed())
	if req.Method != sip.BYE {
		got += ", " + sipnet.Timers(req)
		p.Reply(req, 481, "Gone")
	}
	synctest.Wait()
	return got
}

// wantFloor checks that the user agents never asked for or offered less than 90 s.
func (l *lab) wantFloor() {
	l.Helper()
	for _, m := range l.net.Messages() {
		if m.From == peerAddr {
			continue
		}
		for _, name := range []string{"Session-Expires", "Min-SE"} {
			value, _, _ := strings.Cut(field(m.SIP, name), ";")
			n := 90
			if _, err := fmt.Sscan(value, &n); value != "" && err != nil || n < 90 {
				l.Errorf("H-01: %s of %s carries %s %q, should never be below 90", sipnet.Label(m.SIP), names[m.From], name, value)
			}
		}
	}
}

// How an INVITE is read, as its 200 shows.
func TestSyntaxOfInvite(t *testing.T) {
	const (
		uac1800 = "Session-Expires: 1800;refresher=uac"
		uas1800 = "Session-Expires: 1800;refresher=uas" // also what is offered to who asks for nothing
		k       = "Supported: timer"
	)
	for _, c := range []struct {
		row     string
		headers []string
		want    string
	}{
		{"A-01 seconds and refresher", []string{k, "Session-Expires: 1800;refresher=uac"}, uac1800},
		{"A-01 seconds", []string{k, "Session-Expires: 1000"}, "Session-Expires: 1000;refresher=uac"},
		{"A-02 compact", []string{"k: timer", "x: 1800;refresher=uas"}, uas1800},
		{"A-02 compact, upper case", []string{"K: timer", "X: 1000;refresher=uac"}, "Session-Expires: 1000;refresher=uac"},
		{"A-03 case", []string{"SUPPORTED: TIMER", "SESSION-EXPIRES: 1000;Refresher=UAC"}, "Session-Expires: 1000;refresher=uac"},
		{"A-04 blanks", []string{k, "Session-Expires:\t  1000 ; refresher =\tuas "}, "Session-Expires: 1000;refresher=uas"},
		{"A-04 blanks before the colon", []string{k, "Session-Expires \t: 1000 ;refresher = uas"}, "Session-Expires: 1000;refresher=uas"},
		{"A-04 folded", []string{k, "Session-Expires: 1000 ;\n refresher\n\t=\n uas"}, "Session-Expires: 1000;refresher=uas"},
		{"A-04 folded at once", []string{k, "Session-Expires:\n 1000\n ;refresher=uas"}, "Session-Expires: 1000;refresher=uas"},
		{"A-05 other parameters", []string{k, `Session-Expires: 1000;foo;a=b;h=[::1];q="x;refresher=uac";refresher=uas;z`}, "Session-Expires: 1000;refresher=uas"},
		{"A-05 behind the refresher", []string{k, `Session-Expires: 1000;refresher=uas;q="\";refresher=uac"`}, "Session-Expires: 1000;refresher=uas"},
		{"A-06 senseless refresher", []string{k, "Session-Expires: 1000;refresher=proxy"}, "Session-Expires: 1000;refresher=uac"},
		{"A-06 no value", []string{k, "Session-Expires: 1000;refresher"}, "Session-Expires: 1000;refresher=uac"},
		{"A-06 quoted", []string{k, `Session-Expires: 1000;refresher="uas"`}, "Session-Expires: 1000;refresher=uac"},
		{"A-07 twice", []string{k, "Session-Expires: 1000;refresher=uas;refresher=uac"}, "Session-Expires: 1000;refresher=uas"},
		{"A-07 twice, the other way", []string{k, "Session-Expires: 1000;refresher=uac;refresher=uas"}, "Session-Expires: 1000;refresher=uac"},
		{"A-08 fraction of nothing", []string{k, "Session-Expires: 1000.0;refresher=uas"}, "Session-Expires: 1000;refresher=uas"},
		{"A-01 semicolon and nothing", []string{k, "x: 1000;"}, "Session-Expires: 1000;refresher=uac"},
		{"A-12 comma for a semicolon", []string{k, "Session-Expires: 1000,refresher=uac"}, "Session-Expires: 1000;refresher=uac"},
		{"A-13 Min-SE of the same kind", []string{k, "Min-SE: 2000;", "Session-Expires: 2500.0"}, "Session-Expires: 2000;refresher=uac"},
		{"A-08 leading zeros", []string{k, "Session-Expires: 0001000"}, "Session-Expires: 1000;refresher=uac"},
		{"A-09 above 2^32", []string{k, "Session-Expires: 4294967297"}, uac1800},
		{"A-09 H-04 above 2^64", []string{k, "Session-Expires: 99999999999999999999;refresher=uas"}, uas1800},
		{"A-10 without timer", []string{"Session-Expires: abc"}, ""},
		{"A-12 the first counts", []string{k, "Session-Expires: 1000", "Session-Expires: 600"}, "Session-Expires: 1000;refresher=uac"},
		{"A-12 both forms", []string{k, "x: 1000;refresher=uas", "Session-Expires: 600"}, "Session-Expires: 1000;refresher=uas"},
		{"A-13 Min-SE with a parameter", []string{k, "Min-SE: 2000;foo=bar", "Session-Expires: 2500"}, "Session-Expires: 2000;refresher=uac"},
		{"A-14 Min-SE below 90", []string{k, "Min-SE: 30", "Session-Expires: 90"}, "Session-Expires: 90;refresher=uac"},
		{"A-14 Min-SE malformed", []string{k, "Min-SE: -5", "Session-Expires: 90"}, "Session-Expires: 90;refresher=uac"},
		{"A-18 several fields", []string{"k: replaces", "Supported: 100rel ,timer", "Session-Expires: 1000"}, "Session-Expires: 1000;refresher=uac"},
		{"A-18 an empty one", []string{"Supported: ", "Supported: timer", "Session-Expires: 1000"}, "Session-Expires: 1000;refresher=uac"},
		{"A-18 Require", []string{"Require: timer", "Session-Expires: 1000"}, "Session-Expires: 1000;refresher=uac"},
		{"A-18 Proxy-Require", []string{"Proxy-Require: foo, Timer", "Session-Expires: 1000"}, "Session-Expires: 1000;refresher=uac"},
		{"A-18 another option tag", []string{"Supported: timer-x, xtimer", "Session-Expires: 1000"}, "Session-Expires: 1000;refresher=uas"},
		{"A-18 Unsupported is no support", []string{"Unsupported: timer", "Session-Expires: 1000"}, "Session-Expires: 1000;refresher=uas"},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				_, res := l.peerCalls(p, bob, c.headers...)
				if got := sipnet.Timers(res); got != c.want {
					l.Errorf("the 200 carries %q, should carry %q", got, c.want)
				}
				l.wantFloor()
			})
		})
	}
	// As if it were absent: the peer has timers and asks for nothing.
	for _, value := range []string{"", "abc", "-1", "+90", "1800.5", "0x708", "18 00", "1e3", "1800, 90", "1.800", ";refresher=uac",
		`1800;q="open`, "١٨٠٠", strings.Repeat("9", 1100)} {
		t.Run("A-08 A-10 malformed "+value[:min(len(value), 20)], func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				_, res := l.peerCalls(p, bob, k, "Session-Expires: "+value)
				if got := sipnet.Timers(res); got != uas1800 {
					l.Errorf("the 200 carries %q, should carry %q as for an INVITE without", got, uas1800)
				}
			})
		})
	}
}

// How a 200 is read, as our next request shows.
func TestSyntaxOfAnswer(t *testing.T) {
	const (
		refresh = "UPDATE at 8m20s, Session-Expires: 1000;refresher=uac"
		asked   = "UPDATE at 15m0s, Session-Expires: 1800;refresher=uac" // as for Require: timer alone
		hangup  = "BYE at 16m8s"
	)
	for _, c := range []struct {
		row     string
		headers []string
		want    string
	}{
		{"A-02 compact", []string{"x: 1000;refresher=uas"}, hangup},
		{"A-03 case", []string{"SESSION-EXPIRES: 1000;Refresher=UAS"}, hangup},
		{"A-04 folded", []string{"Session-Expires: 1000\n ;\n\trefresher = uas"}, hangup},
		{"A-04 blanks before the colon", []string{"Session-Expires \t: 1000 ; refresher= uas"}, hangup},
		{"A-05 other parameters", []string{`Session-Expires: 1000;a="\";refresher=uac";b;refresher=uas`}, hangup},
		{"A-06 C-05 senseless refresher", []string{"Session-Expires: 1000;refresher=me"}, refresh},
		{"A-07 twice", []string{"Session-Expires: 1000;refresher=uas;refresher=uac"}, hangup},
		{"A-09 above 2^64: the bound of the interval", []string{"Session-Expires: 99999999999999999999;refresher=uac"},
			"UPDATE at 15m0s, Session-Expires: 4294967295;refresher=uac"},
		{"A-09 H-04 above 2^32, the peer's", []string{"Session-Expires: 4294967297;refresher=uas"}, "nothing"},
		{"A-11 semicolon and nothing", []string{"Session-Expires: 1000;"}, refresh},
		{"A-11 comma for a semicolon", []string{"Session-Expires: 1000,refresher=uac"}, refresh},
		{"A-11 fraction of nothing", []string{"Session-Expires: 1000.0;refresher=uas"}, hangup},
		{"A-11 C-08 no seconds", []string{"Session-Expires: ;refresher=uac"}, asked},
		{"A-11 words", []string{"Session-Expires: soon"}, asked},
		{"A-12 the first counts", []string{"Session-Expires: 1000;refresher=uas", "x: 600;refresher=uac"}, hangup},
		{"A-12 a list", []string{"Session-Expires: 1000;refresher=uas, 90;refresher=uac"}, asked},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				l.callPeer(alice, p, append([]string{"Allow: UPDATE", "Require: timer"}, c.headers...)...)
				if got := l.next(p, 24*time.Hour); got != c.want {
					l.Errorf("Alice sends %s, should send %s", got, c.want)
				}
			})
		})
	}
}

// our own header fields are in canonical form, byte for byte.
func TestSyntaxOfOurs(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		_, outcome := l.dial(alice)
		l.tooSmall(p, "3600;why=not")
		p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", "Session-Expires: 3600 ; Refresher=UAC", allow)
		p.ExpectRequest(l, sip.ACK)
		if err := <-outcome; err != nil {
			l.Fatal(err)
		}
		l.at(1800 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", "Session-Expires: 3600;refresher=uac")
		p.Request(sip.UPDATE, timerHeader, "Session-Expires: 1000")
		p.ExpectResponse(l, 200)
		for _, c := range []struct{ label, line string }{
			{"INVITE", "\r\nSession-Expires: 1800\r\n"},
			{"INVITE", "\r\nSession-Expires: 3600\r\n"},
			{"INVITE", "\r\nMin-SE: 3600\r\n"},
			{"UPDATE", "\r\nSession-Expires: 3600;refresher=uac\r\n"},
			{"200 OK (UPDATE)", "\r\nSession-Expires: 1000;refresher=uas\r\n"},
			{"200 OK (UPDATE)", "\r\nRequire: timer\r\n"},
		} {
			found := false
			for _, m := range l.net.Messages() {
				found = found || m.From == aliceAddr && sipnet.Label(m.SIP) == c.label && bytes.Contains(m.Raw, []byte(c.line))
			}
			if !found {
				l.Errorf("A-20: no %s has the line %q", c.label, c.line)
			}
		}
	})
}
