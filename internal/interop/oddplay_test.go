//go:build interop

package interop

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/program"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// TestSIPpOddities plays them over UDP and TCP.
func TestSIPpOddities(t *testing.T) {
	t.Parallel()
	need(t, "sipp")
	for _, transport := range []string{"udp", "tcp"} {
		for _, o := range oddities {
			t.Run(transport+"/"+o.name, func(t *testing.T) {
				t.Parallel()
				o.play(t, transport)
			})
		}
	}
}

// oddSlots keeps the machine calm: SIPp gives up at a retransmission that it does
// not expect.
var oddSlots = make(chan struct{}, 12)

func (o oddity) play(t *testing.T, transport string) {
	oddSlots <- struct{}{}
	defer func() { <-oddSlots }()
	up := takeOff(t)
	w := newWire(t)
	subjectPort, peerPort := freePort(t), freePort(t)
	relay := newRelay(t, w, transport, loopback(subjectPort), loopback(peerPort))
	flags := append(strings.Fields(o.flags), "-transport", transport)
	x := newScript(o.subject == "uac")
	o.script(x)
	var s *subject
	var p *program.Program
	if x.callee {
		p = runSIPp(t, transport, "", peerPort, "", x.xml())
		awaitListener(t, transport, peerPort)
		s = startSubject(t, o.subject, loopback(subjectPort), append(flags, "-to", "sip:peer@"+relay.near)...)
	} else {
		s = startSubject(t, o.subject, loopback(subjectPort), flags...)
		p = runSIPp(t, transport, "", peerPort, relay.far, x.xml())
	}
	w.await(t, "a first message", 10*time.Second, func(msgs []sipnet.Message) bool { return len(msgs) > 0 })
	up()
	p.Exits(0, 30*time.Second)
	s.leaveWith(o.status)
	sipnet.CheckCSeq(t, w.messages())
	if transport == "tcp" && o.wantTCP != "" {
		o.want, o.at = o.wantTCP, nil
	}
	o.compare(t, w.messages())
	record(t, scene{peer: sipp, subject: o.subject, transport: transport, title: o.name}, "", w)
}

// compare checks what passed, line by line.
func (o oddity) compare(t *testing.T, msgs []sipnet.Message) {
	t.Helper()
	lines, times := plainRows(msgs)
	if got, want := strings.Join(lines, "\n"), strings.TrimSpace(o.want); got != want {
		t.Errorf("seen:\n%s\nwant:\n%s", got, want)
		return
	}
	call := setUp(msgs)
	for i, seconds := range o.at {
		var want float64
		_, _ = fmt.Sscan(seconds, &want)
		if got := (times[i] - call.answered).Seconds(); got < want-early.Seconds() || got > want+slack.Seconds() {
			t.Errorf("%q came %.2f s after the call was up, want %s s", lines[i], got, seconds)
		}
	}
}

// plainRows are the messages in words, each once, without what only confirms.
func plainRows(msgs []sipnet.Message) (rows []string, times []time.Duration) {
	seen := make(map[string]bool)
	for _, m := range msgs {
		if m.SIP == nil {
			rows, times = append(rows, m.From+" unreadable"), append(times, m.At)
			continue
		}
		label := sipnet.Label(m.SIP)
		branch, _ := m.SIP.Via().Params.Get("branch")
		key := m.From + label + branch
		res, response := m.SIP.(*sip.Response)
		boring := label == "ACK" || response && (res.IsProvisional() || res.CSeq().MethodName == sip.BYE)
		if boring || seen[key] {
			continue
		}
		seen[key] = true
		row := m.From + " " + label
		if response {
			row = fmt.Sprintf("%s %d %s", m.From, res.StatusCode, res.Reason)
		}
		if timers := sipnet.Timers(m.SIP); timers != "" {
			row += " | " + timers
		}
		rows, times = append(rows, row), append(times, m.At)
	}
	return rows, times
}
