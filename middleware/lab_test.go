// The tests of this package are black-box and named after their theme; what they share
// is in the files lab_*. An id such as F-24 is a rule: row 24 of group F in
// docs/conformance.md.

package middleware_test

import (
	"context"
	"fmt"
	"slices"
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
	aliceAddr = "10.0.0.1:5060"
	bobAddr   = "10.0.0.2:5060"
	peerAddr  = "10.0.0.9:5060"
)

var names = map[string]string{aliceAddr: "alice", bobAddr: "bob", peerAddr: "peer"}

// lab is one bubble: a network, the user agents on it, and a check at the end
// that every CSeq on the wire was right.
type lab struct {
	*testing.T
	net *sipnet.Network
	uas []*sipua.UA

	badPeer bool   // the scripted peer numbers its requests wrongly
	behind  string // whose calls another node has numbered on
}

// inLab runs f in a bubble. A goroutine that f leaves behind fails the test.
func inLab(t *testing.T, f func(l *lab)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		l := &lab{T: t, net: sipnet.New()}
		defer func() {
			synctest.Wait()
			sipua.Stop(l.net, l.uas...)
			sipnet.CheckCSeq(t, slices.DeleteFunc(l.net.Messages(), func(m sipnet.Message) bool {
				return l.badPeer && m.From == peerAddr || m.From == l.behind
			}))
			if t.Failed() {
				t.Log("the wire:\n" + strings.Join(sipnet.Rows(names, l.net.Messages()), "\n"))
			}
		}()
		f(l)
	})
}

func (l *lab) ua(name, addr string, opts ...middleware.Option) *sipua.UA {
	u := sipua.New(l.T, l.net, name, addr, "udp", opts...)
	l.uas = append(l.uas, u)
	return u
}

func (l *lab) alice(opts ...middleware.Option) *sipua.UA { return l.ua("alice", aliceAddr, opts...) }
func (l *lab) bob(opts ...middleware.Option) *sipua.UA   { return l.ua("bob", bobAddr, opts...) }

// peer is a scripted endpoint that answers nothing by itself.
func (l *lab) peer() *sipnet.Peer { return l.net.Peer(peerAddr) }

var peerURI = sip.Uri{Scheme: "sip", User: "peer", Host: "10.0.0.9", Port: 5060}

// callPeer has u call the scripted peer, who answers 200 with the given headers.
func (l *lab) callPeer(u *sipua.UA, p *sipnet.Peer, headers ...string) *sipgo.DialogClientSession {
	l.Helper()
	type result struct {
		d   *sipgo.DialogClientSession
		err error
	}
	done := make(chan result, 1)
	go func() {
		d, err := u.TryURI(context.Background(), peerURI)
		done <- result{d, err}
	}()
	p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", headers...)
	p.ExpectRequest(l, sip.ACK)
	r := <-done
	if r.err != nil {
		l.Fatalf("%s calls the peer: %v", u.Name, r.err)
	}
	synctest.Wait()
	return r.d
}

// peerCalls has the scripted peer call u with the given headers.
func (l *lab) peerCalls(p *sipnet.Peer, u *sipua.UA, headers ...string) (*sipgo.DialogServerSession, *sip.Response) {
	l.Helper()
	p.Invite(u.Addr, headers...)
	res := p.ExpectResponse(l, 200)
	p.Ack(res)
	synctest.Wait()
	return u.Answered(), res
}

// at waits until the given time since the network began.
func (l *lab) at(d time.Duration) {
	l.Helper()
	if d < l.net.Elapsed() {
		l.Fatalf("it is %v already, want to wait for %v", l.net.Elapsed(), d)
	}
	time.Sleep(d - l.net.Elapsed())
	synctest.Wait()
}

// rows are the messages on the wire since the given time, ACKs left out and
// retransmissions too.
func (l *lab) rows(since time.Duration) []string {
	var msgs []sipnet.Message
	seen := make(map[string]bool)
	for _, m := range l.net.Messages() {
		key := m.From + sipnet.Label(m.SIP) + m.SIP.Via().Params.GetOr("branch", "")
		if m.At < since || seen[key] || sipnet.Label(m.SIP) == "ACK" {
			continue
		}
		seen[key] = true
		msgs = append(msgs, m)
	}
	return sipnet.Rows(names, msgs)
}

// count is how many messages with the label were sent from addr, each
// retransmission counted.
func (l *lab) count(addr, label string) int {
	n := 0
	for _, m := range l.net.Messages() {
		if m.From == addr && sipnet.Label(m.SIP) == label {
			n++
		}
	}
	return n
}

// sent are the times at which addr sent requests of the method.
func (l *lab) sent(addr string, method sip.RequestMethod) []time.Duration {
	var at []time.Duration
	seen := make(map[string]bool)
	for _, m := range l.net.Messages() {
		branch := m.SIP.Via().Params.GetOr("branch", "")
		if m.From == addr && sipnet.Label(m.SIP) == string(method) && !seen[branch] {
			seen[branch] = true
			at = append(at, m.At)
		}
	}
	return at
}

func (l *lab) wantSent(addr string, method sip.RequestMethod, want ...time.Duration) {
	l.Helper()
	if got := l.sent(addr, method); !slices.Equal(got, want) {
		l.Errorf("%s sent %s at %v, want %v", names[addr], method, got, want)
	}
}

// wantNothingLeft checks that a user agent holds nothing of its calls once the
// transactions that may refer to them are over.
func (l *lab) wantNothingLeft(us ...*sipua.UA) {
	l.Helper()
	time.Sleep(64*sip.T1 + 6*time.Second)
	synctest.Wait()
	for _, u := range us {
		if legs, watched, stored := u.Timers.Left(); legs+watched+stored != 0 {
			l.Errorf("64*T1 after its calls %s holds %d legs, %d schedules, %d stored dialogs, want none", u.Name, legs, watched, stored)
		}
	}
}

// dialog is what the tests ask of both kinds of sipgo's dialog sessions.
type dialog interface {
	LoadState() sip.DialogState
	Context() context.Context
	Bye(context.Context) error
}

// wantEnded checks that the application sees its dialog as ended.
func (l *lab) wantEnded(who string, d dialog) {
	l.Helper()
	synctest.Wait() // sipgo answers a BYE before it notes the end
	if s := d.LoadState(); s != sip.DialogStateEnded {
		l.Errorf("the dialog of %s is in state %v, want Ended", who, s)
	}
	if d.Context().Err() == nil {
		l.Errorf("the context of %s's dialog goes on, want it cancelled", who)
	}
	if err := d.Bye(context.Background()); err != nil {
		l.Errorf("Bye of %s on the ended dialog: %v, want nil", who, err)
	}
}

func (l *lab) wantAlive(who string, d dialog) {
	l.Helper()
	if s := d.LoadState(); s != sip.DialogStateConfirmed || d.Context().Err() != nil {
		l.Errorf("the dialog of %s is in state %v, context %v; want it alive", who, s, d.Context().Err())
	}
}

// events are the names of a user agent's events.
func events(u *sipua.UA) []string {
	var out []string
	for _, e := range u.Events() {
		name := fmt.Sprintf("%T", e.Event)
		out = append(out, name[strings.LastIndexByte(name, '.')+1:])
	}
	return out
}

// field is a header field of m, empty if there is none.
func field(m sip.Message, name string) string {
	for _, h := range m.GetHeaders(name) {
		return h.Value()
	}
	return ""
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

var bobURI = sip.Uri{Scheme: "sip", User: "bob", Host: "10.0.0.2", Port: 5060}

// hold is a session description other than those that user agents begin with.
var hold = strings.ReplaceAll(sipua.SDP("hold", "2"), "a=sendrecv", "a=sendonly")

// pair makes two user agents that reach each other over the transport.
func (l *lab) pair(transport string, forAlice, forBob []middleware.Option) (alice, bob *sipua.UA) {
	alice = sipua.New(l.T, l.net, "alice", aliceAddr, transport, forAlice...)
	bob = sipua.New(l.T, l.net, "bob", bobAddr, transport, forBob...)
	l.uas = append(l.uas, alice, bob)
	if transport == "tcp" {
		l.net.ConnectTCP(aliceAddr, bobAddr)
		synctest.Wait()
	}
	return alice, bob
}

// requests are the recorded requests of the method that addr sent,
// retransmissions left out.
func (l *lab) requests(addr, method string) []sipnet.Message {
	var out []sipnet.Message
	seen := make(map[string]bool)
	for _, m := range l.net.Messages() {
		branch := m.SIP.Via().Params.GetOr("branch", "")
		if m.From == addr && sipnet.Label(m.SIP) == method && !seen[branch] {
			seen[branch] = true
			out = append(out, m)
		}
	}
	return out
}
