//go:build interop

package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var jssip = &peerKind{
	name:     "JsSIP",
	interval: 90, // nothing unsafe: JsSIP's own floor is 60 s
	slots:    make(chan struct{}, 40),
	start:    startJsSIP,
}

func TestJsSIP(t *testing.T) {
	t.Parallel()
	needJsSIP(t)
	matrix(t, jssip, "UPDATE", "INVITE")
}

func needJsSIP(t *testing.T) {
	t.Helper()
	need(t, "node")
	if _, err := os.Stat(filepath.Join("jssip", "node_modules", "jssip")); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("JsSIP is not installed; .ci/interop installs it")
	}
	t.Skip("SKIPPED: JsSIP is not installed; .ci/interop installs it")
}

func startJsSIP(t *testing.T, s scene, port int) phone {
	args := []string{filepath.Join("jssip", "peer.js"), "--port", itoa(port), "--interval", itoa(s.interval), "--method", s.method}
	if s.caller == thePeer && s.refresher == thePeer {
		args = append(args, "--force")
	}
	c := startConsole(t, exec.Command("node", args...))
	c.Says(c.Stderr, "ready", 20*time.Second)
	return c
}

// TestJsSIPRefused: JsSIP asks for as little as 60 s, and cannot use the 422 that it gets.
func TestJsSIPRefused(t *testing.T) {
	t.Parallel()
	needJsSIP(t)
	up := takeOff(t)
	w := newWire(t)
	subjectPort, peerPort := freePort(t), freePort(t)
	relay := newRelay(t, w, "udp", loopback(subjectPort), loopback(peerPort))
	sub := startSubject(t, "uas", loopback(subjectPort))
	p := startJsSIP(t, scene{caller: thePeer, interval: 60, method: "UPDATE"}, peerPort).(*console)
	p.call("sip:uas@" + relay.far)
	p.Says(p.Stderr, "event failed", 10*time.Second)
	up()
	sub.leave()
	rows, _ := plainRows(w.messages())
	want := "peer INVITE | Session-Expires: 60\nsubject 422 Session Interval Too Small | Min-SE: 90"
	if got := strings.Join(rows, "\n"); got != want {
		t.Errorf("seen:\n%s\nwant:\n%s", got, want)
	}
	fault(t, "JsSIP", "It ignores the Min-SE of a 422, and the call fails. If JsSIP calls an application with less than 90 s, "+
		"its users have to set `sessionTimersExpires`.", strings.Join(rows, "\n"))
}
