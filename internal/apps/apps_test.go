package apps

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// app is an application that runs.
type app struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

// start runs a program until the test is over.
func start(t *testing.T, program string, args ...string) *app {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &app{t: t, in: in, out: bufio.NewScanner(out)}
}

// line is the next that the program prints.
func (a *app) line() string {
	a.t.Helper()
	if !a.out.Scan() {
		a.t.Fatal("the program has ended")
	}
	return a.out.Text()
}

func (a *app) want(line string) {
	a.t.Helper()
	if got := a.line(); got != line {
		a.t.Errorf("the program prints %q, want %q", got, line)
	}
}

// wantTimer checks the Session-Expires of a message.
func wantTimer(t *testing.T, m message, want string) {
	t.Helper()
	if got := m.all("Session-Expires"); len(got) != 1 || got[0] != want {
		t.Errorf("%s says Session-Expires %q, want %q", m.label(), got, want)
	}
	if !strings.Contains(m.get("Supported"), "timer") {
		t.Errorf("%s says Supported %q, want timer", m.label(), m.get("Supported"))
	}
}

const (
	timer  = "Supported: timer"
	update = "Allow: INVITE, ACK, CANCEL, BYE, UPDATE"
)

// interval is that of the applications: long enough for a peer to answer in time on
// a machine that is busy.
const interval = "6"

// refreshed has a peer answer a refresh.
func refreshed(p *peer, interval string) (refresh message) {
	p.t.Helper()
	refresh = p.expect("UPDATE")
	wantTimer(p.t, refresh, interval+";refresher=uac")
	p.reply(refresh, "200 OK", "", timer, "Session-Expires: "+interval+";refresher=uac", "Require: timer")
	return refresh
}

// gone makes the peer forget the call, as after a restart.
func gone(p *peer) {
	p.t.Helper()
	p.reply(p.expect("UPDATE"), "481 Call/Transaction Does Not Exist", "")
	bye := p.expect("BYE")
	if got := bye.get("Reason"); !strings.HasPrefix(got, "SIP;cause=408;") {
		p.t.Errorf("the BYE to %s has Reason %q, want cause 408", p.name, got)
	}
	p.reply(bye, "200 OK", "")
}

// takesCall calls an application that refreshes, and is gone after a while.
func takesCall(t *testing.T, a *app, addr string, p *peer) {
	t.Helper()
	p.invite(addr, timer, update, "Session-Expires: "+interval)
	res := p.expect("200 INVITE")
	wantTimer(t, res, interval+";refresher=uas")
	p.ack(res)
	refreshed(p, interval)
	gone(p)
	a.want("over")
}

// applications are those under testdata, and how each is called. What they do takes
// seconds; nothing in it is measured.
var applications = []struct {
	name string
	play func(t *testing.T, program string)
}{
	{"sipgo", func(t *testing.T, program string) {
		for _, transport := range []string{"udp", "tcp"} {
			a, p := start(t, program, transport), newPeer(t, "peer")
			addr := a.line()
			if transport == "tcp" {
				p.dial(addr)
			}
			takesCall(t, a, addr, p)
		}
	}},
	{"diago", func(t *testing.T, program string) {
		a := start(t, program)
		takesCall(t, a, a.line(), newPeer(t, "peer"))
	}},
	{"both", func(t *testing.T, program string) {
		a := start(t, program)
		onSipgo, onDiago := a.line(), a.line()
		takesCall(t, a, onSipgo, newPeer(t, "one"))
		takesCall(t, a, onDiago, newPeer(t, "two"))
	}},
	{"uac", func(t *testing.T, program string) {
		p := newPeer(t, "peer")
		a := start(t, program, p.addr())
		invite := p.expect("INVITE")
		wantTimer(t, invite, interval)
		p.reply(invite, "200 OK", sdp, timer, update, "Session-Expires: "+interval+";refresher=uac", "Require: timer")
		p.expect("ACK")
		refreshed(p, interval)
		gone(p)
		a.want("over")
	}},
	{"b2bua", bridged},
	{"guard", guarded},
	{"proxy", relayed},
	{"byhand", byHand},
}

// bridged: each leg has its own interval and is refreshed from its own address; the
// end of one ends the other.
func bridged(t *testing.T, program string) {
	in, out := newPeer(t, "in"), newPeer(t, "out")
	a := start(t, program, out.addr())
	addr := a.line()
	in.invite(addr, timer, update, "Session-Expires: 8")
	invite := out.expect("INVITE")
	wantTimer(t, invite, "6;refresher=uac")
	out.reply(invite, "200 OK", sdp, timer, update, "Session-Expires: 6;refresher=uac", "Require: timer")
	out.expect("ACK")
	res := in.expect("200 INVITE")
	wantTimer(t, res, "8;refresher=uas")
	in.ack(res)

	for _, leg := range []struct {
		peer           *peer
		interval, addr string
	}{{out, "6", strings.TrimPrefix(invite.uri(), "sip:")}, {in, "8", addr}} {
		refresh := refreshed(leg.peer, leg.interval)
		if got := leg.peer.far.String(); got != leg.addr || !strings.Contains(refresh.get("Via"), " "+leg.addr+";") {
			t.Errorf("the refresh of %s comes from %s with Via %s, want both as %s", leg.peer.name, got, refresh.get("Via"), leg.addr)
		}
	}
	gone(out)
	bye := in.expect("BYE")
	in.reply(bye, "200 OK", "")
	if got := bye.get("Reason"); got != "" {
		t.Errorf("the application's own BYE has Reason %q, want it as the application sends it", got)
	}
	a.want("over")
}

// guarded: timer code of the application's own sees each refresh, of either kind,
// and its answers carry the timer.
func guarded(t *testing.T, program string) {
	a, p := start(t, program), newPeer(t, "peer")
	p.invite(a.line(), timer, update, "Session-Expires: 90;refresher=uac")
	p.ack(p.expect("200 INVITE"))
	for i, refresh := range []struct{ method, body string }{{"UPDATE", ""}, {"UPDATE", sdp}, {"INVITE", sdp}, {"INVITE", ""}, {"UPDATE", ""}} {
		p.request(refresh.method, refresh.body, timer, "Session-Expires: 90;refresher=uac")
		res := p.expect("200 " + refresh.method)
		wantTimer(t, res, "90;refresher=uac")
		if got := res.get("X-Seen"); got != fmt.Sprint(i+1) {
			t.Errorf("after refresh %d the application has seen %q", i+1, got)
		}
		if refresh.method == "INVITE" {
			p.ack(res)
		}
	}
	p.request("BYE", "")
	p.expect("200 BYE")
}

// relayed: with timers and without, the same passes, byte for byte.
func relayed(t *testing.T, program string) {
	var wires [2]string
	for i, mode := range []string{"stock", "timers"} {
		from, to := newPeer(t, "a"), newPeer(t, "b")
		a := start(t, program, from.addr(), to.addr(), mode)
		addr := a.line()
		var wire []string
		got := func(m message) message {
			wire = append(wire, m.raw)
			return m
		}
		from.invite(addr, timer, update, "Session-Expires: 2;refresher=uac")
		invite := got(to.expect("INVITE"))
		to.reply(invite, "180 Ringing", "")
		got(from.expect("180 INVITE"))
		to.reply(invite, "200 OK", sdp, "Session-Expires: 2;refresher=uac")
		res := got(from.expect("200 INVITE"))
		from.ack(res)
		from.target = "sip:app@" + addr // to the Record-Route
		got(to.expect("ACK"))
		from.request("UPDATE", "", timer, "Session-Expires: 2;refresher=uac")
		got(from.expect("405 UPDATE"))
		from.quiet(1500 * time.Millisecond)
		to.quiet(1500 * time.Millisecond) // the session would have expired by now
		from.request("BYE", "")
		to.reply(got(to.expect("BYE")), "200 OK", "")
		got(from.expect("200 BYE"))
		wires[i] = byLot.ReplaceAllString(strings.NewReplacer(addr, "PROXY", from.addr(), "A", to.addr(), "B",
			addr[len("127.0.0.1:"):]+";transport", "PORT;transport").Replace(strings.Join(wire, "\n")), "${1}LOT")
	}
	if wires[0] != wires[1] {
		t.Errorf("without timers\n%s\nwith timers\n%s", wires[0], wires[1])
	}
}

// byLot matches what sipgo chooses at random: branches of the proxy, and tags of its own
// responses.
var byLot = regexp.MustCompile(`(;branch=z9hG4bK|;tag=)(?:\.\w{16}|[0-9a-f]{8}-[0-9a-f-]{27})`)

// byHand: the application's own numbers and those of the timers in between are one sequence.
func byHand(t *testing.T, program string) {
	p := newPeer(t, "peer")
	a := start(t, program, p.addr())
	numbers := ""
	number := func(m message) message {
		numbers += m.get("CSeq") + ", "
		return m
	}
	invite := number(p.expect("INVITE"))
	wantTimer(t, invite, interval)
	p.reply(invite, "422 Session Interval Too Small", "", "Min-SE: 7")
	p.expect("ACK")
	again := number(p.expect("INVITE"))
	wantTimer(t, again, "7")
	p.reply(again, "200 OK", sdp, timer, update, "Session-Expires: 7;refresher=uac", "Require: timer")
	number(p.expect("ACK"))
	p.reply(number(p.expect("UPDATE")), "200 OK", "", timer, "Session-Expires: 7;refresher=uac", "Require: timer")
	_, _ = io.WriteString(a.in, "INFO\n")
	p.reply(number(p.expect("INFO")), "200 OK", "")
	a.want("INFO 200")
	p.reply(number(p.expect("UPDATE")), "481 Gone", "")
	p.reply(number(p.expect("BYE")), "200 OK", "")
	a.want("over")
	if want := "1 INVITE, 2 INVITE, 2 ACK, 3 UPDATE, 4 INFO, 5 UPDATE, 6 BYE, "; numbers != want {
		t.Errorf("the requests are numbered\n%s want\n%s", numbers, want)
	}
}

// Each application is built as its author would build it, with this tree in place of
// the released modules, and called from outside.
func TestApplications(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs eight programs")
	}
	entries, err := os.ReadDir("testdata")
	if err != nil || len(entries) != len(applications) {
		t.Errorf("%d applications under testdata (%v), %d are called", len(entries), err, len(applications))
	}
	for _, app := range applications {
		t.Run(app.name, func(t *testing.T) {
			t.Parallel()
			app.play(t, build(t, app.name))
		})
	}
}
