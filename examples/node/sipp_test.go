//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// allowed are what phones say that they know. Half of them know no UPDATE, and are
// refreshed by re-INVITE.
var allowed = []string{"INVITE, ACK, BYE, CANCEL, INFO, UPDATE", "INVITE, ACK, BYE, CANCEL, INFO"}

// phones are calls of a SIPp.
type phones struct {
	*process
	n      int // calls
	ledger string
}

// need looks a program up, which a step of CI installs.
func need(t *testing.T, program, pkg, step string) (path string) {
	t.Helper()
	path, err := exec.LookPath(program)
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("%s is not installed; see %s", program, step)
	default:
		t.Skipf("SKIPPED: %s is not installed: apt-get install %s, or %s", program, pkg, step)
	}
	return path
}

// newPhones calls each node so many times.
func newPhones(t *testing.T, each int, nodes ...string) *phones {
	t.Helper()
	dir := t.TempDir()
	lines := "SEQUENTIAL\n"
	for i := range each {
		for _, node := range nodes {
			host, port, _ := net.SplitHostPort(node)
			lines += fmt.Sprintf("%s;%s;%s\n", host, port, allowed[i%len(allowed)])
		}
	}
	file := filepath.Join(dir, "calls.csv")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &phones{n: each * len(nodes), ledger: filepath.Join(dir, "ledger")}
	// Ports of its own it finds by itself. It ends by itself at the latest after 10 minutes.
	p.process = launch(t, "SIPp", need(t, "sipp", "sip-tester", ".ci/sipp"), "-sf", "testdata/phone.xml", "-inf", file,
		"-i", "127.0.0.1", "-mi", "127.0.0.1", "-ci", "127.0.0.1", "-t", "u1", "-m", fmt.Sprint(p.n), "-r", "100", "-nostdin", "-timeout", "600",
		"-watchdog_major_maxtriggers", "1000000", "-watchdog_minor_maxtriggers", "1000000", "-key", "interval", fmt.Sprint(interval.Seconds()),
		"-trace_logs", "-log_file", p.ledger, "-trace_err", "-error_file", filepath.Join(dir, "errors"), nodes[0])
	eventually(t, "all calls of SIPp are up", func() bool { return p.count("up") == p.n })
	return p
}

// calls returns what the phones have logged.
func (p *phones) calls() map[string][]row {
	p.t.Helper()
	return readLedger(p.t, p.ledger)
}

// count counts the rows of a kind.
func (p *phones) count(what string) (n int) {
	p.t.Helper()
	for _, rows := range p.calls() {
		for _, r := range rows {
			if r.what == what {
				n++
			}
		}
	}
	return n
}

// wantAlive checks that all calls are up, and were refreshed as they should be.
func (p *phones) wantAlive(after string) {
	p.t.Helper()
	now := time.Now()
	for id, rows := range p.calls() {
		for _, fault := range wrong(rows, now) {
			p.t.Errorf("after %s call %s of SIPp: %s", after, id, fault)
		}
	}
}

// refreshedSince reports whether each call was refreshed after a moment.
func (p *phones) refreshedSince(moment time.Time) bool {
	for _, rows := range p.calls() {
		if lastRefresh(rows).Before(moment) {
			return false
		}
	}
	return true
}

// hangUp has each phone hang up, and counts the calls that their nodes do not know.
func (p *phones) hangUp() (unknown int) {
	p.t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for id, rows := range p.calls() {
		phone, err := net.ResolveUDPAddr("udp", rows[0].addr)
		if err != nil {
			p.t.Fatal(err)
		}
		info := []string{"INFO sip:phone@" + rows[0].addr + " SIP/2.0", "Via: SIP/2.0/UDP " + conn.LocalAddr().String() + ";branch=z9hG4bK" + id,
			"From: <sip:test@127.0.0.1>;tag=1", "To: <sip:phone@127.0.0.1>", "Call-ID: " + id, "CSeq: 1 INFO", "Content-Length: 0", "", ""}
		if _, err := conn.WriteTo([]byte(strings.Join(info, "\r\n")), phone); err != nil {
			p.t.Fatal(err)
		}
	}
	eventually(p.t, "all phones have hung up", func() bool { return p.count("end") == p.n })
	return p.count("unknown")
}
