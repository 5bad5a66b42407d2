package middleware_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// J-13, J-15, J-21: two applications send random requests at random times for three hours,
// over a network that loses and reorders. No number is wrong, no request is refused except
// for glare of two holds, and the call lives.
func TestRandomRequests(t *testing.T) {
	for seed := range uint64(24) {
		transport := []string{"udp", "tcp"}[seed%2]
		t.Run(fmt.Sprintf("%s, seed %d", transport, seed), func(t *testing.T) {
			inLab(t, func(l *lab) { randomCall(l, transport, seed) })
		})
	}
}

func randomCall(l *lab, transport string, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	options := func() []middleware.Option {
		return []middleware.Option{
			middleware.WithSessionExpires(5 * time.Minute),
			middleware.WithMethod(sessiontimer.Method(random.IntN(3))),
			middleware.WithRefresher(sessiontimer.Refresher(random.IntN(3))),
		}
	}
	alice, bob := l.pair(transport, options(), options())
	network := rand.New(rand.NewPCG(seed, 1))
	l.net.SetFilter(func(p sipnet.Packet) sipnet.Verdict {
		start := string(p.Data[:min(len(p.Data), 11)])
		// After lost ACKs and refusals sipgo would wait in a way that stops the
		// time of a bubble.
		safe := transport == "tcp" || strings.HasPrefix(start, "ACK") || strings.HasPrefix(start, "SIP/2.0 4")
		return sipnet.Verdict{Drop: !safe && network.IntN(10) == 0, Delay: time.Duration(20+network.IntN(5)) * time.Millisecond}
	})
	call := alice.Call(bob)
	end := time.Now().Add(3 * time.Hour)
	done := make(chan struct{}, 2)
	go func() { sendAnything(l, alice, call, bobAddr, rand.New(rand.NewPCG(seed, 2)), end); done <- struct{}{} }()
	go func() {
		sendAnything(l, bob, bob.Answered(), aliceAddr, rand.New(rand.NewPCG(seed, 3)), end)
		done <- struct{}{}
	}()
	<-done
	<-done
	l.net.SetFilter(nil)
	l.wantAlive("alice", call)
	l.wantAlive("bob", bob.Answered())
	time.Sleep(64*sip.T1 + time.Second)
}

// sendAnything sends requests within the call until the end.
func sendAnything(l *lab, u *sipua.UA, d sipua.Dialog, to string, random *rand.Rand, end time.Time) {
	for version := 2; ; version++ {
		time.Sleep(time.Duration(random.IntN(300_000)) * time.Millisecond)
		if time.Now().After(end) {
			return
		}
		method, body := sip.INFO, ""
		switch random.IntN(3) {
		case 0:
			method = sip.UPDATE
		case 1:
			method, body = sip.INVITE, sipua.SDP(u.Name, fmt.Sprint(version))
		}
		res, err := u.Send(d, to, method, body)
		glare := err == nil && method == sip.INVITE && res.StatusCode == sip.StatusRequestPending
		if err != nil || !res.IsSuccess() && !glare {
			l.Errorf("%v: %s of %s gets %v %v, should be accepted", l.net.Elapsed(), method, u.Name, res, err)
		}
	}
}
