package middleware_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// largest is the largest datagram that sipgo sends.
const largest = 1300

// numbered makes messages the same length each time: sipgo starts at a random number.
func numbered() sip.Header { return &sip.CSeqHeader{SeqNo: 1000, MethodName: sip.INVITE} }

// wires are messages of the application, padded with a header field. Each returns what was
// sent, nil if sipgo refused to.
var wires = []struct {
	name string
	send func(l *lab, mode middleware.Option, own []sip.Header) *sipnet.Message
}{
	{"INVITE", func(l *lab, mode middleware.Option, own []sip.Header) *sipnet.Message {
		alice, p := l.alice(mode), l.peer()
		go func() { _, _ = alice.TryURI(context.Background(), peerURI, append(own, numbered())...) }()
		synctest.Wait()
		return l.answered(p, aliceAddr, sip.INVITE)
	}},
	{"INVITE after a challenge", func(l *lab, mode middleware.Option, own []sip.Header) *sipnet.Message {
		alice, p := l.alice(mode), l.peer()
		alice.Password = "secret"
		go func() { _, _ = alice.TryURI(context.Background(), peerURI, append(own, numbered())...) }()
		synctest.Wait()
		msg, ok := p.Recv(time.Second)
		if !ok {
			return nil
		}
		p.Reply(msg.(*sip.Request), 407, "Challenge", `Proxy-Authenticate: Digest realm="lab", nonce="n1", algorithm=MD5`)
		p.ExpectRequest(l, sip.ACK)
		synctest.Wait()
		return l.answered(p, aliceAddr, sip.INVITE)
	}},
	{"200 to INVITE", func(l *lab, mode middleware.Option, own []sip.Header) *sipnet.Message {
		bob, p := l.bob(mode), l.peer()
		bob.Accept = func(d *sipgo.DialogServerSession) {
			_ = d.Respond(200, "OK", []byte(bob.SDP), append(own, sip.NewHeader("Content-Type", "application/sdp"))...)
		}
		p.Invite(bob.Addr, timerHeader, se1800)
		synctest.Wait()
		m := l.last(bobAddr, "200 OK (INVITE)")
		if res, ok := p.Recv(time.Second); ok && m != nil {
			p.Ack(res.(*sip.Response))
		}
		return m
	}},
	{"UPDATE", func(l *lab, mode middleware.Option, own []sip.Header) *sipnet.Message {
		return l.within(mode, sip.UPDATE, own)
	}},
	{"re-INVITE", func(l *lab, mode middleware.Option, own []sip.Header) *sipnet.Message {
		return l.within(mode, sip.INVITE, own)
	}},
	{"INFO", func(l *lab, mode middleware.Option, own []sip.Header) *sipnet.Message {
		return l.within(mode, sip.INFO, own)
	}},
}

// answered accepts the last request of addr at the peer.
func (l *lab) answered(p *sipnet.Peer, addr string, method sip.RequestMethod) *sipnet.Message {
	msg, ok := p.Recv(time.Second)
	if !ok {
		return nil
	}
	m := l.last(addr, string(method))
	headers := []string{ours, allow}
	if method != sip.INVITE && method != sip.UPDATE {
		headers = nil
	}
	p.Reply(msg.(*sip.Request), 200, "OK", headers...)
	synctest.Wait()
	return m
}

func (l *lab) last(addr, label string) (last *sipnet.Message) {
	for _, m := range l.net.Messages() {
		if m.From == addr && sipnet.Label(m.SIP) == label {
			last = &m
		}
	}
	return last
}

// within sends a request of the application in a call that has a timer.
func (l *lab) within(mode middleware.Option, method sip.RequestMethod, own []sip.Header) *sipnet.Message {
	alice, p := l.alice(mode), l.peer()
	dialled := make(chan *sipgo.DialogClientSession, 1)
	go func() {
		d, _ := alice.TryURI(context.Background(), peerURI, numbered())
		dialled <- d
	}()
	p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", ours, allow)
	p.ExpectRequest(l, sip.ACK)
	d := <-dialled
	req := sip.NewRequest(method, peerURI)
	for _, h := range own {
		req.AppendHeader(h)
	}
	go func() { _, _ = d.Do(context.Background(), req) }()
	synctest.Wait()
	return l.answered(p, aliceAddr, method)
}

// Whatever an application can send without timers it can send with them. The message never
// exceeds what sipgo sends, and keeps everything of the application's.
func TestDatagrams(t *testing.T) {
	fields := map[string][]string{
		"plain":              nil,
		"with Allow":         {"Allow: INVITE, ACK, BYE"},
		"with Supported":     {"Supported: 100rel, replaces"},
		"with k and Require": {"k: 100rel", "Require: replaces", "Allow: INVITE, ACK, CANCEL, BYE, UPDATE"},
	}
	for _, w := range wires {
		for name, own := range fields {
			if len(own) > 1 && strings.HasPrefix(w.name, "200") {
				own = own[:1]
			}
			t.Run(w.name+" "+name, func(t *testing.T) {
				full := size(t, w.send, middleware.WithMode(sessiontimer.Off), own, 0)
				if full == 0 {
					t.Fatal("nothing is sent at all")
				}
				// From the size where everything fits to the largest without timers.
				for stock := largest - 180; stock <= largest; stock += 1 + (largest-stock)/12 {
					off := size(t, w.send, middleware.WithMode(sessiontimer.Off), own, stock-full)
					on := size(t, w.send, middleware.WithMode(sessiontimer.Require), own, stock-full)
					if off != stock {
						t.Fatalf("without timers %d bytes are sent, should be %d", off, stock)
					}
					if on < off || on > largest {
						t.Errorf("of %d bytes without timers %d are sent with them, should be so many to %d", off, on, largest)
					}
				}
			})
		}
	}
}

// size sends one message with the given padding in its own bubble, and returns the number of
// bytes on the wire, 0 for a message that was refused.
func size(t *testing.T, send func(*lab, middleware.Option, []sip.Header) *sipnet.Message, mode middleware.Option, own []string, fill int) (n int) {
	inLab(t, func(l *lab) {
		filling := strings.Repeat("x", max(0, fill))
		headers := []sip.Header{sip.NewHeader("X-Fill", filling)}
		for _, h := range own {
			name, value, _ := strings.Cut(h, ": ")
			headers = append(headers, sip.NewHeader(name, value))
		}
		m := send(l, mode, headers)
		l.at(40 * time.Second)
		if m == nil {
			return
		}
		n = len(m.Raw)
		if got := field(m.SIP, "X-Fill"); got != filling {
			l.Errorf("X-Fill has %d bytes, should have %d", len(got), len(filling))
		}
		for _, h := range own {
			name, value, _ := strings.Cut(h, ": ")
			if got := field(m.SIP, name); !strings.HasPrefix(got, value) {
				l.Errorf("%d bytes: the application's %s is %q, should begin with %q", n, name, got, value)
			}
		}
		// The timer is there as a whole or not at all.
		if se := field(m.SIP, "Session-Expires"); se == "" && lists(m.SIP, "Require") {
			l.Errorf("%d bytes: Require %q without Session-Expires", n, field(m.SIP, "Require"))
		} else if se != "" && !lists(m.SIP, "Supported") && !lists(m.SIP, "k") {
			l.Errorf("%d bytes: Session-Expires %q without Supported: timer", n, se)
		}
	})
	return n
}

// The least important fields are left out first: Allow and Min-SE, then the timer.
func TestDatagramsLeaveOut(t *testing.T) {
	kept := make(map[string]int) // most filling with which an INVITE still has it
	for fill := 200; fill < 1000; fill += 2 {
		inLab(t, func(l *lab) {
			alice, p := l.alice(middleware.WithMinSE(100*time.Second)), l.peer()
			alice.SDP += "a=fill:" + strings.Repeat("x", fill) + "\r\n"
			stop, _ := l.dial(alice)
			defer stop()
			msg, ok := p.Recv(time.Second)
			if !ok {
				return
			}
			req := msg.(*sip.Request)
			p.Reply(req, 486, "Busy Here")
			for _, name := range []string{"Allow", "Min-SE", "Session-Expires", "Via"} {
				if field(req, name) != "" {
					kept[name] = fill
				}
			}
			l.at(40 * time.Second)
		})
	}
	if !(200 < kept["Allow"] && kept["Allow"] == kept["Min-SE"] && kept["Min-SE"] < kept["Session-Expires"] && kept["Session-Expires"] < kept["Via"]) {
		t.Errorf("INVITEs with fillings up to these sizes keep what is added: %v; should lose Allow and Min-SE first, then the timer", kept)
	}
}

// A refresh of ours that does not fit goes out without a timer, and the call
// goes on without one.
func TestDatagramOfRefresh(t *testing.T) {
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE} {
		for fill := 500; fill < 940; fill += 10 {
			t.Run(fmt.Sprintf("%s with %d bytes of Contact", method, fill), func(t *testing.T) {
				inLab(t, func(l *lab) {
					alice, p := l.alice(middleware.WithMode(sessiontimer.Require)), l.peer()
					contact := "Contact: <sip:peer@10.0.0.9:5060;fill=" + strings.Repeat("x", fill) + ">"
					d := l.callPeer(alice, p, ours, "Allow: "+string(method), contact)
					l.at(900 * time.Second)
					msg, ok := p.Recv(time.Second)
					if !ok {
						return // nor would the application reach that Contact
					}
					refresh := msg.(*sip.Request)
					if refresh.Method != method {
						l.Fatalf("%s, should be %s", refresh.Method, method)
					}
					timer := field(refresh, "Session-Expires")
					answer := []string{"X-None: 1", contact}
					if timer != "" {
						answer[0] = ours
					}
					p.Reply(refresh, 200, "OK", answer...)
					synctest.Wait()
					if n := len(refresh.String()); n > largest {
						l.Errorf("the refresh has %d bytes, should have %d at most", n, largest)
					}
					if timer == "" {
						l.at(3 * time.Hour)
						l.wantAlive("alice", d)
						l.wantSent(aliceAddr, sip.BYE)
					}
				})
			})
		}
	}
}
