package phone

import (
	"crypto/rand"
	"crypto/subtle"
	"sync"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// Guard challenges callers for a user name and a password (RFC 3261 §22). Each nonce is
// valid for one request.
type Guard struct {
	User, Password, Realm string

	mu     sync.Mutex
	nonces []string
}

// maxNonces bounds the unused nonces.
const maxNonces = 1000

// Admit reports whether req carries the right credentials; if not, it sends a
// challenge. A Guard without a user admits everybody.
func (g *Guard) Admit(req *sip.Request, tx sip.ServerTransaction) bool {
	if g.User == "" || g.valid(req) {
		return true
	}
	challenge := digest.Challenge{Realm: g.Realm, Nonce: g.issue(), Algorithm: "MD5", QOP: []string{"auth"}}
	Respond(req, tx, sip.StatusUnauthorized, "Unauthorized", sip.NewHeader("WWW-Authenticate", challenge.String()))
	return false
}

func (g *Guard) valid(req *sip.Request) bool {
	h := req.GetHeader("Authorization")
	if h == nil {
		return false
	}
	got, err := digest.ParseCredentials(h.Value())
	if err != nil || got.Username != g.User || !g.redeem(got.Nonce) {
		return false
	}
	challenge := digest.Challenge{Realm: g.Realm, Nonce: got.Nonce, Algorithm: "MD5"}
	if got.QOP == "auth" {
		challenge.QOP = []string{"auth"}
	}
	want, err := digest.Digest(&challenge, digest.Options{
		Method:   req.Method.String(),
		URI:      got.URI,
		Count:    got.Nc,
		Cnonce:   got.Cnonce,
		Username: g.User,
		Password: g.Password,
	})
	return err == nil && subtle.ConstantTimeCompare([]byte(want.Response), []byte(got.Response)) == 1
}

func (g *Guard) issue() string {
	nonce := rand.Text()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.nonces) == maxNonces {
		g.nonces = g.nonces[1:]
	}
	g.nonces = append(g.nonces, nonce)
	return nonce
}

// redeem uses up a nonce of ours.
func (g *Guard) redeem(nonce string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, n := range g.nonces {
		if n == nonce {
			g.nonces = append(g.nonces[:i], g.nonces[i+1:]...)
			return true
		}
	}
	return false
}
