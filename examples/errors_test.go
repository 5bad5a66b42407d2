//go:build unix

package examples_test

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/sipgo-contrib/sessiontimer/internal/freeport"
)

// TestBadStart: what cannot work ends with one clear line.
func TestBadStart(t *testing.T) {
	t.Parallel()
	busy, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	taken := busy.LocalAddr().String()
	closed := freeport.Addr(t)
	const help = " (PROGRAM -h lists the flags)"
	tests := []struct {
		name, program, flags string
		status               int
		want                 string
	}{
		{"unknown flag", "uas", "-x", 2, "flag provided but not defined: -x" + help},
		{"unknown choice", "uas", "-mode maybe", 2, `invalid value "maybe" for flag -mode: want off, accept, offer, require or always` + help},
		{"too short", "uas", "-session-expires 4s", 2, "-session-expires 4s is less than the 90s of RFC 4028; -unsafe-intervals allows it in a lab" + help},
		{"no port", "uas", "-listen localhost", 2, "-listen localhost: want HOST:PORT" + help},
		{"argument", "uas", "5060", 2, `unexpected argument "5060"` + help},
		{"no flag of uac", "uac", "-run-for 1s", 2, "flag provided but not defined: -run-for" + help},
		{"no target", "uac", "", 2, "-to is missing" + help},
		{"no URI", "uac", "-to bob", 2, `-to "bob": want a SIP URI such as sip:bob@127.0.0.1:5060` + help},
		{"two transports", "uac", "-to sip:127.0.0.1;transport=TCP", 2, "-to asks for tcp; give -transport tcp too" + help},
		{"busy port", "uas", "-listen " + taken, 1, "cannot listen on udp " + taken + ": address already in use"},
		{"busy port of the caller", "uac", "-to sip:127.0.0.1 -listen " + taken, 1, "cannot listen on udp " + taken + ": address already in use"},
		{"not our address", "uas", "-listen 203.0.113.1:5060", 1, "cannot listen on udp 203.0.113.1:5060: " + syscall.EADDRNOTAVAIL.Error()},
		{"port out of range", "uas", "-listen 127.0.0.1:65536", 1, "cannot listen on udp 127.0.0.1:65536: invalid port"},
		{"nobody listens", "uac", "-transport tcp -to sip:" + closed, 1, "cannot call sip:" + closed + ";transport=tcp: connection refused"},
		{"out of reach", "uac", "-to sip:203.0.113.1", 1,
			"cannot call sip:203.0.113.1 from 127.0.0.1, which reaches this machine only; use -listen 0.0.0.0:0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, tt.program, strings.Fields(tt.flags)...)
			p.exits(tt.status)
			want := tt.program + ": " + strings.ReplaceAll(tt.want, "PROGRAM", tt.program) + "\n"
			got := p.Stderr.String()
			if strings.HasPrefix(got, "uac: calling ") {
				_, got, _ = strings.Cut(got, "\n")
			}
			if got != want || p.Stdout.String() != "" {
				t.Errorf("says %q\nwant %q\nand prints %q", got, want, p.Stdout)
			}
		})
	}
}

// peer is a socket that answers each request as told, over UDP.
type peer struct {
	net.PacketConn
	seen chan string // methods of requests
}

func newPeer(t *testing.T, answer func(*sip.Request) []*sip.Response) *peer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{conn, make(chan string, 100)}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			msg, err := sip.ParseMessage(buf[:n])
			req, ok := msg.(*sip.Request)
			if err != nil || !ok {
				continue
			}
			p.seen <- req.Method.String()
			for _, res := range answer(req) {
				_, _ = conn.WriteTo([]byte(res.String()), from)
			}
		}
	}()
	return p
}

func (p *peer) wants(t *testing.T, method string) {
	t.Helper()
	limit := time.After(5 * time.Second)
	for {
		select {
		case got := <-p.seen:
			if got == method {
				return
			}
		case <-limit:
			t.Fatalf("no %s came", method)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(req *sip.Request) []*sip.Response {
		if !req.IsInvite() {
			return nil
		}
		return []*sip.Response{sip.NewResponseFromRequest(req, 486, "Busy Here", nil)}
	})
	to := "sip:" + p.LocalAddr().String()
	uac := start(t, "uac", "-to", to)
	uac.exits(1)
	if want := "uac: " + to + " refused the call: 486 Busy Here\n"; !strings.HasSuffix(uac.Stderr.String(), want) {
		t.Errorf("uac says\n%swant %s", uac.Stderr, want)
	}
}

// Ctrl-C while it rings sends CANCEL.
func TestCancel(t *testing.T) {
	t.Parallel()
	var invite *sip.Request
	p := newPeer(t, func(req *sip.Request) []*sip.Response {
		switch req.Method {
		case sip.INVITE:
			invite = req
			return []*sip.Response{sip.NewResponseFromRequest(req, 180, "Ringing", nil)}
		case sip.CANCEL:
			return []*sip.Response{
				sip.NewResponseFromRequest(req, 200, "OK", nil),
				sip.NewResponseFromRequest(invite, 487, "Request Terminated", nil),
			}
		}
		return nil
	})
	uac := start(t, "uac", "-to", "sip:"+p.LocalAddr().String())
	p.wants(t, "INVITE")
	uac.Signal(syscall.SIGINT)
	p.wants(t, "CANCEL")
	p.wants(t, "ACK")
	uac.exits(0)
	if !strings.HasSuffix(uac.Stderr.String(), "uac: cancelled\n") {
		t.Errorf("uac says\n%s", uac.Stderr)
	}
}

// Ctrl-C ends the program even if nobody ever answers.
func TestCancelSilence(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(*sip.Request) []*sip.Response { return nil })
	uac := start(t, "uac", "-to", "sip:"+p.LocalAddr().String())
	p.wants(t, "INVITE")
	uac.Signal(syscall.SIGINT)
	uac.exits(0)
}

func TestOptions(t *testing.T) {
	t.Parallel()
	uas := start(t, "uas", "-listen", "127.0.0.1:0")
	conn, err := net.Dial("udp", uas.address())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = conn.Write([]byte(strings.ReplaceAll(`OPTIONS sip:127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP `+conn.LocalAddr().String()+`;branch=z9hG4bKoptions;rport
From: <sip:alice@127.0.0.1>;tag=a
To: <sip:127.0.0.1>
Call-ID: options
CSeq: 1 OPTIONS
Max-Forwards: 70
Content-Length: 0

`, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	got := string(buf[:n])
	for _, want := range []string{"SIP/2.0 200 OK\r\n", "\r\nAllow: ACK, BYE, CANCEL, INVITE, OPTIONS, UPDATE\r\n", "\r\nSupported: timer\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, program := range []string{"uas", "uac"} {
		p := start(t, program, "-help")
		p.exits(0)
		if got := p.Stdout.String(); !strings.HasPrefix(got, program+" ") || !strings.Contains(got, "\n  go run ./examples/"+program+" ") {
			t.Errorf("%s -help prints\n%s", program, got)
		}
	}
}
