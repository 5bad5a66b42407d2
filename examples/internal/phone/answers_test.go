package phone

import (
	"fmt"
	"strings"
	"testing"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// lastTx keeps the last response.
type lastTx struct {
	sip.ServerTransaction
	res *sip.Response
}

func (x *lastTx) Respond(res *sip.Response) error { x.res = res; return nil }

func request(t *testing.T, method sip.RequestMethod, headers ...sip.Header) *sip.Request {
	t.Helper()
	raw := fmt.Sprintf("%[1]s sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKa\r\n"+
		"From: <sip:a@127.0.0.1>;tag=a\r\nTo: <sip:bob@127.0.0.1>\r\nCall-ID: c\r\nCSeq: 1 %[1]s\r\nContent-Length: 0\r\n\r\n", method)
	msg, err := sip.ParseMessage([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	req := msg.(*sip.Request)
	for _, h := range headers {
		req.AppendHeader(h)
	}
	return req
}

func TestSDP(t *testing.T) {
	if got := string(SDP("127.0.0.1")); !strings.Contains(got, "\r\nc=IN IP4 127.0.0.1\r\n") {
		t.Errorf("SDP is\n%s", got)
	}
	if got := string(SDP("::1")); !strings.Contains(got, "\r\nc=IN IP6 ::1\r\n") {
		t.Errorf("SDP is\n%s", got)
	}
}

func TestHandleRest(t *testing.T) {
	ua, err := sipgo.NewUA()
	if err != nil {
		t.Fatal(err)
	}
	defer ua.Close()
	srv, err := sipgo.NewServer(ua)
	if err != nil {
		t.Fatal(err)
	}
	srv.OnInvite(func(*sip.Request, sip.ServerTransaction) {})
	HandleRest(srv)
	methods := strings.Join(srv.RegisteredMethods(), " ")
	for _, m := range []string{"INVITE", "CANCEL", "OPTIONS"} {
		if !strings.Contains(methods, m) {
			t.Errorf("no handler for %s: %s", m, methods)
		}
	}
}

func TestGuard(t *testing.T) {
	g := &Guard{User: "bob", Password: "secret", Realm: "here"}
	challenged := func() *digest.Challenge {
		t.Helper()
		tx := new(lastTx)
		if g.Admit(request(t, sip.INVITE), tx) || tx.res.StatusCode != 401 {
			t.Fatal("a request without credentials is admitted")
		}
		c, err := digest.ParseChallenge(tx.res.GetHeader("WWW-Authenticate").Value())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	admits := func(c *digest.Challenge, user, password string) bool {
		t.Helper()
		cred, err := digest.Digest(c, digest.Options{Method: "INVITE", URI: "sip:bob@127.0.0.1", Username: user, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		tx := new(lastTx)
		ok := g.Admit(request(t, sip.INVITE, sip.NewHeader("Authorization", cred.String())), tx)
		if ok == (tx.res != nil) {
			t.Errorf("admitted: %v, response: %v", ok, tx.res)
		}
		return ok
	}
	c := challenged()
	if !admits(c, "bob", "secret") {
		t.Error("the right password is refused")
	}
	if admits(c, "bob", "secret") {
		t.Error("a nonce is good for two requests")
	}
	if admits(challenged(), "bob", "public") || admits(challenged(), "eve", "secret") {
		t.Error("wrong credentials are admitted")
	}
	old := challenged()
	old.QOP = nil // a client from before RFC 2617
	if !admits(old, "bob", "secret") {
		t.Error("credentials without qop are refused")
	}
	if g.Admit(request(t, sip.INVITE, sip.NewHeader("Authorization", "Basic x")), new(lastTx)) {
		t.Error("Basic credentials are admitted")
	}
	if !new(Guard).Admit(request(t, sip.INVITE), new(lastTx)) {
		t.Error("a guard without a user asks for one")
	}
	for range maxNonces + 10 {
		challenged()
	}
	if len(g.nonces) != maxNonces {
		t.Errorf("%d nonces are kept, want %d", len(g.nonces), maxNonces)
	}
}
