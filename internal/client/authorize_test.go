package client

import (
	"slices"
	"testing"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// RFC 8760 §2.4: of the challenges of a realm the topmost that can be answered counts.
func TestChallenges(t *testing.T) {
	for _, c := range []struct {
		name  string
		asked []string
		want  []string // realm and algorithm
	}{
		{"one", []string{`Digest realm="a", nonce="n"`}, []string{"a "}},
		{"the topmost of a realm", []string{`Digest realm="a", nonce="n", algorithm=SHA-256`, `Digest realm="a", nonce="n", algorithm=MD5`}, []string{"a SHA-256"}},
		{"the topmost that we know", []string{`Digest realm="a", nonce="n", algorithm=SHA-3`, `Digest realm="a", nonce="n", algorithm=md5`}, []string{"a MD5"}},
		{"blanks and capitals in qop", []string{`Digest realm="a", nonce="n", qop=" Auth , "`}, []string{"a "}},
		{"an empty qop", []string{`Digest realm="a", nonce="n", qop=","`}, []string{"a "}},
		{"nothing but auth-conf", []string{`Digest realm="a", nonce="n", qop="auth-conf"`}, nil},
		{"each realm", []string{`Digest realm="a", nonce="n"`, `Digest realm="b", nonce="n"`}, []string{"a ", "b "}},
		{"no more realms than four", []string{`Digest realm="a", nonce="n"`, `Digest realm="b", nonce="n"`, `Digest realm="c", nonce="n"`,
			`Digest realm="d", nonce="n"`, `Digest realm="e", nonce="n"`}, []string{"a ", "b ", "c ", "d "}},
		{"not digest", []string{`Basic realm="a"`}, nil},
		{"a control character", []string{"Digest realm=\"a\x01\", nonce=\"n\""}, nil},
	} {
		res := sip.NewResponse(407, "Proxy Authentication Required")
		for _, h := range c.asked {
			res.AppendHeader(sip.NewHeader("Proxy-Authenticate", h))
		}
		var got []string
		for _, chal := range challenges(res, "Proxy-Authenticate") {
			got = append(got, chal.Realm+" "+chal.Algorithm)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if challenges(res, "WWW-Authenticate") != nil {
			t.Errorf("%s: there is something in WWW-Authenticate", c.name)
		}
	}
}

// Whoever asks stands behind all that asked before, which have accepted their answers
// then. If one of those asks again, it has rejected its answer or that was stale.
func TestPassed(t *testing.T) {
	const edge, user = "Proxy-Authorization", "Authorization"
	for _, c := range []struct {
		name  string
		field string
		asks  string   // realm; empty for no challenge
		want  []string // the realms that have accepted
	}{
		{"an answer other than a challenge", "", "", []string{"near", "far"}},
		{"somebody further on", edge, "other", []string{"near", "far"}},
		{"the far one", edge, "far", []string{"near"}},
		{"the near one", edge, "near", nil},
		{"a user agent in a realm of that name", user, "near", []string{"near", "far"}},
	} {
		all := authorizations{
			{field: edge, challenge: &digest.Challenge{Realm: "near"}},
			{field: edge, challenge: &digest.Challenge{Realm: "far"}},
		}
		var asked []*digest.Challenge
		if c.asks != "" {
			asked = []*digest.Challenge{{Realm: c.asks}}
		}
		all.passed(c.field, asked)
		var got []string
		for _, a := range all {
			if a.accepted {
				got = append(got, a.challenge.Realm)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q have accepted, want %q", c.name, got, c.want)
		}
	}
}
