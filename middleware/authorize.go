package middleware

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// CredentialsFunc gives the username and the password of one call for a realm, or
// false if it has none for them; d says who the parties are and where requests go. It
// is called by many goroutines at once, each time that a refresh or a BYE of ours is
// challenged, which waits for it. It must not change what d points to. A panic is
// logged and counts as none.
type CredentialsFunc func(d dialogstore.Dialog, realm string) (username, password string, ok bool)

// realmCredentials are those of WithCredentials.
type realmCredentials struct{ realm, username, password string }

// credentials are what the application lends us to answer challenges with.
type credentials struct {
	realms   []realmCredentials
	ask      CredentialsFunc // comes first; may be nil
	incoming bool            // also in calls that the peer began
}

// validate says what is wrong, and no password.
func (c *credentials) validate() error {
	for i, r := range c.realms {
		switch {
		case r.realm == "" || r.username == "" || r.password == "":
			return &sessiontimer.ConfigError{Option: "Credentials", Value: fmt.Sprintf("for realm %q and username %q", r.realm, r.username),
				Allowed: "a realm, a username and a password that are not empty"}
		case slices.ContainsFunc(c.realms[:i], func(o realmCredentials) bool { return o.realm == r.realm }):
			return &sessiontimer.ConfigError{Option: "Credentials", Value: fmt.Sprintf("for realm %q twice", r.realm),
				Allowed: "one username for each realm; WithCredentialsFunc chooses by call"}
		}
	}
	return nil
}

// find returns false where no credentials are meant for the realm and the dialog.
func (c *credentials) find(d dialogstore.Dialog, realm string) (username, password string, ok bool) {
	if !d.OwnsCallID && !c.incoming {
		return "", "", false
	}
	if c.ask != nil {
		if username, password, ok = c.ask(d, realm); ok {
			return username, password, true
		}
	}
	for _, r := range c.realms {
		if r.realm == realm {
			return r.username, r.password, true
		}
	}
	return "", "", false
}

const (
	// maxChallenges bounds the responses that one request answers.
	maxChallenges = 8
	// maxAnswers bounds those for one realm: the first, and more while its nonces are
	// stale.
	maxAnswers = 4
	// maxRealms bounds the realms that one response asks for, and one request answers:
	// those of a few proxies, and of the peer.
	maxRealms = 4
	// maxLoggedRealm bounds what a stranger writes into the log, in bytes.
	maxLoggedRealm = 64
)

// authorization is the answer of a request to the challenge of one realm.
type authorization struct {
	field              string // Authorization or Proxy-Authorization
	challenge          *digest.Challenge
	username, password string
	answers            int  // to this realm, so far
	sent               int  // requests with the nonce of challenge, for nc
	accepted           bool // by whoever asked
}

// authorize answers digest challenges in a copy of the request (RFC 3261 §22). It
// returns false if there are none, or nothing to answer one with, or an answer was
// rejected and not merely stale (§22.1).
func (x *exchange) authorize(res *sip.Response) bool {
	challenge, field := "WWW-Authenticate", "Authorization"
	switch res.StatusCode {
	case sip.StatusUnauthorized:
	case sip.StatusProxyAuthRequired:
		challenge, field = "Proxy-Authenticate", "Proxy-Authorization"
	default:
		return false
	}
	asked := challenges(res, challenge)
	x.passed(field, asked)
	answered := false
	for _, chal := range asked {
		a := x.authorization(field, chal.Realm)
		if a != nil && (a.answers == maxAnswers || !a.accepted && !chal.Stale) {
			return false
		}
		answered = x.answer(a, field, chal) || answered
	}
	switch {
	case answered:
		req := x.req.Clone()
		x.set(func() { x.req, x.done = req, false })
	case len(asked) > 0:
		realm := asked[0].Realm
		x.r.t.log.Warn("challenge not answered: no credentials for this realm and call", "call_id", x.dialog.CallID,
			"local_tag", x.dialog.LocalTag, "remote_tag", x.dialog.RemoteTag, "realm", realm[:min(len(realm), maxLoggedRealm)])
	}
	return answered
}

// authorization is the answer to a realm so far; nil if there is none.
func (x *exchange) authorization(field, realm string) *authorization {
	for _, a := range x.authorized {
		if a.field == field && a.challenge.Realm == realm {
			return a
		}
	}
	return nil
}

// answer notes the answer to a challenge, which sign writes, in the place of a, the
// one before. It returns false if there are no credentials for it.
func (x *exchange) answer(a *authorization, field string, chal *digest.Challenge) bool {
	username, password, ok := x.borrow(chal.Realm)
	if !ok || a == nil && len(x.authorized) == maxRealms {
		return false
	}
	if a == nil {
		a = &authorization{field: field}
		x.authorized = append(x.authorized, a)
	}
	a.challenge, a.username, a.password = chal, username, password
	a.sent, a.accepted = 0, false
	a.answers++
	return true
}

// borrow finds the credentials for a realm; false also if the application's function
// panics.
func (x *exchange) borrow(realm string) (username, password string, ok bool) {
	defer x.r.t.contain("credentials function", x.dialog.ID)
	return x.r.t.opts.credentials.find(*x.dialog, realm)
}

// passed notes which answers were accepted: who asks now stands behind all who asked
// before him for the first time. If one of those asks again, it is no rejection.
func (x *exchange) passed(field string, asked []*digest.Challenge) {
	for _, a := range x.authorized {
		if slices.ContainsFunc(asked, func(c *digest.Challenge) bool { return a.field == field && a.challenge.Realm == c.Realm }) {
			return
		}
		a.accepted = true
	}
}

// sign writes the answers to all challenges so far into the request, each time that
// it is sent: a nonce counts the requests that carry it (RFC 3261 §22.4, RFC 7616
// §3.4), and the proxies on the way look for theirs in each (§22.3).
func (x *exchange) sign() {
	if len(x.authorized) == 0 {
		return
	}
	sipmsg.Remove(x.req, "Authorization", "")
	sipmsg.Remove(x.req, "Proxy-Authorization", "")
	for _, a := range x.authorized {
		a.sent++
		cred, err := digest.Digest(a.challenge, digest.Options{
			Method:   string(x.req.Method),
			URI:      x.req.Recipient.String(),
			GetBody:  func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(x.req.Body())), nil },
			Count:    a.sent,
			Username: a.username,
			Password: a.password,
		})
		if err == nil { // challenges has only what can be answered
			x.req.AppendHeader(sip.NewHeader(a.field, cred.String()))
		}
	}
}

// copyCredentials has an ACK carry the credentials of its INVITE (RFC 3261
// §22.1).
func copyCredentials(ack, invite *sip.Request) {
	for _, h := range invite.Headers() {
		if n := h.Name(); strings.EqualFold(n, "Authorization") || strings.EqualFold(n, "Proxy-Authorization") {
			ack.AppendHeader(sip.HeaderClone(h))
		}
	}
}

// challenges are those of a response that can be answered, the topmost of each
// realm (RFC 8760 §2.4): a proxy that forks passes on one for each (RFC 3261 §16.7
// step 7).
func challenges(res *sip.Response, name string) []*digest.Challenge {
	var found []*digest.Challenge
	for _, h := range res.GetHeaders(name) {
		chal, err := digest.ParseChallenge(h.Value())
		if err != nil || strings.ContainsFunc(h.Value(), unicode.IsControl) {
			continue // what it says would stand in a header field of ours
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

// qualities is a list of qop values without the blanks that lists may have, and
// without the empty ones.
func qualities(list []string) []string {
	var out []string
	for _, q := range list {
		if q = sip.ASCIIToLower(strings.TrimSpace(q)); q != "" {
			out = append(out, q)
		}
	}
	return out
}
