package main

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
)

// line is the calling side's socket. It reports what is written to it. While it is down,
// everything written or received is lost.
type line struct {
	net.PacketConn
	sent func(data []byte)
	down atomic.Bool
}

func (l *line) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := l.PacketConn.ReadFrom(b)
		if err != nil || !l.down.Load() {
			return n, from, err
		}
	}
}

func (l *line) WriteTo(b []byte, to net.Addr) (int, error) {
	l.sent(b)
	if l.down.Load() {
		return len(b), nil
	}
	return l.PacketConn.WriteTo(b, to)
}

// loseAll takes the line down in the middle of the measurement.
func (l *load) loseAll(ctx context.Context, r *report) {
	fall := time.Now().Add((l.plan.hold - l.outage) / 2)
	if sleepUntil(ctx, fall) != nil {
		return
	}
	l.cmd.Say("the network is down for %v", l.outage)
	l.line.down.Store(true)
	_ = sleepUntil(ctx, fall.Add(l.outage))
	l.line.down.Store(false)
	r.recovered = time.Since(l.began)
	l.cmd.Say("the network is up again")
}

// overdue returns how long after its due time a refresh is answered at the latest if the
// line is down for the outage: sipgo retransmits after T1, twice that and so on, and the
// refreshes that -limit held back follow.
func (p plan) overdue() time.Duration {
	again, pause := time.Duration(0), sip.T1
	for again < p.outage {
		again += pause
		pause *= 2
		if p.method != sessiontimer.MethodReInvite {
			pause = min(pause, sip.T2)
		}
	}
	due := float64(p.calls) * p.outage.Seconds() / (p.interval / 2).Seconds()
	return again + time.Duration(due/float64(p.limit)*float64(time.Second))
}

// patience returns how long after its due time a refresh may be answered before its call is
// ended. sipgo gives up a request after 32 s, and the other end hangs up a margin before the
// session expires, unless it is a stub.
func (p plan) patience() time.Duration {
	left := p.interval / 2
	if !p.stubbed {
		left -= sessiontimer.Margin(p.interval)
	}
	return min(left, 64*sip.T1)
}
