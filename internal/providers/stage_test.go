package providers

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

const (
	usAddr   = "10.0.0.1:5060"
	edgeAddr = "10.0.0.9:5060"
)

var stageNames = map[string]string{usAddr: "we", edgeAddr: "it"}

// stage is one call between a user agent and a provider in a bubble.
type stage struct {
	*testing.T
	*provider
	net       *sipnet.Network
	transport string
	us        *sipua.UA
	call      interface {
		LoadState() sip.DialogState
		Context() context.Context
		Bye(context.Context) error
	}
	up time.Duration // when the call was
}

// onStage makes the call, in the direction given, and lets f play on. It returns
// what was seen.
func onStage(t *testing.T, p *profile, weCall bool, opts []middleware.Option, f func(*stage)) (seen string) {
	bubble.Test(t, func(t *testing.T) {
		s := newStage(t, p, weCall, opts)
		defer func() {
			synctest.Wait()
			sipua.Stop(s.net, s.us)
			sipnet.CheckCSeq(t, s.net.Messages())
			if t.Failed() {
				t.Log("the wire:\n" + strings.Join(sipnet.Rows(stageNames, s.net.Messages()), "\n"))
			}
			seen = s.seen()
		}()
		if weCall {
			s.weCall()
		} else {
			s.itCalls()
		}
		if !t.Failed() {
			f(s)
		}
	})
	return seen
}

// newStage has both, but no call yet.
func newStage(t *testing.T, p *profile, weCall bool, opts []middleware.Option) *stage {
	s := &stage{T: t, net: sipnet.New(), transport: cmp.Or(p.over, "udp")}
	s.us = sipua.New(t, s.net, "us", usAddr, s.transport, append(append([]middleware.Option{}, p.opts...), opts...)...)
	s.us.Password = "secret"
	var peer *sipnet.Peer
	if s.transport == "udp" {
		peer = s.net.Peer(edgeAddr)
	} else {
		peer = s.net.StreamPeer(edgeAddr, usAddr, strings.ToUpper(s.transport))
		synctest.Wait()
	}
	s.provider = newProvider(t, p, peer, s.net, weCall)
	return s
}

func (s *stage) weCall() {
	uri := sip.Uri{Scheme: "sip", User: "them", Host: "10.0.0.9", Port: 5060}
	if s.transport != "udp" {
		uri.UriParams = sip.NewParams()
		uri.UriParams.Add("transport", s.transport)
	}
	type result struct {
		d   *sipgo.DialogClientSession
		err error
	}
	done := make(chan result, 1)
	go func() {
		d, err := s.us.TryURI(context.Background(), uri)
		done <- result{d, err}
	}()
	s.answer()
	r := <-done
	if r.err != nil {
		s.Fatalf("the call fails: %v", r.err)
	}
	synctest.Wait()
	s.call, s.up = r.d, s.net.Elapsed()
}

func (s *stage) itCalls() {
	s.invite(s.uri())
	synctest.Wait()
	s.call, s.up = s.us.Answered(), s.net.Elapsed()
}

// uri is ours.
func (s *stage) uri() string {
	if s.transport == "udp" {
		return "sip:us@" + usAddr
	}
	return "sip:us@" + usAddr + ";transport=" + s.transport
}

// interval is how long one of the call lasts: the agreed one, or half an hour.
func (s *stage) interval() time.Duration {
	if s.session.interval > 0 {
		return s.session.interval
	}
	return 30 * time.Minute
}

func (s *stage) wantAlive() {
	s.Helper()
	if state := s.call.LoadState(); state != sip.DialogStateConfirmed || s.call.Context().Err() != nil {
		s.Errorf("the dialog is in state %v, context %v; want it alive", state, s.call.Context().Err())
	}
}

func (s *stage) wantEnded() {
	s.Helper()
	synctest.Wait()
	if state := s.call.LoadState(); state != sip.DialogStateEnded || s.call.Context().Err() == nil {
		s.Errorf("the dialog is in state %v, context %v; want it ended", state, s.call.Context().Err())
	}
}

// seen is what passed since the call was up, each request once.
func (s *stage) seen() string {
	var out []string
	last := -1
	kinds := make([]string, 0, 4)
	branches := make(map[string]bool)
	for _, m := range s.net.Messages() {
		req, ok := m.SIP.(*sip.Request)
		branch := m.SIP.Via().Params.GetOr("branch", "")
		if !ok || req.IsAck() || m.At < s.up || m.At == 0 || branches[string(req.Method)+branch] {
			continue
		}
		branches[string(req.Method)+branch] = true
		kind, at := stageNames[m.From]+": "+string(req.Method), (m.At - s.up).Seconds()
		if last >= 0 && kinds[last] == kind {
			out[last] += fmt.Sprintf(", %v", at)
			continue
		}
		kinds, out, last = append(kinds, kind), append(out, fmt.Sprintf("%s at %v", kind, at)), last+1
	}
	for i := range out {
		out[i] += " s"
	}
	if len(out) == 0 {
		return s.agreed + "; nothing more"
	}
	return s.agreed + "; " + strings.Join(out, "; ")
}
