package middleware_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// guard is a proxy (status 407) or a user agent (401) that challenges every request
// within a dialog and checks the credentials strictly.
type guard struct {
	status          int
	realm           string
	params          string // of its challenges, besides realm and nonce
	weaker          string // params of a second challenge for the realm; empty for none
	oneTime         bool   // each nonce is good for one request, and then gone without a word of stale
	staleAtFirst    int    // as many nonces are stale when they come back
	user, pass      string
	nonces          map[string]int // issued; the nc that each came back with last, 1 at least
	challenged, let int
}

func (g *guard) field() string { return asks(g.status, "").answer }

// challenge is a header field with a new nonce.
func (g *guard) challenge(stale bool) string {
	g.challenged++
	nonce := fmt.Sprintf("%s-%d-%d", g.realm, g.status, g.challenged)
	if g.nonces == nil {
		g.nonces = make(map[string]int)
	}
	g.nonces[nonce] = 0
	head := fmt.Sprintf(`realm="%s", nonce="%s"`, g.realm, nonce)
	if stale {
		head += ", stale=true"
	}
	lines := []string{asks(g.status, head+g.params).header}
	if g.weaker != "" {
		lines = append(lines, asks(g.status, head+g.weaker).header)
	}
	return strings.Join(lines, "\r\n")
}

// admits checks a request like a strict server. It returns the challenge if the request
// must not pass.
func (g *guard) admits(l *lab, req *sip.Request) (challenge string, ok bool) {
	l.Helper()
	var mine []*digest.Credentials
	for _, h := range req.GetHeaders(g.field()) {
		cred, err := digest.ParseCredentials(h.Value())
		if err != nil {
			l.Errorf("%s: %s: %v", req.Method, h, err)
		} else if cred.Realm == g.realm {
			mine = append(mine, cred)
		}
	}
	switch len(mine) {
	case 0:
		return g.challenge(false), false
	case 1:
	default:
		l.Errorf("the %s has %d credentials for realm %q, want one", req.Method, len(mine), g.realm)
	}
	cred := mine[0]
	seen, issued := g.nonces[cred.Nonce]
	if !issued {
		l.Errorf("the %s answers nonce %q, which %q did not issue", req.Method, cred.Nonce, g.realm)
		return g.challenge(false), false
	}
	g.nonces[cred.Nonce] = max(cred.Nc, 1)
	g.wantRight(l, req, cred, seen)
	switch {
	case g.staleAtFirst > 0:
		g.staleAtFirst--
		return g.challenge(true), false
	case g.oneTime && seen > 0:
		return g.challenge(false), false
	}
	g.let++
	return "", true
}

// wantRight checks credentials whose nonce count was last before. A proxy nearer to the
// caller may have consumed some counts.
func (g *guard) wantRight(l *lab, req *sip.Request, got *digest.Credentials, last int) {
	l.Helper()
	chal, err := digest.ParseChallenge(fmt.Sprintf(`Digest realm="%s", nonce="%s"`, g.realm, got.Nonce) + g.params)
	if err != nil {
		l.Fatal(err)
	}
	for i := range chal.QOP {
		chal.QOP[i] = strings.TrimSpace(chal.QOP[i])
	}
	uri := strings.Fields(req.StartLine())[1]
	if got.URI != uri || got.Username != g.user || got.Opaque != chal.Opaque || !strings.EqualFold(got.Algorithm, chal.Algorithm) {
		l.Errorf("the credentials of the %s are %s, want them for URI %q, opaque %q, algorithm %q", req.Method, got, uri, chal.Opaque, chal.Algorithm)
	}
	switch {
	case len(chal.QOP) == 0 && (got.QOP != "" || got.Nc != 0 || got.Cnonce != ""):
		l.Errorf("the credentials of the %s are %s, want no qop, nc or cnonce since none was offered", req.Method, got)
	case len(chal.QOP) > 0 && (!slices.Contains(chal.QOP, got.QOP) || got.Nc <= last || got.Cnonce == ""):
		l.Errorf("the credentials of the %s are %s, want qop one of %q, nc above %d, a cnonce", req.Method, got, chal.QOP, last)
	}
	want, err := digest.Digest(chal, digest.Options{Method: string(req.Method), URI: uri, Username: g.user, Password: g.pass,
		Cnonce: got.Cnonce, Count: got.Nc,
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(req.Body())), nil }})
	if err != nil {
		l.Fatal(err)
	}
	if got.Response != want.Response {
		l.Errorf("the credentials of the %s have response %q, want %q", req.Method, got.Response, want.Response)
	}
}
