package upstream

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// TestSocketOfItsOwn: a client that is bound to one address sends the BYE of a
// dialog from another, if nothing has come from where the BYE goes: the option
// counts for the INVITE and its ACK only.
func TestSocketOfItsOwn(t *testing.T) {
	ours, first, contact := listen(t), listen(t), listen(t)
	ua, _, dialogs := agent(t, ours)
	defer func() { _, _ = ours.Close(), ua.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	// Any answer shows that the server reads our socket.
	ask := strings.ReplaceAll(request("OPTIONS"), "ADDR", first.LocalAddr().String())
	if _, err := first.WriteTo([]byte(ask), ours.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	_ = first.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, _, err := first.ReadFrom(make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}

	call, err := dialogs.Invite(ctx, uri(t, first.LocalAddr().String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	read := func(conn net.PacketConn, method sip.RequestMethod) (*sip.Request, net.Addr) {
		t.Helper()
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		buf := make([]byte, 4096)
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		msg, err := sip.ParseMessage(buf[:n])
		if err != nil {
			t.Fatal(err)
		}
		req, ok := msg.(*sip.Request)
		if !ok || req.Method != method {
			t.Fatalf("got %.40q, want %s", buf[:n], method)
		}
		return req, from
	}
	reply := func(conn net.PacketConn, req *sip.Request, to net.Addr) {
		t.Helper()
		res := sip.NewResponseFromRequest(req, 200, "OK", nil)
		res.AppendHeader(&sip.ContactHeader{Address: uri(t, contact.LocalAddr().String())})
		if _, err := conn.WriteTo([]byte(res.String()), to); err != nil {
			t.Fatal(err)
		}
	}

	invite, from := read(first, sip.INVITE)
	reply(first, invite, from)
	if err := call.WaitAnswer(ctx, sipgo.AnswerOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := call.Ack(ctx); err != nil {
		t.Fatal(err)
	}
	if _, from = read(contact, sip.ACK); from.String() != ours.LocalAddr().String() {
		t.Errorf("the ACK comes from %s, want our %s", from, ours.LocalAddr())
	}
	done := make(chan error, 1)
	go func() { done <- call.Bye(ctx) }()
	bye, from := read(contact, sip.BYE)
	if from.String() == ours.LocalAddr().String() {
		t.Errorf("the BYE comes from %s: mended", from)
	}
	reply(contact, bye, from)
	if err := <-done; err != nil {
		t.Errorf("the BYE failed: %v", err)
	}
}

// listen opens a socket on loopback.
func listen(t *testing.T) net.PacketConn {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
