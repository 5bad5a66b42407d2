package middleware_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// secret answers the realm of the tests in calls of both directions.
var secret = []middleware.Option{middleware.WithCredentials("r", "trunk", "secret"), middleware.WithCredentialsForIncoming()}

// challenge is a way to ask for credentials.
type challenge struct {
	status int
	header string // the challenge
	answer string // the header field that answers it
}

func asks(status int, params string) challenge {
	if status == 407 {
		return challenge{407, "Proxy-Authenticate: Digest " + params, "Proxy-Authorization"}
	}
	return challenge{401, "WWW-Authenticate: Digest " + params, "Authorization"}
}

// wantCredentials checks that req answers the challenge that was sent.
func wantCredentials(l *lab, req *sip.Request, c challenge) {
	l.Helper()
	var chal *digest.Challenge
	for line := range strings.SplitSeq(c.header, "\r\n") {
		_, value, _ := strings.Cut(line, ": ")
		if parsed, err := digest.ParseChallenge(value); err == nil && digest.CanDigest(parsed) {
			chal = parsed
			break
		}
	}
	values := req.GetHeaders(c.answer)
	if len(values) != 1 {
		l.Fatalf("the %s has %d %s, want one", req.Method, len(values), c.answer)
	}
	got, err := digest.ParseCredentials(values[0].Value())
	if err != nil {
		l.Fatalf("%s of the %s: %v", c.answer, req.Method, err)
	}
	uri := strings.Fields(req.StartLine())[1]
	want, err := digest.Digest(chal, digest.Options{Method: string(req.Method), URI: uri, Username: "trunk", Password: "secret",
		Cnonce: got.Cnonce, Count: got.Nc,
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(req.Body())), nil }})
	if err != nil {
		l.Fatal(err)
	}
	if got.URI != uri || got.Response != want.Response || got.Nonce != chal.Nonce || got.Username != "trunk" {
		l.Errorf("the %s says %s\nwant it for nonce %q, URI %q, response %q", req.Method, values[0].Value(), chal.Nonce, uri, want.Response)
	}
}

// F-07: a challenged refresh is sent again with credentials and otherwise the
// same; one that succeeds moves the expiry.
func TestRefreshChallenged(t *testing.T) {
	first, second := `realm="r", nonce="n1"`, `realm="r", nonce="n2"`
	for _, row := range []struct {
		name string
		path []challenge
	}{
		{"401", []challenge{asks(401, first)}},
		{"407", []challenge{asks(407, first)}},
		{"407 with qop", []challenge{asks(407, first+`, qop="auth,auth-int", algorithm=MD5, opaque="o"`)}},
		{"407 with qop=auth-int", []challenge{asks(407, first+`, qop="auth-int"`)}},
		{"401 sha-256", []challenge{asks(401, first+`, algorithm=sha-256, qop="auth"`)}},
		{"401, the first of two is unknown", []challenge{asks(401, first+", algorithm=FOO-1\r\nWWW-Authenticate: Digest "+first)}},
		{"401 and a stale nonce", []challenge{asks(401, first), asks(401, second+`, stale=true`)}},
		{"407 of a proxy, 401 of the peer", []challenge{asks(407, first), asks(401, second)}},
		{"407 and 401, both stale once", []challenge{asks(407, first), asks(407, second+", stale=true"), asks(401, first), asks(401, second+`, stale=true`)}},
	} {
		inRefreshing(t, "F-07 "+row.name, 1800, func(c refreshing) {
			c.p.Request(sip.UPDATE, timerHeader, "Min-SE: 300", "Contact: <sip:peer@10.0.0.9:5060;ob>")
			wantStatus(c.lab, c.p, "an UPDATE", 200)
			c.at(c.half)
			req := c.p.ExpectRequest(c, c.method)
			for _, ask := range row.path {
				if field(req, ask.answer) != "" && !strings.Contains(ask.header, "stale") {
					c.Errorf("the %s carries %s before it was asked", req.Method, ask.answer)
				}
				c.refuse(req, ask.status, ask.header)
				next := c.p.ExpectRequest(c, c.method)
				c.wantRefresh(req, next)
				wantCredentials(c.lab, next, ask)
				req = next
			}
			if got := field(req, "Min-SE"); got != "300" {
				c.Errorf("the refresh has Min-SE %q, want 300", got)
			}
			c.p.Reply(req, 200, "OK", se1800)
			if req.IsInvite() {
				ack := c.p.ExpectRequest(c, sip.ACK)
				for _, ask := range row.path {
					if field(ack, ask.answer) != field(req, ask.answer) {
						c.Errorf("the ACK has other credentials than its INVITE: %q", field(ack, ask.answer))
					}
				}
			}
			c.p.Quiet(c, c.half-time.Second)
			c.at(2 * c.half)
			again := c.p.ExpectRequest(c, c.method)
			if field(again, "Authorization")+field(again, "Proxy-Authorization") != "" {
				c.Errorf("the next refresh answers a challenge of before")
			}
			if got := strings.Join(events(c.u), " "); strings.Contains(got, "RefreshFailed") {
				c.Errorf("events are %q, want no failure", got)
			}
		}, secret...)
	}
}

// F-07, F-20, H-05: credentials that are rejected are not sent again (RFC 3261
// §22.1), and a nonce that is always stale is not chased without end. The call
// lives until it expires.
func TestRefreshChallengedForEver(t *testing.T) {
	for _, row := range []struct {
		name   string
		status int
		params string
		tries  int
	}{
		{"401, wrong password", 401, `realm="r", nonce="n%d"`, 2},
		{"407, wrong password", 407, `realm="r", nonce="n%d"`, 2},
		{"401, always stale", 401, `realm="r", nonce="n%d", stale=true`, 5},
		{"401, nothing that we can answer", 401, `realm="r", nonce="n%d", algorithm=FOO`, 1},
	} {
		inRefreshing(t, "F-07 F-20 "+row.name, 1800, func(c refreshing) {
			c.at(c.half)
			for i := range row.tries {
				ask := asks(row.status, fmt.Sprintf(row.params, i))
				c.refuse(c.p.ExpectRequest(c, c.method), ask.status, ask.header)
			}
			c.p.Quiet(c, c.half-time.Second)
			c.wantAlive(c.u.Name, c.d)
			c.at(2 * c.half)
			c.wantSent(c.u.Addr, sip.BYE, 2*c.half)
			if got, want := strings.Join(events(c.u), " "), "Negotiated RefreshFailed Expired Ended"; got != want {
				c.Errorf("events are %q, want %q", got, want)
			}
		}, secret...)
	}
}

// F-07, F-08, I-09: a 422 after a challenge, and a server that takes each nonce
// once, still lead to a refresh.
func TestRefreshChallengedAndTooSmall(t *testing.T) {
	inRefreshing(t, "F-07 F-08", 1800, func(c refreshing) {
		c.at(c.half)
		first, second := asks(407, `realm="r", nonce="n1"`), asks(407, `realm="r", nonce="n2"`)
		c.refuse(c.p.ExpectRequest(c, c.method), 407, first.header)
		req := c.p.ExpectRequest(c, c.method)
		wantCredentials(c.lab, req, first)
		c.refuse(req, 422, "Min-SE: 3600")
		req = c.p.ExpectRequest(c, c.method)
		c.refuse(req, 407, second.header)
		req = c.p.ExpectRequest(c, c.method)
		wantCredentials(c.lab, req, second)
		if got, want := field(req, "Session-Expires")+" "+field(req, "Min-SE"), "3600;refresher=uac 3600"; got != want {
			c.Errorf("the refresh says %q, want %q", got, want)
		}
		c.p.Reply(req, 200, "OK", "Session-Expires: 3600;refresher=uac")
		synctest.Wait()
		c.wantAlive(c.u.Name, c.d)
	}, secret...)
}

// F-22: the BYE of an expired session answers a challenge too, and is not
// repeated if that is rejected.
func TestExpiryByeChallenged(t *testing.T) {
	for _, accepted := range []bool{true, false} {
		t.Run(fmt.Sprintf("F-22 accepted=%v", accepted), func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(secret...), l.peer()
				d, _ := l.peerCalls(p, bob, timerHeader, allow, se1800)
				l.at(1768 * time.Second)
				first, ask := p.ExpectRequest(l, sip.BYE), asks(407, `realm="r", nonce="n1"`)
				p.Reply(first, ask.status, "No", ask.header)
				second := p.ExpectRequest(l, sip.BYE)
				wantCredentials(l, second, ask)
				if a, b := first.CSeq().SeqNo, second.CSeq().SeqNo; b != a+1 || field(second, "Reason") != field(first, "Reason") {
					l.Errorf("the BYEs have CSeq %d and %d, Reason %q and %q", a, b, field(first, "Reason"), field(second, "Reason"))
				}
				if accepted {
					p.Reply(second, 200, "OK")
				} else {
					p.Reply(second, ask.status, "No", ask.header)
				}
				p.Quiet(l, time.Hour)
				l.wantEnded("bob", d)
				l.wantNothingLeft(bob)
			})
		})
	}
}
