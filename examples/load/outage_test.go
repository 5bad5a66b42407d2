package main

import (
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
)

// runOutage is a run whose calls outlive the outage.
func runOutage(t *testing.T, args string) outcome {
	t.Helper()
	o := runLoad(t, args)
	if o.status != 0 || o.row(t, "calls dropped") != 0 || o.row(t, "refreshes failed") != 0 || strings.Contains(o.stderr, "may end calls") {
		t.Errorf("status %d, dropped or failed:\n%s%s", o.status, o.stdout, o.stderr)
	}
	return o
}

// outage is what its row says.
func (o outcome) outage(t *testing.T) (unanswered, busiest int) {
	t.Helper()
	m := regexp.MustCompile(`(?m)^outage .*; ([0-9]+) refreshes unanswered at most, ([0-9]+) in the busiest second after it; -limit is [0-9,]+$`).FindStringSubmatch(o.stdout)
	if m == nil {
		t.Fatalf("no row of the outage:\n%s", o.stdout)
	}
	unanswered, _ = strconv.Atoi(m[1])
	busiest, _ = strconv.Atoi(m[2])
	return unanswered, busiest
}

// No call is dropped, however it is refreshed.
func TestOutage(t *testing.T) {
	for name, more := range map[string]string{"UPDATE": "", "re-INVITE": " -method invite"} {
		t.Run(name, func(t *testing.T) {
			o := runOutage(t, "-calls 100 -burst 2s -session-expires 10s -hold 6s -outage 400ms"+more)
			if unanswered, busiest := o.outage(t); unanswered < 10 || busiest < 10 {
				t.Errorf("%d unanswered, %d in the busiest second, want 10 or more:\n%s", unanswered, busiest, o.stdout)
			}
		})
	}
}

// More is due during the outage than may start. What waits for its end is neither a
// storm nor a goroutine for each call. Goroutines are those of the whole process,
// so that no other test may run meanwhile.
func TestOutageIsBounded(t *testing.T) {
	const limit = 150
	o := runOutage(t, "-calls 1000 -rate 100 -hold 5s -outage 2s -limit 150 -stub yes")
	unanswered, busiest := o.outage(t)
	// An answer is counted a little after it has made room for the next.
	if unanswered < limit/2 || unanswered > limit*5/4 || busiest < limit/2 || busiest > limit*5/4 {
		t.Errorf("%d unanswered, %d in the busiest second, want about %d:\n%s", unanswered, busiest, limit, o.stdout)
	}
	if got := o.row(t, "goroutines"); got > limit+100 {
		t.Errorf("%d goroutines, want about %d", got, limit)
	}
}

// What is sent while the line is down counts as sent, from when it was due.
func TestSentWhileDown(t *testing.T) {
	inMemory(t, func(listen func() (net.PacketConn, error)) {
		far, _ := listen()
		near, _ := listen()
		late := newLateness(1)
		l := &line{PacketConn: near, sent: late.sent}
		late.expect(0, time.Now().Add(-time.Second))
		update := []byte("UPDATE sip:b SIP/2.0\r\nVia: x\r\nCall-ID: load-0\r\n\r\n")
		for _, down := range []bool{true, true, false} { // at first, and again
			l.down.Store(down)
			if n, err := l.WriteTo(update, far.LocalAddr()); n != len(update) || err != nil {
				t.Errorf("down: %v, the line takes %d bytes, %v", down, n, err)
			}
		}
		if sent := late.sample(); len(sent) != 1 || sent[0] != time.Second {
			t.Errorf("sent %v late, want once, by a second", sent)
		}
		for _, want := range []int{len(update), 0} {
			_ = far.SetReadDeadline(time.Now().Add(time.Second))
			if n, _, _ := far.ReadFrom(make([]byte, 100)); n != want {
				t.Errorf("the other end got %d bytes, want %d", n, want)
			}
		}
	})
}

// recovering is a connection whose line is up again when it is read a second time.
type recovering struct {
	net.PacketConn
	line *line
	read bool
}

func (c *recovering) ReadFrom(b []byte) (int, net.Addr, error) {
	c.line.down.Store(!c.read)
	if !c.read {
		c.read = true
		return copy(b, "lost"), nil, nil
	}
	return copy(b, "heard"), nil, nil
}

func TestReadWhileDown(t *testing.T) {
	l := new(line)
	l.PacketConn = &recovering{line: l}
	buf := make([]byte, 10)
	if n, _, _ := l.ReadFrom(buf); string(buf[:n]) != "heard" {
		t.Errorf("read %q, want only what came after the outage", buf[:n])
	}
}

func TestPatience(t *testing.T) {
	for _, c := range []struct {
		cfg      config
		interval time.Duration
		stubbed  bool
		overdue  time.Duration
		patience time.Duration
	}{
		{config{calls: 1, limit: 5000, outage: time.Second}, 10 * time.Second, false, 3 * sip.T1, 5*time.Second - sessiontimer.Margin(10*time.Second)},
		{config{calls: 1, limit: 5000, outage: 9 * time.Second}, 10 * time.Second, true, 23 * sip.T1, 5 * time.Second},
		{config{calls: 1, limit: 5000, outage: 9 * time.Second, method: sessiontimer.MethodReInvite}, time.Hour, true, 31 * sip.T1, 64 * sip.T1},
		{config{calls: 10_000, limit: 1000, outage: time.Second}, 10 * time.Second, false, 3*sip.T1 + 2*time.Second, 5*time.Second - sessiontimer.Margin(10*time.Second)},
		{config{calls: 1, limit: 5000}, 10 * time.Second, true, 0, 5 * time.Second},
	} {
		p := plan{config: &c.cfg, interval: c.interval, stubbed: c.stubbed}
		if got := p.overdue().Round(100 * time.Millisecond); got != c.overdue || p.patience() != c.patience {
			t.Errorf("%+v: overdue by %v of %v, want %v of %v", c, got, p.patience(), c.overdue, c.patience)
		}
	}
}

func TestMisuse(t *testing.T) {
	for args, want := range map[string]string{
		"-outage 20s":           "-outage 20s must be shorter than -hold, which is 20s",
		"-hold 5s -outage 9s":   "-outage 9s must be shorter than -hold, which is 5s",
		"-limit 9":              "-limit must be 10 or more",
		"-jitter 0.6":           "-jitter 0.5 or less",
		"-session-expires 1.5s": "SessionExpires is 1.5s",
		"-calls 0":              "-calls, -rate and -hold must be more than 0",
	} {
		if o := runLoad(t, args); o.status != 2 || !strings.Contains(o.stderr, want) {
			t.Errorf("%s: status %d, %s, want 2 and %q", args, o.status, o.stderr, want)
		}
	}
}
