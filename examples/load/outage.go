package main

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
)

// line is the calling side's socket. It shows what is written to it, and while it
// is down that and all that arrives is lost.
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

// loseAll lets the line be down in the middle of the measured time.
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

// overdue is how long after it was due a refresh is answered at the latest, if
// the line is down for the outage: sipgo sends again after T1, twice that and so
// on, and what -limit held back comes after those.
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

// patience is how long after a refresh was due nobody ends the call for want of
// it: sipgo gives a request up after 32 s, the other end gives up a margin before
// the session expires, and a stub that answers never does.
func (p plan) patience() time.Duration {
	left := p.interval / 2
	if !p.stubbed {
		left -= sessiontimer.Margin(p.interval)
	}
	return min(left, 64*sip.T1)
}
