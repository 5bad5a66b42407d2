//go:build unix

package middleware_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// asProcess is set if this test binary is the process that is stopped.
const asProcess = "SESSIONTIMER_STOPPED_PROCESS"

// After a stop of the process, the hang-up waits until the refresh in the socket has been
// read.
func TestStoppedProcess(t *testing.T) {
	if os.Getenv(asProcess) != "" {
		answerCalls()
		return
	}
	p := newProcess(t)
	p.send("INVITE", 1, "Session-Expires: 4;refresher=uac", sipnet.SDP)
	p.expect("200 OK (INVITE)")
	p.send("ACK", 1, "", "")
	p.send("UPDATE", 2, "Session-Expires: 4;refresher=uac", "")
	p.expect("200 OK (UPDATE)") // the ACK has been read too, or will be

	p.stop()
	for n := range 100 { // what is in front of the refresh takes longer to read than a timer to go off
		p.send("OPTIONS", 1000+n, "", "")
	}
	p.send("UPDATE", 3, "Session-Expires: 4;refresher=uac", "")
	p.quiet(4500 * time.Millisecond) // it should have hung up after 2.7 s
	p.cont()
	p.expect("200 OK (UPDATE)")
	p.send("UPDATE", 4, "Session-Expires: 4;refresher=uac", "")
	p.expect("200 OK (UPDATE)")
}

// answerCalls is the process. It ends with its standard input.
func answerCalls() {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ua, _ := sipgo.NewUA()
	server, _ := sipgo.NewServer(ua, sipgo.WithServerLogger(sipua.Quiet))
	client, _ := sipgo.NewClient(ua, sipgo.WithClientLogger(sipua.Quiet), sipgo.WithClientConnectionAddr(conn.LocalAddr().String()))
	timers, err := middleware.New(ua, middleware.WithUnsafeIntervals(), middleware.WithSessionExpires(4*time.Second), middleware.WithLogger(sipua.Quiet))
	if err != nil {
		fmt.Println(err)
		return
	}
	srv, err := timers.Attach(server, client)
	if err != nil {
		fmt.Println(err)
		return
	}
	host, port, _ := sip.ParseAddr(conn.LocalAddr().String())
	calls := sipgo.NewDialogServerCache(client, sip.ContactHeader{Address: sip.Uri{Scheme: "sip", Host: host, Port: port}})
	srv.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		if d, err := calls.ReadInvite(req, tx); err == nil {
			_ = d.RespondSDP([]byte(sipnet.SDP))
		}
	})
	srv.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = calls.ReadAck(req, tx) })
	srv.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { _ = calls.ReadBye(req, tx) })
	go func() { _ = srv.ServeUDP(conn) }()
	fmt.Println(conn.LocalAddr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// process is a user agent in its own process, and its caller.
type process struct {
	*testing.T
	cmd  *exec.Cmd
	conn net.PacketConn
	addr net.Addr
	to   string // tag included, once there is an answer
	cseq int    // of what was sent last
}

func newProcess(t *testing.T) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	p := &process{T: t, cmd: exec.CommandContext(ctx, os.Args[0], "-test.run=^TestStoppedProcess$")}
	p.cmd.Env = append(os.Environ(), asProcess+"=1")
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.conn, err = net.ListenPacket("udp4", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		_ = in.Close()
		_ = p.cmd.Wait()
		cancel()
		_ = p.conn.Close()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if p.addr, err = net.ResolveUDPAddr("udp4", strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	p.to = fmt.Sprintf("<sip:answer@%s>", p.addr)
	return p
}

// stop returns when the process has stopped.
func (p *process) stop() {
	p.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		p.Fatal(err)
	}
	var status syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(p.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err == nil && status.Stopped() {
			return
		} else if err != nil && err != syscall.EINTR {
			p.Fatal(err)
		}
	}
}

func (p *process) cont() {
	p.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		p.Fatal(err)
	}
}

// send sends a request with the header and body, if they are not empty.
func (p *process) send(method string, cseq int, header, body string) {
	p.Helper()
	own := p.conn.LocalAddr()
	p.cseq = cseq
	lines := []string{
		fmt.Sprintf("%s sip:answer@%s SIP/2.0", method, p.addr),
		fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=z9hG4bK-%s-%d", own, method, cseq),
		"Max-Forwards: 70", fmt.Sprintf("From: <sip:peer@%s>;tag=peer", own), "To: " + p.to, "Call-ID: stopped",
		fmt.Sprintf("CSeq: %d %s", cseq, method), fmt.Sprintf("Contact: <sip:peer@%s>", own),
		"Supported: timer", "Allow: INVITE, ACK, BYE, CANCEL, UPDATE",
	}
	if header != "" {
		lines = append(lines, header)
	}
	if body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)), "", body)
	if _, err := p.conn.WriteTo([]byte(strings.Join(lines, "\r\n")), p.addr); err != nil {
		p.Fatal(err)
	}
}

// expect reads until the response with the label to the last request. A BYE is an error.
func (p *process) expect(label string) {
	p.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	for buf := make([]byte, 65535); ; {
		n, _, err := p.conn.ReadFrom(buf)
		if err != nil {
			p.Fatalf("no %s: %v", label, err)
		}
		msg, err := sip.ParseMessage(buf[:n])
		if err != nil {
			p.Fatal(err)
		}
		switch got := sipnet.Label(msg); {
		case got == string(sip.BYE):
			p.Fatalf("BYE, should be %s\n%s", label, msg)
		case got == label && int(msg.CSeq().SeqNo) == p.cseq:
			p.to = "<" + msg.To().Address.String() + ">;tag=" + msg.To().Params.GetOr("tag", "")
			return
		}
	}
}

// quiet waits while the process stands still.
func (p *process) quiet(d time.Duration) {
	_ = p.conn.SetReadDeadline(time.Now().Add(d))
	for buf := make([]byte, 65535); ; {
		if _, _, err := p.conn.ReadFrom(buf); err != nil {
			return
		}
	}
}
