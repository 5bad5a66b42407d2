//go:build interop

package interop

import (
	"bytes"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// Kinds of phones over what the examples do not speak, or speak rarely.
var (
	linphoneTLS = &peerKind{name: "linphone over TLS", interval: 8, slots: make(chan struct{}, 10), start: startLinphone}
	sippIPv6    = &peerKind{name: "SIPp over IPv6", interval: 6, slots: make(chan struct{}, 40), start: startSIPp}
	jssipWS     = &peerKind{name: "JsSIP over WebSocket", interval: 90}
)

// TestTLS has linphone call over TLS. The relay has a certificate of its own,
// which linphone is told not to mind. Its Contact names a port where it accepts
// no connection, so our refreshes must go back on the one that it opened.
func TestTLS(t *testing.T) {
	t.Parallel()
	need(t, "linphone-daemon")
	for _, s := range []scene{
		{refresher: thePeer, method: "UPDATE", end: "peer"},
		{refresher: thePeer, method: "INVITE", end: "subject"},
		{refresher: thePeer, method: "UPDATE", end: "killed"},
		{refresher: theSubject, method: "UPDATE", end: "subject"},
	} {
		s.peer, s.caller, s.subject, s.transport, s.interval = linphoneTLS, thePeer, "subject", "tls", linphoneTLS.interval
		t.Run(s.name(), func(t *testing.T) {
			t.Parallel()
			s.play(t)
		})
	}
}

// TestIPv6 has SIPp call, and be called, at ::1.
func TestIPv6(t *testing.T) {
	t.Parallel()
	need(t, "sipp")
	for _, s := range []scene{
		{caller: theSubject, subject: "uac", transport: "udp", refresher: theSubject, method: "UPDATE", end: "subject"},
		{caller: theSubject, subject: "uac", transport: "tcp", refresher: thePeer, method: "INVITE", end: "peer"},
		{caller: thePeer, subject: "uas", transport: "udp", refresher: thePeer, method: "UPDATE", end: "peer"},
		{caller: thePeer, subject: "uas", transport: "tcp", refresher: theSubject, method: "INVITE", end: "subject"},
		{caller: thePeer, subject: "diago", transport: "udp", refresher: theSubject, method: "UPDATE", end: "killed"},
	} {
		s.peer, s.host, s.interval = sippIPv6, "::1", sippIPv6.interval
		t.Run(s.name(), func(t *testing.T) { t.Parallel(); s.play(t) })
	}
}

// TestWebSocket has JsSIP call over a WebSocket, as a browser does. It has no
// address of its own; what passes is read from its log.
func TestWebSocket(t *testing.T) {
	t.Parallel()
	needJsSIP(t)
	for _, s := range []scene{
		{refresher: theSubject, method: "UPDATE", end: "subject"},
		{refresher: theSubject, method: "INVITE", end: "peer"},
		{refresher: thePeer, method: "UPDATE", end: "peer"},
		{refresher: thePeer, method: "INVITE", end: "subject"},
		{refresher: thePeer, method: "UPDATE", end: "killed"},
	} {
		s.peer, s.caller, s.subject, s.transport, s.interval = jssipWS, thePeer, "subject", "ws", jssipWS.interval
		t.Run(s.name(), func(t *testing.T) { t.Parallel(); s.playWebSocket(t) })
	}
}

func (s scene) playWebSocket(t *testing.T) {
	up := takeOff(t)
	port := freePort(t)
	sub := startSubject(t, "subject", loopback(port), s.flags()...)
	ws := url.URL{Scheme: "ws", Host: loopback(port), Path: "/"}
	args := []string{filepath.Join("jssip", "peer.js"), "--ws", ws.String(), "--interval", itoa(s.interval), "--method", s.method}
	if s.refresher == thePeer {
		args = append(args, "--force")
	}
	c := startConsole(t, exec.Command("node", args...))
	c.Says(c.Stderr, "ready", 20*time.Second)
	c.call("sip:subject@" + loopback(port))
	w := newWire(t)
	st := &stage{scene: s, wire: w, subject: sub}
	st.checkNegotiated(t)
	up()
	interval := time.Duration(s.interval) * time.Second
	if s.end == "killed" {
		c.Says(c.Stderr, "ACK sip:", 5*time.Second)
		time.Sleep(300 * time.Millisecond) // let it pass: without it the call is forgotten
		c.Kill()
		killed := time.Now()
		sub.reports("expired", interval)
		if age, due := time.Since(killed), interval-interval/3; age < due-slack || age > due+slack {
			t.Errorf("the call ended %.2f s after the peer died, want %.2f s", age.Seconds(), due.Seconds())
		}
		sub.reports("ended", 5*time.Second)
		sub.leave()
		record(t, s, "killed; ended in time", w)
		return
	}
	time.Sleep(interval + interval/10)
	bye := theSubject
	if s.end == "peer" {
		bye = thePeer
		c.hangUp()
		sub.reports("ended", 5*time.Second)
	}
	sub.leave()
	w.readLog(c.Stderr.String())
	seen := judge(t, w.messages(), verdict{interval: s.interval, refresher: s.refresher, method: s.method,
		every: half(interval), count: 2, bye: bye, byeAfter: interval})
	record(t, s, seen, w)
}

var logged = regexp.MustCompile(`(?m)^(\S+T\S+Z) (sent|received|event .*|ready|exception .*|rejection .*)$`)

// readLog adds the messages in JsSIP's log.
func (w *wire) readLog(text string) {
	marks := logged.FindAllStringSubmatchIndex(text, -1)
	for i, m := range marks {
		end := len(text)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		at, err := time.Parse(time.RFC3339Nano, text[m[2]:m[3]])
		from := map[string]party{"sent": thePeer, "received": theSubject}[text[m[4]:m[5]]]
		if err != nil || from == "" {
			continue
		}
		raw := bytes.ReplaceAll([]byte(strings.TrimPrefix(text[m[1]:end], "\n")), []byte("\n"), []byte("\r\n"))
		msg := sipnet.Message{At: at.Sub(w.start), From: string(from), To: string(from.other()), Transport: "ws", Raw: raw}
		if parsed, err := sip.ParseMessage(raw); err == nil {
			msg.SIP = parsed
		}
		w.msgs = append(w.msgs, msg)
	}
}
