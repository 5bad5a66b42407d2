package client

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

const (
	// maxChallenges is how many 401 and 407 responses one request may answer.
	maxChallenges = 8
	// maxAnswers is how often a request may answer one realm: once, and again if the
	// nonce was stale.
	maxAnswers = 4
	// maxRealms is how many realms are read from one response and answered in one
	// request: those of a few proxies and of the peer.
	maxRealms = 4
	// maxLoggedRealm is how many bytes of a realm are logged.
	maxLoggedRealm = 64
)

// authorization is the answer to the challenge of one realm.
type authorization struct {
	field              string // Authorization or Proxy-Authorization
	challenge          *digest.Challenge
	username, password string
	answers            int  // how often this realm was answered
	sent               int  // requests sent with the nonce of challenge, for nc
	accepted           bool // the challenger let the request pass
}

// authorizations are the answers in one request, those to the nearest challenger first.
type authorizations []*authorization

// authorize answers digest challenges in a copy of the request (RFC 3261 §22). It returns
// false if there are none, if there are no credentials, or if an answer was rejected and
// its nonce was not just stale (§22.1).
func (a *attempt) authorize(res *sip.Response) bool {
	challenge, field := "WWW-Authenticate", "Authorization"
	switch res.StatusCode {
	case sip.StatusUnauthorized:
	case sip.StatusProxyAuthRequired:
		challenge, field = "Proxy-Authenticate", "Proxy-Authorization"
	default:
		return false
	}
	asked := challenges(res, challenge)
	a.authorized.passed(field, asked)
	answered := false
	for _, chal := range asked {
		before := a.authorized.find(field, chal.Realm)
		if before != nil && (before.answers == maxAnswers || !before.accepted && !chal.Stale) {
			return false
		}
		answered = a.answer(before, field, chal) || answered
	}
	switch {
	case answered:
		req := a.req.Clone()
		a.change(func() { a.req, a.done = req, false })
	case len(asked) > 0:
		realm := asked[0].Realm
		a.r.c.calls.Log.Warn("cannot answer the authentication challenge: no credentials for this realm and call", "call_id", a.id.CallID,
			"local_tag", a.id.LocalTag, "remote_tag", a.id.RemoteTag, "realm", realm[:min(len(realm), maxLoggedRealm)])
	}
	return answered
}

// answer notes the answer to a challenge, for sign to write. It replaces before, the
// previous answer to that realm, which may be nil. It returns false if there are no
// credentials.
func (a *attempt) answer(before *authorization, field string, chal *digest.Challenge) bool {
	username, password, ok := a.borrow(chal.Realm)
	if !ok || before == nil && len(a.authorized) == maxRealms {
		return false
	}
	if before == nil {
		before = &authorization{field: field}
		a.authorized = append(a.authorized, before)
	}
	before.challenge, before.username, before.password = chal, username, password
	before.sent, before.accepted = 0, false
	before.answers++
	return true
}

// borrow returns the credentials for a realm. It returns false if there are none, or if
// the application's function panics.
func (a *attempt) borrow(realm string) (username, password string, ok bool) {
	defer a.r.c.calls.Contain("credentials function", a.id)
	return a.r.c.credentials.find(*a.d, realm)
}

// find returns the answer to a realm; nil if there is none.
func (all authorizations) find(field, realm string) *authorization {
	for _, a := range all {
		if a.field == field && a.challenge.Realm == realm {
			return a
		}
	}
	return nil
}

// passed notes which answers were accepted. If the challenges in asked are all new, the
// request has passed all earlier challengers. If one of them challenges again later, that is
// not a rejection.
func (all authorizations) passed(field string, asked []*digest.Challenge) {
	for _, a := range all {
		if slices.ContainsFunc(asked, func(c *digest.Challenge) bool { return a.field == field && a.challenge.Realm == c.Realm }) {
			return
		}
		a.accepted = true
	}
}

// sign writes the answers to all challenges into the request. It is called for each
// request sent, because nc counts the requests with the same nonce (RFC 3261 §22.4, RFC
// 7616 §3.4), and each proxy on the way needs its answer in every one (§22.3).
func (all authorizations) sign(req *sip.Request) {
	if len(all) == 0 {
		return
	}
	sipmsg.Remove(req, "Authorization", "")
	sipmsg.Remove(req, "Proxy-Authorization", "")
	for _, a := range all {
		a.sent++
		cred, err := digest.Digest(a.challenge, digest.Options{
			Method:   string(req.Method),
			URI:      req.Recipient.String(),
			GetBody:  func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(req.Body())), nil },
			Count:    a.sent,
			Username: a.username,
			Password: a.password,
		})
		if err == nil { // challenges keeps only those that can be answered
			req.AppendHeader(sip.NewHeader(a.field, cred.String()))
		}
	}
}

// copyCredentials copies the credentials of an INVITE to its ACK (RFC 3261 §22.1).
func copyCredentials(ack, invite *sip.Request) {
	for _, h := range invite.Headers() {
		if n := h.Name(); strings.EqualFold(n, "Authorization") || strings.EqualFold(n, "Proxy-Authorization") {
			ack.AppendHeader(sip.HeaderClone(h))
		}
	}
}

// challenges returns the challenges of a response that can be answered, the topmost of
// each realm (RFC 8760 §2.4). There may be several realms if a proxy has forked (RFC 3261
// §16.7 step 7).
func challenges(res *sip.Response, name string) []*digest.Challenge {
	var found []*digest.Challenge
	for _, h := range res.GetHeaders(name) {
		chal, err := digest.ParseChallenge(h.Value())
		if err != nil || strings.ContainsFunc(h.Value(), unicode.IsControl) {
			continue // parts of it would go into our own header field
		}
		chal.Algorithm = sip.ASCIIToUpper(chal.Algorithm)
		chal.QOP = qualities(chal.QOP)
		known := slices.ContainsFunc(found, func(c *digest.Challenge) bool { return c.Realm == chal.Realm })
		if !known && digest.CanDigest(chal) && len(found) < maxRealms {
			found = append(found, chal)
		}
	}
	return found
}

// qualities returns a list of qop values in lower case, without spaces and empty values.
func qualities(list []string) []string {
	var out []string
	for _, q := range list {
		if q = sip.ASCIIToLower(strings.TrimSpace(q)); q != "" {
			out = append(out, q)
		}
	}
	return out
}
