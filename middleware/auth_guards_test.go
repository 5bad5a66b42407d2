package middleware_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// lent are credentials for the guards of the tests.
var lent = []middleware.Option{
	middleware.WithCredentials("avaya.example", "trunk", "hush1"),
	middleware.WithCredentials("edge.example", "edge", "hush2"),
}

func avaya(params string) *guard {
	return &guard{status: 407, realm: "avaya.example", params: params, user: "trunk", pass: "hush1"}
}

func edge(status int, params string) *guard {
	return &guard{status: status, realm: "edge.example", params: params, user: "edge", pass: "hush2"}
}

// ways are the guards on the way to the peer, the nearest first. Each row is made
// anew for each call.
var ways = []struct {
	name   string
	guards func() []*guard
}{
	{"407 of a session manager", func() []*guard { return []*guard{avaya("")} }},
	{"407 with qop and opaque", func() []*guard { return []*guard{avaya(`, qop="auth", opaque="o\"1", algorithm=MD5`)} }},
	{"407 with blanks in a list of qop", func() []*guard { return []*guard{avaya(`, qop="auth-conf, auth", algorithm=md5`)} }},
	{"407 that protects the body", func() []*guard { return []*guard{avaya(`, qop="auth-int", algorithm=MD5`)} }},
	{"407 with two algorithms, the better first", func() []*guard {
		g := avaya(`, qop="auth", algorithm=SHA-256`)
		g.weaker = `, qop="auth", algorithm=MD5`
		return []*guard{g}
	}},
	{"407 and a stale nonce", func() []*guard { g := avaya(`, qop="auth"`); g.staleAtFirst = 1; return []*guard{g} }},
	{"407 and two stale nonces", func() []*guard { g := avaya(""); g.staleAtFirst = 2; return []*guard{g} }},
	{"401 of the peer", func() []*guard { return []*guard{edge(401, `, qop="auth"`)} }},
	{"407 of one proxy and of another", func() []*guard { return []*guard{avaya(`, qop="auth"`), edge(407, "")} }},
	{"407 of a proxy, 401 of the peer", func() []*guard { return []*guard{avaya(`, qop="auth"`), edge(401, `, qop="auth"`)} }},
	{"407 and 401 for the same realm", func() []*guard {
		peer := edge(401, `, qop="auth"`)
		return []*guard{edge(407, `, qop="auth"`), peer}
	}},
	{"two proxies and the peer, each stale once", func() []*guard {
		a, b, c := avaya(`, qop="auth"`), edge(407, `, qop="auth"`), edge(401, `, qop="auth"`)
		a.staleAtFirst, b.staleAtFirst, c.staleAtFirst = 1, 1, 1
		return []*guard{a, b, c}
	}},
	{"a proxy whose nonces are good for one request", func() []*guard {
		g := avaya(`, qop="auth"`)
		g.oneTime = true
		return []*guard{g, edge(401, `, qop="auth"`)}
	}},
}

// admitted sends req back until every guard lets it pass, and returns the one that
// did. What the guards see is checked, and that each differs from the one before as
// RFC 3261 §8.1.3.5 says: same Call-ID and tags, next CSeq, new branch.
func (c refreshing) admitted(req *sip.Request, guards []*guard) *sip.Request {
	c.Helper()
	for {
		challenge, refusing := "", (*guard)(nil)
		for _, g := range guards {
			var ok bool
			if challenge, ok = g.admits(c.lab, req); !ok {
				refusing = g
				break
			}
		}
		if refusing == nil {
			return req
		}
		c.refuse(req, refusing.status, challenge)
		next := c.p.ExpectRequest(c, req.Method)
		if next.CSeq().SeqNo != req.CSeq().SeqNo+1 || next.CallID().Value() != req.CallID().Value() ||
			next.From().Value() != req.From().Value() || next.To().Value() != req.To().Value() ||
			next.Via().Params.GetOr("branch", "") == req.Via().Params.GetOr("branch", "") {
			c.Fatalf("the %s\n%s\nfollows\n%s\nwant the same Call-ID and tags, the next CSeq, a new branch", req.Method, next, req)
		}
		req = next
	}
}

// credentialsOf are the header fields with credentials, sorted.
func credentialsOf(req *sip.Request) []string {
	var out []string
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		for _, h := range req.GetHeaders(name) {
			out = append(out, h.Name()+": "+h.Value())
		}
	}
	slices.Sort(out)
	return out
}

// F-07, F-22: refreshes and the BYE of an expired session pass every kind of guard
// within the dialog, by UPDATE and by re-INVITE; the call lives until its peer stops
// to answer.
func TestGuardsOnTheWay(t *testing.T) {
	for _, way := range ways {
		inOurCalls(t, "F-07 F-22 "+way.name, func(c refreshing) {
			guards := way.guards()
			for n := 1; n <= 2; n++ {
				c.at(time.Duration(n) * c.half)
				first := c.p.ExpectRequest(c, c.method)
				if got := credentialsOf(first); len(got) > 0 {
					c.Errorf("refresh %d begins with %q, want no credentials: they answer the challenges of another request", n, got)
				}
				last := c.admitted(first, guards)
				c.p.Reply(last, 200, "OK", se1800)
				if last.IsInvite() {
					ack := c.p.ExpectRequest(c, sip.ACK)
					if diff := cmp.Diff(credentialsOf(last), credentialsOf(ack)); diff != "" {
						c.Errorf("the ACK has other credentials than its INVITE (-want +got):\n%s", diff)
					}
				}
				synctest.Wait()
				c.wantAlive(c.u.Name, c.d)
			}
			c.at(3 * c.half)
			c.refuse(c.p.ExpectRequest(c, c.method), 481, "X-None: 1")
			c.p.Reply(c.admitted(c.p.ExpectRequest(c, sip.BYE), guards), 200, "OK")
			c.p.Quiet(c, time.Hour)
			c.wantEnded(c.u.Name, c.d)
			for _, g := range guards {
				if g.let < 3 {
					c.Errorf("the guard of %s let %d requests pass, want two refreshes and a BYE", g.realm, g.let)
				}
			}
			c.wantNothingLeft(c.u)
		}, lent...)
	}
}

// inOurCalls is inRefreshing for calls that u began.
func inOurCalls(t *testing.T, row string, f func(c refreshing), opts ...middleware.Option) {
	t.Helper()
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE} {
		t.Run(fmt.Sprintf("%s, %s", row, method), func(t *testing.T) {
			inLab(t, func(l *lab) {
				c := refreshing{lab: l, p: l.peer(), method: method, half: 900 * time.Second}
				c.u = l.alice(append([]middleware.Option{middleware.WithMethod(methodOf[method])}, opts...)...)
				c.d = l.callPeer(c.u, c.p, allow, timerHeader, "Session-Expires: 1800;refresher=uac")
				f(c)
			})
		})
	}
}

// F-07, F-08: a nonce counts on when a 422 makes the request go out once more.
func TestNonceCountsAcross422(t *testing.T) {
	inOurCalls(t, "F-07 F-08", func(c refreshing) {
		c.at(c.half)
		guards := []*guard{avaya(`, qop="auth"`)}
		req := c.admitted(c.p.ExpectRequest(c, c.method), guards)
		c.refuse(req, 422, "Min-SE: 3600")
		req = c.p.ExpectRequest(c, c.method)
		if _, ok := guards[0].admits(c.lab, req); !ok || guards[0].let != 2 {
			c.Errorf("the %s after a 422 has no credentials that its proxy takes:\n%s", c.method, req)
		}
		c.p.Reply(req, 200, "OK", "Session-Expires: 3600;refresher=uac")
		synctest.Wait()
		c.wantAlive(c.u.Name, c.d)
	}, lent...)
}

// F-07: one 407 with the challenges of two realms is answered for both (RFC 3261
// §22.3); one of a realm that we have no credentials for does not stand in the way.
func TestTwoRealmsAtOnce(t *testing.T) {
	inOurCalls(t, "F-07", func(c refreshing) {
		c.at(c.half)
		a, b := avaya(`, qop="auth"`), edge(407, "")
		stranger := &guard{status: 407, realm: "elsewhere.example"}
		c.refuse(c.p.ExpectRequest(c, c.method), 407, a.challenge(false)+"\r\n"+stranger.challenge(false)+"\r\n"+b.challenge(false))
		req := c.p.ExpectRequest(c, c.method)
		for _, g := range []*guard{a, b} {
			if _, ok := g.admits(c.lab, req); !ok {
				c.Errorf("the %s has no credentials for %s", c.method, g.realm)
			}
		}
		if got := credentialsOf(req); len(got) != 2 {
			c.Errorf("the %s has the credentials %q, want two", c.method, got)
		}
		c.p.Reply(req, 200, "OK", se1800)
		synctest.Wait()
	}, lent...)
}

// H-05: no sequence of challenges makes us send more than nine requests, or the
// credentials of one realm, once rejected, again.
func TestChallengesEnd(t *testing.T) {
	n := 0
	for _, row := range []struct {
		name string
		next func() (status int, header string)
		most int
	}{
		{"two realms in turn, always stale", func() (int, string) {
			return 407, fmt.Sprintf(`Proxy-Authenticate: Digest realm="r%d", nonce="%d", stale=true`, n%2, n)
		}, 9},
		{"two realms in turn, as if rejected", func() (int, string) {
			return 407, fmt.Sprintf(`Proxy-Authenticate: Digest realm="r%d", nonce="%d"`, n%2, n)
		}, 4},
		{"one realm, rejected, beside another that is stale", func() (int, string) {
			return 407, avaya("").challenge(false) + "\r\n" + edge(407, "").challenge(true)
		}, 2},
		{"ever new realms", func() (int, string) {
			return 407, fmt.Sprintf(`Proxy-Authenticate: Digest realm="r%d", nonce="n"`, n)
		}, 5},
		{"two hundred realms at once", func() (int, string) {
			var lines []string
			for i := range 200 {
				lines = append(lines, fmt.Sprintf(`Proxy-Authenticate: Digest realm="%d.%d", nonce="n"`, n, i))
			}
			return 407, strings.Join(lines, "\r\n")
		}, 2},
		{"not a challenge", func() (int, string) { return 407, `Proxy-Authenticate: Digest realm="avaya.example` }, 1},
		{"another scheme", func() (int, string) { return 407, `Proxy-Authenticate: Basic realm="avaya.example"` }, 1},
	} {
		asked := 0
		every := middleware.WithCredentialsFunc(func(dialogstore.Dialog, string) (string, string, bool) {
			asked++
			return "u", "p", true
		})
		inOurCalls(t, "H-05 "+row.name, func(c refreshing) {
			c.at(c.half)
			n, asked = 0, 0
			for {
				msg, ok := c.p.Recv(time.Second)
				if !ok {
					break
				}
				req, isReq := msg.(*sip.Request)
				if !isReq || req.Method != c.method {
					continue
				}
				n++
				status, header := row.next()
				c.p.Reply(req, status, "No", header)
			}
			synctest.Wait()
			if n != row.most {
				c.Errorf("%d requests for one refresh, want %d", n, row.most)
			}
			if asked > 8 {
				c.Errorf("the function is asked %d times for one refresh, want 8 at most", asked)
			}
			c.wantAlive(c.u.Name, c.d)
		}, every)
	}
}

// WithCredentials names the realm, and the side that began the call: what it is not
// meant for stays unanswered, with a line in the log that holds no secret.
func TestCredentialsAreNotLentToStrangers(t *testing.T) {
	ask := `realm="avaya.example", nonce="n1"`
	for _, row := range []struct {
		name     string
		ask      string
		callee   bool
		opts     []middleware.Option
		answered bool
	}{
		{"our call, our realm", ask, false, lent, true},
		{"our call, another realm", `realm="other.example", nonce="n1"`, false, lent, false},
		{"our call, our realm in capitals", `realm="AVAYA.example", nonce="n1"`, false, lent, false},
		{"our call, no realm", `nonce="n1"`, false, lent, false},
		{"a stranger's call, our realm", ask, true, lent, false},
		{"a stranger's call, a function", ask, true, []middleware.Option{byFunc("avaya.example")}, false},
		{"a trunk's call, which the option allows", ask, true, append([]middleware.Option{middleware.WithCredentialsForIncoming()}, lent...), true},
		{"another realm, though the option allows calls", `realm="other.example", nonce="n1"`, true,
			append([]middleware.Option{middleware.WithCredentialsForIncoming()}, lent...), false},
		{"our call, a function that knows the realm", ask, false, []middleware.Option{byFunc("avaya.example")}, true},
		{"our call, a function that does not", ask, false, []middleware.Option{byFunc("other.example")}, false},
		{"our call, a function that does not beside credentials", ask, false, append([]middleware.Option{byFunc("other.example")}, lent...), true},
		{"our call, no function", ask, false, []middleware.Option{middleware.WithCredentialsFunc(nil)}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				var log strings.Builder
				opts := append([]middleware.Option{middleware.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))}, row.opts...)
				p, u := l.peer(), (*sipua.UA)(nil)
				if row.callee {
					u = l.bob(opts...)
					l.peerCalls(p, u, allow, timerHeader, "Session-Expires: 1800;refresher=uas")
				} else {
					u = l.alice(opts...)
					l.callPeer(u, p, allow, timerHeader, se1800)
				}
				l.at(900 * time.Second)
				p.Reply(p.ExpectRequest(l, sip.UPDATE), 407, "No", asks(407, row.ask).header)
				msg, ok := p.Recv(time.Second)
				if ok != row.answered {
					l.Fatalf("answered: %v, want %v: %v", ok, row.answered, msg)
				}
				if ok {
					wantUser(l, msg.(*sip.Request))
					p.Reply(msg.(*sip.Request), 200, "OK", se1800)
				}
				synctest.Wait()
				if got := strings.Count(log.String(), "cannot answer the authentication challenge"); (got == 1) == row.answered {
					l.Errorf("the log says %d times that a challenge is not answered:\n%s", got, log.String())
				}
				if strings.Contains(log.String(), "hush") {
					l.Errorf("the log holds a password:\n%s", log.String())
				}
			})
		})
	}
}

func wantUser(l *lab, req *sip.Request) {
	l.Helper()
	if got := credentialsOf(req); len(got) != 1 || !strings.Contains(got[0], `username="trunk"`) {
		l.Errorf("the credentials are %q, want those of trunk", got)
	}
}

// byFunc knows the user trunk of one realm.
func byFunc(realm string) middleware.Option {
	return middleware.WithCredentialsFunc(func(_ dialogstore.Dialog, asked string) (string, string, bool) {
		return "trunk", "hush1", asked == realm
	})
}

// Each call has its own credentials: the function sees whose it is.
func TestCredentialsOfEachCall(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(middleware.WithCredentialsFunc(func(d dialogstore.Dialog, realm string) (string, string, bool) {
			return d.CallID, realm, d.OwnsCallID && strings.Contains(d.RemoteTarget, "10.0.0.9")
		})), l.peer()
		for range 2 {
			l.callPeer(alice, p, allow, timerHeader, se1800)
		}
		l.at(900 * time.Second)
		guards := make(map[string]*guard)
		for range 2 {
			req := p.ExpectRequest(l, sip.UPDATE)
			id := req.CallID().Value()
			guards[id] = &guard{status: 401, realm: "tenant", params: `, qop="auth"`, user: id, pass: "tenant"}
			challenge, _ := guards[id].admits(l, req)
			p.Reply(req, 401, "No", challenge)
		}
		for range 2 {
			req := p.ExpectRequest(l, sip.UPDATE)
			if _, ok := guards[req.CallID().Value()].admits(l, req); !ok {
				l.Errorf("call %s does not answer with its own credentials", req.CallID().Value())
			}
			p.Reply(req, 200, "OK", se1800)
		}
		synctest.Wait()
	})
}

// What is not complete, or says two things for one realm, is refused, and the error
// holds no password.
func TestCredentialsValidated(t *testing.T) {
	ua, _ := sipgo.NewUA()
	defer func() { _ = ua.Close() }()
	const three, one = "a realm, a username and a password that are not empty", "one username for each realm; WithCredentialsFunc chooses by call"
	for _, c := range []struct {
		allowed string
		opts    []middleware.Option
	}{
		{three, []middleware.Option{middleware.WithCredentials("", "user", "hush")}},
		{three, []middleware.Option{middleware.WithCredentials("realm", "", "hush")}},
		{three, []middleware.Option{middleware.WithCredentials("realm", "user", "")}},
		{one, []middleware.Option{middleware.WithCredentials("realm", "user", "hush"), middleware.WithCredentials("realm", "other", "hush")}},
	} {
		_, err := middleware.New(ua, c.opts...)
		var config *sessiontimer.ConfigError
		if !errors.As(err, &config) || config.Option != "Credentials" || config.Allowed != c.allowed || strings.Contains(err.Error(), "hush") {
			t.Errorf("New returns %v, want a ConfigError for Credentials without the password that allows %s", err, c.allowed)
		}
	}
}
