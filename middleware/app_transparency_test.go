package middleware_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// stage is where a flow is played: two applications and a scripted peer.
type stage struct {
	*testing.T
	net        *sipnet.Network
	alice, bob *plain
	peer       *sipnet.Peer
	toBob      sip.Uri
}

// flows are calls of all kinds, each less than half of an interval long.
var flows = []struct {
	name string
	play func(s *stage)
}{
	{"call, caller hangs up", func(s *stage) {
		d := s.alice.call(context.Background(), s.toBob)
		time.Sleep(time.Minute)
		s.alice.see("Bye: %v", d.Bye(context.Background()))
	}},
	{"call, callee hangs up", func(s *stage) {
		var taken *sipgo.DialogServerSession
		s.bob.accept = func(d *sipgo.DialogServerSession) {
			taken = d
			s.bob.see("answered: %v", d.RespondSDP([]byte(hold)))
		}
		d := s.alice.call(context.Background(), s.toBob)
		time.Sleep(time.Minute)
		s.bob.see("Bye: %v", taken.Bye(context.Background()))
		s.alice.see("state %v, context %v", d.LoadState(), d.Context().Err())
	}},
	{"ringing and early media", func(s *stage) {
		s.bob.accept = func(d *sipgo.DialogServerSession) {
			s.bob.see("180: %v", d.Respond(180, "Ringing", nil))
			time.Sleep(5 * time.Second)
			s.bob.see("183: %v", d.Respond(183, "Session Progress", []byte(hold)))
			time.Sleep(70 * time.Second)
			s.bob.see("200: %v", d.RespondSDP([]byte(hold)))
		}
		d := s.alice.call(context.Background(), s.toBob)
		time.Sleep(time.Second)
		s.alice.see("Bye: %v", d.Bye(context.Background()))
	}},
	{"refused", func(s *stage) {
		s.bob.accept = func(d *sipgo.DialogServerSession) { s.bob.see("486: %v", d.Respond(486, "Busy Here", nil)) }
		s.alice.call(context.Background(), s.toBob)
	}},
	{"refused after ringing", func(s *stage) {
		s.bob.accept = func(d *sipgo.DialogServerSession) {
			s.bob.see("180: %v", d.Respond(180, "Ringing", nil))
			time.Sleep(40 * time.Second)
			s.bob.see("603: %v", d.Respond(603, "Decline", nil))
		}
		s.alice.call(context.Background(), s.toBob)
	}},
	{"cancelled while ringing", func(s *stage) {
		s.bob.accept = func(d *sipgo.DialogServerSession) {
			s.bob.see("180: %v", d.Respond(180, "Ringing", nil))
			<-d.Context().Done()
			s.bob.see("cause: %v", context.Cause(d.Context()))
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s.alice.call(ctx, s.toBob)
	}},
	{"hold", func(s *stage) {
		d := s.alice.call(context.Background(), s.toBob)
		time.Sleep(time.Minute)
		req := sip.NewRequest(sip.INVITE, s.toBob)
		req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		req.SetBody([]byte(hold))
		res, err := d.Do(context.Background(), req)
		if err != nil {
			s.alice.see("hold: %v", err)
			return
		}
		s.alice.see("hold: %d %s", res.StatusCode, res.Reason)
		s.alice.see("ACK: %v", d.WriteRequest(sip.NewRequest(sip.ACK, s.toBob)))
		time.Sleep(time.Minute)
		s.alice.see("Bye: %v", d.Bye(context.Background()))
	}},
	{"slow application: 40 s in the callback of the 180", func(s *stage) {
		s.bob.accept = func(d *sipgo.DialogServerSession) {
			_ = d.Respond(180, "Ringing", nil)
			time.Sleep(time.Second)
			_ = d.Respond(183, "Session Progress", nil)
			time.Sleep(60 * time.Second)
			s.bob.see("200: %v", d.RespondSDP([]byte(hold)))
		}
		ctx := context.Background()
		d, err := s.alice.calls.Invite(ctx, s.toBob, []byte(hold), sip.NewHeader("Content-Type", "application/sdp"))
		if err != nil {
			s.alice.see("INVITE: %v", err)
			return
		}
		s.alice.see("answer: %v", d.WaitAnswer(ctx, sipgo.AnswerOptions{OnResponse: func(res *sip.Response) error {
			s.alice.see("%d", res.StatusCode)
			if res.StatusCode == 180 {
				time.Sleep(40 * time.Second)
			}
			return nil
		}}))
		s.alice.see("Ack: %v", d.Ack(ctx))
		time.Sleep(time.Second)
		s.alice.see("Bye: %v", d.Bye(ctx))
	}},
	{"nobody answers", func(s *stage) {
		s.alice.call(context.Background(), uriOf("10.0.0.9:5060", "udp"))
	}},
	{"digest", func(s *stage) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			d := s.alice.call(context.Background(), uriOf("10.0.0.9:5060", "udp"))
			time.Sleep(time.Second)
			s.alice.see("Bye: %v", d.Bye(context.Background()))
		}()
		for _, status := range []int{401, 407} {
			name := map[int]string{401: "WWW-Authenticate", 407: "Proxy-Authenticate"}[status]
			s.peer.Reply(s.peer.ExpectRequest(s, sip.INVITE), status, "Challenge", name+`: Digest realm="lab", nonce="n1", algorithm=MD5`)
			s.peer.ExpectRequest(s, sip.ACK)
		}
		s.peer.Reply(s.peer.ExpectRequest(s, sip.INVITE), 200, "OK")
		s.peer.ExpectRequest(s, sip.ACK)
		s.peer.Reply(s.peer.ExpectRequest(s, sip.BYE), 200, "OK")
		<-done
	}},
	{"the application terminates the transaction", func(s *stage) {
		tx := s.begin(s.peer.Addr())
		s.peer.Reply(s.peer.ExpectRequest(s, sip.INVITE), 180, "Ringing")
		s.alice.see("%d", (<-tx.Responses()).StatusCode)
		tx.Terminate()
		s.ended(tx)
		tx.Terminate()
		s.ended(tx)
	}},
	{"the application never reads responses", func(s *stage) {
		tx := s.begin(s.peer.Addr())
		s.peer.Reply(s.peer.ExpectRequest(s, sip.INVITE), 180, "Ringing")
		time.Sleep(100 * time.Millisecond) // it arrives
		tx.Terminate()
		s.ended(tx)
	}},
	{"a transaction from begin to end", func(s *stage) {
		tx := s.begin(s.peer.Addr())
		s.peer.Reply(s.peer.ExpectRequest(s, sip.INVITE), 486, "Busy Here")
		s.alice.see("%d", (<-tx.Responses()).StatusCode)
		s.ended(tx)
		time.Sleep(33 * time.Second)
		s.ended(tx)
		tx.Terminate()
		s.ended(tx)
		s.alice.see("hooks still taken: %v %v", tx.OnTerminate(func(string, error) {}), tx.OnRetransmission(func(*sip.Response) {}))
	}},
	{"other requests", func(s *stage) {
		res, err := s.alice.client.Do(context.Background(), sip.NewRequest(sip.OPTIONS, s.toBob))
		if err != nil {
			s.alice.see("OPTIONS: %v", err)
			return
		}
		s.alice.see("OPTIONS: %d", res.StatusCode)
	}},
}

// begin sends an INVITE in a new transaction.
func (s *stage) begin(to string) sip.ClientTransaction {
	req := sip.NewRequest(sip.INVITE, uriOf(to, "udp"))
	contact := sip.ContactHeader{Address: uriOf(s.alice.addr, "udp")}
	req.AppendHeader(&contact)
	tx, err := s.alice.client.TransactionRequest(context.Background(), req)
	if err != nil {
		s.Fatalf("INVITE: %v", err)
	}
	s.alice.see("hook taken: %v", tx.OnTerminate(func(_ string, err error) { s.alice.see("terminated: %v", err) }))
	return tx
}

func (s *stage) ended(tx sip.ClientTransaction) {
	synctest.Wait()
	select {
	case <-tx.Done():
		s.alice.see("done: %v", tx.Err())
	default:
		s.alice.see("not done: %v", tx.Err())
	}
}

// perform plays a flow and returns what each application saw, and the names of
// the header fields of each message.
func perform(t *testing.T, transport string, opts []middleware.Option, play func(s *stage)) (seen [2][]string, wire []string) {
	bubble.Test(t, func(t *testing.T) {
		s := &stage{T: t, net: sipnet.New(), toBob: uriOf(bobAddr, transport)}
		s.alice = newPlain(t, s.net, aliceAddr, transport, opts)
		s.bob = newPlain(t, s.net, bobAddr, transport, opts)
		s.peer = s.net.Peer(peerAddr)
		synctest.Wait()
		if transport == "tcp" {
			s.net.ConnectTCP(aliceAddr, bobAddr)
			synctest.Wait()
		}
		s.net.SetFilter(func(sipnet.Packet) sipnet.Verdict { return sipnet.Verdict{Delay: 10 * time.Millisecond} })
		play(s)
		time.Sleep(time.Minute)
		s.alice.see("dialogs left: %v", left(s.alice))
		stopPlain(s.net, s.alice, s.bob)
		sipnet.CheckCSeq(t, s.net.Messages())
		seen = [2][]string{s.alice.seen(), s.bob.seen()}
		for _, m := range s.net.Messages() {
			row := sipnet.Label(m.SIP) + ":"
			for _, h := range m.SIP.(interface{ Headers() []sip.Header }).Headers() {
				row += " " + h.Name()
			}
			wire = append(wire, row)
		}
	})
	return seen, wire
}

func left(a *plain) string {
	if a.timers == nil {
		return "0 0 0"
	}
	legs, watched, stored := a.timers.Left()
	return fmt.Sprint(legs, watched, stored)
}

// J-13, trap: an application sees the same with timers and without, and nothing
// is kept of a call that is over. With mode Off the messages are the same too.
func TestApplicationSeesTheSame(t *testing.T) {
	onUDP := map[string]bool{"nobody answers": true, "digest": true, "the application terminates the transaction": true,
		"the application never reads responses": true, "a transaction from begin to end": true}
	for _, transport := range []string{"udp", "tcp"} {
		for _, flow := range flows {
			if transport != "udp" && onUDP[flow.name] {
				continue // they are with the scripted peer
			}
			t.Run(transport+" "+flow.name, func(t *testing.T) {
				stock, stockWire := perform(t, transport, nil, flow.play)
				for _, mode := range []sessiontimer.Mode{sessiontimer.Off, sessiontimer.Offer} {
					got, wire := perform(t, transport, []middleware.Option{middleware.WithMode(mode)}, flow.play)
					for i, who := range []string{"caller", "callee"} {
						if diff := cmp.Diff(stock[i], got[i]); diff != "" {
							t.Errorf("mode %v: the %s sees (-without timers +with):\n%s", mode, who, diff)
						}
					}
					if diff := cmp.Diff(stockWire, wire); mode == sessiontimer.Off && diff != "" {
						t.Errorf("mode Off: header fields on the wire (-without timers +with):\n%s", diff)
					}
				}
			})
		}
	}
}

// Trap: on TCP the transaction ends as soon as it has handed over its final
// response. An application that selects on both must always see the response.
func TestFinalResponseIsNeverLost(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, bob := l.pair(transport, nil, nil)
				bob.Accept = func(d *sipgo.DialogServerSession) { _ = d.Respond(486, "Busy Here", nil) }
				for i := range 100 {
					req := sip.NewRequest(sip.INVITE, uriOf(bobAddr, transport))
					contact := sip.ContactHeader{Address: uriOf(aliceAddr, transport)}
					req.AppendHeader(&contact)
					tx, err := alice.Client.TransactionRequest(context.Background(), req)
					if err != nil {
						l.Fatalf("call %d: %v", i, err)
					}
					select {
					case res := <-tx.Responses():
						if res.StatusCode != 486 {
							l.Errorf("call %d gets %d, should get 486", i, res.StatusCode)
						}
					case <-tx.Done():
						l.Errorf("call %d sees its transaction end: %v, should see the 486 first", i, tx.Err())
					}
				}
			})
		})
	}
}
