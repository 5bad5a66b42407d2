package middleware_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
	"pgregory.net/rapid"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// scenario is one random call: the policies, the network, the requests of the
// applications, and the end.
type scenario struct {
	policies [2]policy // alice's, bob's
	loss     int       // percent
	delay    time.Duration
	seed     uint64
	acts     []act
	length   time.Duration
	end      int // BYE of alice, BYE of bob, silence of alice, silence of bob
}

type policy struct {
	mode      sessiontimer.Mode
	interval  time.Duration
	minSE     time.Duration
	refresher sessiontimer.Refresher
	method    sessiontimer.Method
}

func (p policy) options() []middleware.Option {
	return []middleware.Option{middleware.WithMode(p.mode), middleware.WithSessionExpires(p.interval), middleware.WithMinSE(p.minSE),
		middleware.WithRefresher(p.refresher), middleware.WithMethod(p.method)}
}

// act is a request of an application, after a pause.
type act struct {
	pause  time.Duration
	who    int
	method sip.RequestMethod
}

func drawScenario(t *rapid.T) scenario {
	s := scenario{
		loss:   rapid.SampledFrom([]int{0, 10, 25}).Draw(t, "loss"),
		delay:  time.Duration(rapid.IntRange(0, 200).Draw(t, "delay")) * time.Millisecond,
		seed:   rapid.Uint64().Draw(t, "seed"),
		length: time.Duration(rapid.IntRange(1, 7200).Draw(t, "length")) * time.Second,
		end:    rapid.IntRange(0, 3).Draw(t, "end"),
	}
	for i := range s.policies {
		minSE := rapid.SampledFrom([]int{90, 91, 300, 1800}).Draw(t, "Min-SE")
		s.policies[i] = policy{
			mode:      rapid.SampledFrom([]sessiontimer.Mode{sessiontimer.Accept, sessiontimer.Offer, sessiontimer.Require, sessiontimer.Always}).Draw(t, "mode"),
			interval:  time.Duration(rapid.IntRange(minSE, 2000).Draw(t, "interval")) * time.Second,
			minSE:     time.Duration(minSE) * time.Second,
			refresher: sessiontimer.Refresher(rapid.IntRange(0, 2).Draw(t, "refresher")),
			method:    sessiontimer.Method(rapid.IntRange(0, 2).Draw(t, "method")),
		}
	}
	for range rapid.IntRange(0, 12).Draw(t, "acts") {
		// Every other act is at about the time of a refresh.
		half := int(s.policies[rapid.IntRange(0, 1).Draw(t, "whose")].interval.Milliseconds() / 2)
		pause := rapid.OneOf(rapid.IntRange(0, 1_000_000), rapid.IntRange(half-500, half+500))
		s.acts = append(s.acts, act{
			pause:  time.Duration(pause.Draw(t, "pause")) * time.Millisecond,
			who:    rapid.IntRange(0, 1).Draw(t, "who"),
			method: rapid.SampledFrom([]sip.RequestMethod{sip.INVITE, sip.INFO, sip.UPDATE}).Draw(t, "request"),
		})
	}
	return s
}

// Whatever the policies of two user agents, the network and the applications do: one side
// refreshes, in time and not too often; no side hangs up early; the messages on the wire
// are allowed; and nothing is left behind.
func TestPropertyCalls(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawScenario(rt)
		var found *findings
		bubble.Test(t, func(t *testing.T) { found = s.play(t) })
		if len(found.wrong) > 0 {
			rt.Fatalf("%+v:\n%s\nthe wire:\n%s", s, strings.Join(found.wrong, "\n"), strings.Join(sipnet.Rows(names, found.wire), "\n"))
		}
	})
}

// fromApplication marks the requests of the applications.
const fromApplication = "X-Application"

func (s scenario) play(t *testing.T) *findings {
	n, f := sipnet.New(), new(findings)
	alice := sipua.New(t, n, "alice", aliceAddr, "udp", s.policies[0].options()...)
	bob := sipua.New(t, n, "bob", bobAddr, "udp", s.policies[1].options()...)
	n.SetFilter(s.weather())
	call, err := alice.Try(bob)
	if err != nil {
		f.Errorf("the call fails: %v", err)
	} else {
		begun := n.Elapsed()
		for _, a := range s.acts {
			if begun+s.length < n.Elapsed()+a.pause || call.LoadState() == sip.DialogStateEnded {
				break
			}
			time.Sleep(a.pause)
			if a.who == 0 {
				f.send(alice, call, bobAddr, a.method)
			} else {
				f.send(bob, bob.Answered(), aliceAddr, a.method)
			}
		}
		time.Sleep(max(0, begun+s.length-n.Elapsed()))
		if call.LoadState() == sip.DialogStateEnded || bob.Answered().LoadState() == sip.DialogStateEnded {
			f.Errorf("the call ended before %v", n.Elapsed())
		}
		f.ended = n.Elapsed()
		s.finish(n, f, call, bob.Answered())
	}
	// A silent peer is detected within an interval.
	time.Sleep(2*time.Hour + 64*sip.T1)
	synctest.Wait()
	for _, u := range []*sipua.UA{alice, bob} {
		legs, watched, stored := u.Timers.Left()
		if left := legs + watched + stored; left > 0 && f.timer(n.Messages()) {
			f.Errorf("%s holds %d legs, %d schedules, %d dialogs after the end", u.Name, legs, watched, stored)
		}
	}
	sipua.Stop(n, alice, bob)
	f.wire = n.Messages()
	f.check()
	return f
}

// weather loses, duplicates and delays the packets that may be lost.
func (s scenario) weather() func(sipnet.Packet) sipnet.Verdict {
	random := rand.New(rand.NewPCG(s.seed, 1))
	lost := make(map[string]int)
	return func(p sipnet.Packet) sipnet.Verdict {
		v := sipnet.Verdict{Delay: 10*time.Millisecond + time.Duration(random.Int64N(int64(s.delay)+1))}
		msg, err := sip.ParseMessage(p.Data)
		if err != nil {
			return v
		}
		// sipgo's transactions wait for these without end.
		label := sipnet.Label(msg)
		if res, ok := msg.(*sip.Response); label == "ACK" || ok && res.StatusCode >= 300 {
			return v
		}
		key := label + msg.Via().Params.GetOr("branch", "")
		if v.Drop = random.IntN(100) < s.loss && lost[key] < 3; v.Drop {
			lost[key]++
		}
		v.Duplicate = random.IntN(10) == 0
		return v
	}
}

// send sends a request of an application, which may be refused only if it crosses another.
func (f *findings) send(u *sipua.UA, d sipua.Dialog, to string, method sip.RequestMethod) {
	h, p, _ := sip.ParseAddr(to)
	uri := sip.Uri{Scheme: "sip", Host: h, Port: p}
	req := sip.NewRequest(method, uri)
	req.AppendHeader(sip.NewHeader(fromApplication, "yes"))
	if method == sip.INVITE {
		req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		req.SetBody([]byte(hold))
	}
	res, err := d.Do(context.Background(), req)
	switch {
	case err != nil:
		f.Errorf("%s of %s: %v", method, u.Name, err)
	case res.IsSuccess() && method == sip.INVITE:
		_ = d.WriteRequest(sip.NewRequest(sip.ACK, uri))
	case !res.IsSuccess() && res.StatusCode != sip.StatusRequestPending:
		f.Errorf("%s of %s gets %s", method, u.Name, res.StartLine())
	}
}

func (s scenario) finish(n *sipnet.Network, f *findings, call, answered dialog) {
	n.SetFilter(nil)
	switch s.end {
	case 0, 1:
		if err := []dialog{call, answered}[s.end].Bye(context.Background()); err != nil {
			f.Errorf("BYE of %s: %v", []string{"alice", "bob"}[s.end], err)
		}
	default:
		n.Silence([]string{aliceAddr, bobAddr}[s.end-2])
	}
}

// findings collects what is wrong with a call.
type findings struct {
	wrong []string
	wire  []sipnet.Message
	ended time.Duration
}

func (*findings) Helper() {}

// Errorf implements sipnet.Reporter.
func (f *findings) Errorf(format string, args ...any) {
	f.wrong = append(f.wrong, fmt.Sprintf(format, args...))
}
