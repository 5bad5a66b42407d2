package upstream

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// serve starts a server on loopback, and a socket that talks to it.
func serve(t *testing.T, handlers func(*sipgo.Server)) (ask func(text string, wait time.Duration) string) {
	t.Helper()
	ua, err := sipgo.NewUA()
	if err != nil {
		t.Fatal(err)
	}
	srv, err := sipgo.NewServer(ua)
	if err != nil {
		t.Fatal(err)
	}
	handlers(srv)
	listener, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.ServeUDP(listener) }()
	client, err := net.Dial("udp", listener.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _, _ = client.Close(), listener.Close(), ua.Close() })
	return func(text string, wait time.Duration) string {
		t.Helper()
		if _, err := client.Write([]byte(strings.ReplaceAll(text, "ADDR", client.LocalAddr().String()))); err != nil {
			t.Fatal(err)
		}
		_ = client.SetReadDeadline(time.Now().Add(wait))
		buf := make([]byte, 4096)
		n, _ := client.Read(buf)
		return string(buf[:n])
	}
}

func request(method string) string {
	return method + " sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP ADDR;branch=z9hG4bK" + method + "\r\n" +
		"From: <sip:alice@127.0.0.1>;tag=a\r\nTo: <sip:bob@127.0.0.1>\r\nCall-ID: 1\r\nCSeq: 1 " + method + "\r\n" +
		"Contact: <sip:alice@ADDR>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
}

// Test405WithoutAllow: an UPDATE without a handler gets 405, but not the Allow
// that has to go with it (RFC 3261 §8.2.1), so the peer cannot know what to do.
func Test405WithoutAllow(t *testing.T) {
	ask := serve(t, func(srv *sipgo.Server) { srv.OnInvite(func(*sip.Request, sip.ServerTransaction) {}) })
	answer := ask(request("UPDATE"), 5*time.Second)
	if !strings.HasPrefix(answer, "SIP/2.0 405") {
		t.Fatalf("got %q, want a 405", answer)
	}
	if strings.Contains(answer, "\r\nAllow:") {
		t.Error("it has Allow: mended")
	}
}

// TestLongAnswerIsLost: an answer that is too long for a datagram is not sent at
// all, not even in a shorter form: the caller waits for nothing.
func TestLongAnswerIsLost(t *testing.T) {
	refused := make(chan error, 1)
	ask := serve(t, func(srv *sipgo.Server) {
		srv.OnOptions(func(req *sip.Request, tx sip.ServerTransaction) {
			refused <- tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", bytes.Repeat([]byte("x"), 1400)))
		})
	})
	answer := ask(request("OPTIONS"), time.Second)
	if err := <-refused; !errors.Is(err, sip.ErrUDPMTUCongestion) {
		t.Errorf("Respond returns %v: mended", err)
	}
	if answer != "" {
		t.Errorf("got %.40q: mended", answer)
	}
}

// watchful is a transaction that looks at the dialog when it is answered.
type watchful struct {
	sip.ServerTransaction
	respond func(*sip.Response)
}

func (w watchful) Respond(res *sip.Response) error    { w.respond(res); return nil }
func (w watchful) OnCancel(sip.FnTxCancel) bool       { return true }
func (w watchful) OnTerminate(sip.FnTxTerminate) bool { return true }
func (w watchful) Terminate()                         {}

// TestByeAnsweredBeforeTheEnd: a dialog answers the peer's BYE before it knows
// that it is over. An application that hangs up in between sends a BYE of its
// own, after its 200.
func TestByeAnsweredBeforeTheEnd(t *testing.T) {
	ua, err := sipgo.NewUA()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ua.Close() }()
	client, err := sipgo.NewClient(ua)
	if err != nil {
		t.Fatal(err)
	}
	dialogs := sipgo.DialogUA{Client: client, ContactHDR: sip.ContactHeader{Address: sip.Uri{Scheme: "sip", Host: "127.0.0.1"}}}
	invite, err := sip.ParseMessage([]byte(request("INVITE")))
	if err != nil {
		t.Fatal(err)
	}
	call, err := dialogs.ReadInvite(invite.(*sip.Request), watchful{respond: func(*sip.Response) {}})
	if err != nil {
		t.Fatal(err)
	}
	bye, err := sip.ParseMessage([]byte(strings.Replace(request("BYE"), "CSeq: 1 ", "CSeq: 2 ", 1)))
	if err != nil {
		t.Fatal(err)
	}
	answered := false
	err = call.ReadBye(bye.(*sip.Request), watchful{respond: func(*sip.Response) {
		answered = true
		if call.Context().Err() != nil || call.LoadState() == sip.DialogStateEnded {
			t.Error("the dialog has ended by then: mended")
		}
	}})
	if err != nil || !answered {
		t.Fatalf("the BYE was answered: %v, error: %v", answered, err)
	}
}
