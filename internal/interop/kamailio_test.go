//go:build interop

package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/program"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

var kamailio = &peerKind{name: "Kamailio", interval: 8}

// proxied is a call through Kamailio: uac, relay, Kamailio, callee. What is
// judged is what passes between uac and Kamailio.
type proxied struct {
	name      string
	mode      string // of the proxy: plain, check, sstcheck, insert, sst, limit
	minimum   int    // of what the mode is about, in seconds
	uac       string // flags
	callee    string // uas with these flags, or baresip
	interval  int
	refresher party // the subject is uac
	method    string
	end       party
	want      string // the beginning of the call, line by line
}

const unsafe8 = "-unsafe-intervals -session-expires 8s "

var proxiedCalls = []proxied{
	{name: "caller refreshes, UPDATE", mode: "plain", minimum: 90, uac: unsafe8 + "-refresher local", callee: unsafe8,
		interval: 8, refresher: theSubject, method: "UPDATE", end: theSubject},
	{name: "caller refreshes, INVITE", mode: "plain", minimum: 90, uac: unsafe8 + "-refresher local -method invite", callee: unsafe8,
		interval: 8, refresher: theSubject, method: "INVITE", end: thePeer},
	{name: "callee refreshes, UPDATE", mode: "plain", minimum: 90, uac: unsafe8, callee: unsafe8 + "-refresher local",
		interval: 8, refresher: thePeer, method: "UPDATE", end: theSubject},
	{name: "callee refreshes, INVITE", mode: "plain", minimum: 90, uac: unsafe8, callee: unsafe8 + "-refresher local -method invite",
		interval: 8, refresher: thePeer, method: "INVITE", end: thePeer},
	{name: "422 of the proxy", mode: "check", minimum: 8, uac: "-unsafe-intervals -session-expires 4s", callee: unsafe8,
		interval: 8, refresher: theSubject, method: "UPDATE", end: theSubject, want: `
subject INVITE | Session-Expires: 4
peer 422 Session Interval Too Small | Min-SE: 8
subject INVITE | Session-Expires: 8, Min-SE: 8
peer 200 OK | Session-Expires: 8;refresher=uac`},
	{name: "asked for by the proxy, caller accepts", mode: "insert", minimum: 8, uac: unsafe8 + "-mode accept", callee: unsafe8,
		interval: 8, refresher: theSubject, method: "UPDATE", end: theSubject, want: `
subject INVITE
peer 200 OK | Session-Expires: 8;refresher=uac`},
	{name: "asked for by the proxy, caller has no timers", mode: "insert", minimum: 8, uac: unsafe8 + "-mode off", callee: unsafe8 + "-method invite",
		interval: 8, refresher: thePeer, method: "INVITE", end: theSubject, want: `
subject INVITE
peer 200 OK | Session-Expires: 8;refresher=uas`},
	{name: "the callee has no timers", mode: "sst", minimum: 6, uac: unsafe8 + "-method invite", callee: "baresip",
		interval: 8, refresher: theSubject, method: "INVITE", end: theSubject, want: `
subject INVITE | Session-Expires: 8
peer 200 Answering | Session-Expires: 8;refresher=uac`},
}

func TestKamailio(t *testing.T) {
	t.Parallel()
	need(t, "kamailio", "baresip")
	for _, c := range proxiedCalls {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.play(t)
		})
	}
	t.Run("ended by the proxy", func(t *testing.T) { t.Parallel(); endedByProxy(t) })
	t.Run("a 422 that cannot be heeded", func(t *testing.T) { t.Parallel(); vain422(t) })
}

// path is what stands between uac and callee.
type path struct {
	wire     *wire
	relay    *relay
	kamailio *program.Program
	callee   *subject // nil for baresip
	caller   *subject
}

// open starts callee, proxy and caller, from the far end on.
func (c proxied) open(t *testing.T) *path {
	t.Helper()
	up := takeOff(t)
	p := &path{wire: newWire(t)}
	calleePort, proxyPort, callerPort := freePort(t), freePort(t), freePort(t)
	if c.callee == "baresip" {
		startBaresip(t, scene{}, calleePort)
	} else {
		p.callee = startSubject(t, "uas", loopback(calleePort), strings.Fields(c.callee)...)
	}
	p.kamailio = startKamailio(t, proxyPort, loopback(calleePort), c.mode, c.minimum)
	p.relay = newRelay(t, p.wire, "udp", loopback(callerPort), loopback(proxyPort))
	p.caller = startSubject(t, "uac", loopback(callerPort), append(strings.Fields(c.uac), "-to", "sip:peer@"+p.relay.near)...)
	p.wire.await(t, "an answer", 15*time.Second, func(msgs []sipnet.Message) bool {
		return len(exchanges(msgs)) > 0 && exchanges(msgs)[0].res != nil
	})
	up()
	return p
}

func (c proxied) play(t *testing.T) {
	p := c.open(t)
	interval := time.Duration(c.interval) * time.Second
	p.wire.await(t, "a call that is up", 15*time.Second, func(msgs []sipnet.Message) bool { return setUp(msgs) != nil })
	live := interval + interval/5
	p.wire.sleepUntil(setUp(p.wire.messages()).answered + live)
	if c.end == theSubject {
		p.caller.term()
	} else {
		p.callee.term()
	}
	p.wire.await(t, "the BYE and its answer", 10*time.Second, func(msgs []sipnet.Message) bool {
		e := hangUp(msgs)
		return e != nil && e.res != nil
	})
	p.caller.leave()
	if p.callee != nil {
		p.callee.leave()
	}
	msgs := p.wire.messages()
	seen := judge(t, msgs, verdict{interval: c.interval, refresher: c.refresher, method: c.method, every: half(interval),
		count: 2, bye: c.end, byeAfter: interval})
	rows, _ := plainRows(msgs)
	if want := strings.TrimSpace(c.want); !strings.HasPrefix(strings.Join(rows, "\n"), want) {
		t.Errorf("seen:\n%s\nwant first:\n%s", strings.Join(rows, "\n"), want)
	}
	checkRouted(t, msgs)
	record(t, scene{peer: kamailio, subject: "uac", transport: "udp", title: c.name}, seen, p.wire)
}

// checkRouted checks that all requests within the call went through the proxy.
func checkRouted(t *testing.T, msgs []sipnet.Message) {
	t.Helper()
	for _, e := range exchanges(msgs) {
		switch {
		case e.initial || e.req.GetHeader("Via") == nil:
		case e.from == theSubject && e.req.GetHeader("Route") == nil:
			t.Errorf("%s at %.3fs has no Route", e.method(), e.sent.Seconds())
		case e.from == thePeer && len(e.req.GetHeaders("Via")) < 2:
			t.Errorf("%s at %.3fs did not come through the proxy", e.method(), e.sent.Seconds())
		}
	}
}

// endedByProxy: the dialog module sends BYE to both sides when it thinks so.
func endedByProxy(t *testing.T) {
	c := proxied{mode: "limit", minimum: 6, uac: unsafe8 + "-refresher local", callee: unsafe8}
	p := c.open(t)
	p.wire.await(t, "the proxy's BYE", 25*time.Second, func(msgs []sipnet.Message) bool {
		e := hangUp(msgs)
		return e != nil && e.from == thePeer && e.res != nil
	})
	p.caller.reports("ended", 5*time.Second)
	p.callee.reports("ended", 5*time.Second)
	p.caller.leave()
	p.callee.leave()
	age := hangUp(p.wire.messages()).sent - setUp(p.wire.messages()).answered
	if n := len(refreshes(p.wire.messages())); n != 1 {
		t.Errorf("%d refreshes, want the one before the BYE", n)
	}
	record(t, scene{peer: kamailio, subject: "uac", transport: "udp", title: "BYE of the proxy to both sides"},
		fmt.Sprintf("one refresh, BYE of the proxy at %.1f s", age.Seconds()), p.wire)
}

// vain422: sstCheckMin of this version compares the wrong way round, and answers
// 422 with a Min-SE below what the INVITE has. There is nothing to raise; the
// INVITE is not sent for ever.
func vain422(t *testing.T) {
	c := proxied{mode: "sstcheck", minimum: 90, uac: "-session-expires 1800s -min-se 200s", callee: unsafe8}
	p := c.open(t)
	p.caller.Exits(1, 15*time.Second)
	p.callee.leave()
	rows, _ := plainRows(p.wire.messages())
	want := `subject INVITE | Session-Expires: 1800, Min-SE: 200
peer 422 Session Timer Too Small | Min-SE: 90`
	if got := strings.Join(rows, "\n"); got != want {
		t.Errorf("seen:\n%s\nwant:\n%s", got, want)
	}
	var proof string
	for _, m := range p.wire.messages() {
		if res, ok := m.SIP.(*sip.Response); ok && res.StatusCode == 422 {
			proof = strings.ReplaceAll(string(m.Raw), "\r", "")
		}
	}
	fault(t, "Kamailio", "sstCheckMin() of this version refuses 1800 s and Min-SE 200 s although its own minimum is 90 s. "+
		"A call through a script that uses it cannot be made with a Min-SE above the proxy's.", proof)
	record(t, scene{peer: kamailio, subject: "uac", transport: "udp", title: "422 that cannot be heeded: one INVITE, and no loop"}, "422 is the answer", p.wire)
}

// startKamailio starts a proxy that sends calls to next.
func startKamailio(t *testing.T, port int, next, mode string, minimum int) *program.Program {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("kamailio", "proxy.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	modules, _ := filepath.Glob("/usr/lib/*/kamailio/modules")
	modules = append(modules, "/usr/lib/kamailio/modules")
	dir := t.TempDir()
	file := filepath.Join(dir, "kamailio.cfg")
	config := strings.NewReplacer("MODE_NAME", "MODE_"+strings.ToUpper(mode), "PROXYPORT", itoa(port), "MODULES", modules[0]+"/",
		"MINIMUM", itoa(minimum), "NEXTHOP", next).Replace(string(text))
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	// Its workers would outlive a killed parent, so their common group has a limit
	// of its own.
	cmd := exec.Command("timeout", "-s", "KILL", itoa(int(program.Lifespan.Seconds())), "kamailio", "-DD", "-E", "-f", file, "-Y", dir, "-P", filepath.Join(dir, "pid"), "-w", dir, "-m", "16", "-M", "4")
	cmd.SysProcAttr = new(syscall.SysProcAttr)
	p := spawn(t, cmd)
	awaitListener(t, "udp", port)
	time.Sleep(300 * time.Millisecond) // it listens before its workers read
	return p
}
