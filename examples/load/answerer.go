package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// answerer is the answering side.
type answerer struct {
	addr  string // HOST:PORT
	close func()
}

// role is passed to the second process of a split run in an environment variable. It makes
// the process answer, and names the calls.
type role struct {
	Stub     bool
	Interval time.Duration
}

const roleVariable = "LOAD_ANSWERER"

func isAnswerer() bool { return os.Getenv(roleVariable) != "" }

func newAnswerer(ctx context.Context, p plan) (*answerer, error) {
	r := role{Stub: p.stubbed, Interval: p.interval}
	if p.split {
		return r.startProcess(ctx)
	}
	return r.start(p.listen)
}

// start answers in this process.
func (r role) start(listen func() (net.PacketConn, error)) (*answerer, error) {
	conn, err := listen()
	if err != nil {
		return nil, err
	}
	a := &answerer{addr: conn.LocalAddr().String(), close: func() { _ = conn.Close() }}
	if r.Stub {
		go answerStubs(conn)
		return a, nil
	}
	u, err := newUserAgent("answer", conn)
	if err != nil {
		return nil, err
	}
	timers, err := middleware.New(u.ua, append(plan{config: &config{limit: 5000}, interval: r.Interval}.timerOptions(), middleware.WithLogger(quiet))...)
	if err != nil {
		return nil, err
	}
	srv, err := timers.Attach(u.server, u.client)
	if err != nil {
		return nil, err
	}
	calls := sipgo.NewDialogServerCache(u.client, u.contact)
	srv.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		if d, err := calls.ReadInvite(req, tx); err == nil {
			_ = d.RespondSDP(sdp)
		}
	})
	srv.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = calls.ReadAck(req, tx) })
	srv.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { _ = calls.ReadBye(req, tx) })
	u.serve()
	a.close = func() { _ = timers.Close(); _ = u.ua.Close(); _ = conn.Close() }
	return a, nil
}

// startProcess answers in a second process of this program. That ends when its standard
// input closes, even if this process is killed.
func (r role) startProcess(ctx context.Context) (*answerer, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	child := exec.CommandContext(ctx, program)
	child.Env = append(os.Environ(), roleVariable+"="+string(text))
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := child.Start(); err != nil {
		return nil, err
	}
	stop := func() { _ = in.Close(); _ = child.Wait() }
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return nil, errors.New("the answering process did not start")
	}
	return &answerer{addr: strings.TrimSpace(addr), close: stop}, nil
}

// answerForParent is the main function of the answering process. It returns the exit
// status.
func answerForParent(in io.Reader, out io.Writer) int {
	var r role
	if err := json.Unmarshal([]byte(os.Getenv(roleVariable)), &r); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		return 2
	}
	a, err := r.start(listen)
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		return 1
	}
	defer a.close()
	_, _ = fmt.Fprintln(out, a.addr)
	_, _ = io.Copy(io.Discard, in)
	return 0
}
