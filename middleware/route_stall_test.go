package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

const carolAddr = "10.0.0.3:5060"

// alone is a timer that we run by ourselves, of 90 s, over a peer that has none.
func alone(m sessiontimer.Method) []middleware.Option {
	return []middleware.Option{middleware.WithMode(sessiontimer.Always), middleware.WithSessionExpires(90 * time.Second), middleware.WithMethod(m)}
}

// stocked makes alice with timers, carol without, and bob without, whom both reach over a
// TCP stream.
func (l *lab) stocked(opts ...middleware.Option) (alice, carol, bob *sipua.UA) {
	alice = sipua.New(l.T, l.net, "alice", aliceAddr, "tcp", opts...)
	carol = sipua.Stock(l.T, l.net, "carol", carolAddr, "tcp")
	bob = sipua.Stock(l.T, l.net, "bob", bobAddr, "tcp")
	l.uas = append(l.uas, alice, carol, bob)
	l.net.ConnectTCP(aliceAddr, bobAddr)
	l.net.ConnectTCP(carolAddr, bobAddr)
	synctest.Wait()
	return alice, carol, bob
}

// endOf is when a dialog ends; it is to be read after that.
func (l *lab) endOf(d dialog) *time.Duration {
	at := new(time.Duration)
	context.AfterFunc(d.Context(), func() { *at = l.net.Elapsed() })
	return at
}

// wantStuck checks that Close does not wait for ever, and not at all after resume.
func (l *lab) wantStuck(u *sipua.UA, resume func()) {
	l.Helper()
	begun := time.Now()
	var stuck *middleware.CloseError
	if err := u.Timers.Close(); !errors.As(err, &stuck) || stuck.Left == 0 || time.Since(begun) > 5*time.Second {
		l.Errorf("Close says %v after %v, want that something is left after 5 s", err, time.Since(begun))
	}
	resume()
	if err := u.Timers.Close(); err != nil {
		l.Errorf("Close when all can go on: %v", err)
	}
}

// A peer that stops reading, with its stream open: writes to it block, and so does an
// application that tries, with or without timers. The call still ends on time, and Close
// returns.
func TestStalledStream(t *testing.T) {
	for _, m := range []sessiontimer.Method{sessiontimer.MethodUpdate, sessiontimer.MethodReInvite} {
		t.Run(fmt.Sprint(m), func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, carol, bob := l.stocked(alone(m)...)
				d, other := alice.Call(bob), carol.Call(bob)
				l.at(10 * time.Second)
				l.net.Stall(bobAddr)
				returned := make(chan struct{})
				go func() {
					defer close(returned)
					ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
					defer cancel()
					_ = other.Bye(ctx)
				}()
				ended := l.endOf(d)
				l.at(89 * time.Second)
				l.wantAlive("alice", d)
				l.at(100 * time.Second)
				if late := *ended - 90*time.Second; late < 0 || late > sip.T1 {
					l.Errorf("the dialog ends at %v, want it at expiry, 1m30s", *ended)
				}
				select {
				case <-returned:
					l.Error("without timers the BYE returns after its five seconds: nothing is stalled")
				default:
				}
				l.wantStuck(alice, func() { l.net.Resume(bobAddr); synctest.Wait() })
				<-returned
			})
		})
	}
}

// A peer that accepts connections and never answers a handshake: all calls to that address
// share a dial that neither ends nor observes a context. Each of them ends on time, and a
// call to another address is refreshed meanwhile.
func TestStalledDial(t *testing.T) {
	for _, m := range []sessiontimer.Method{sessiontimer.MethodUpdate, sessiontimer.MethodReInvite} {
		t.Run(fmt.Sprint(m), func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, carol, bob := l.stocked(alone(m)...)
				l.net.ConnectTCP(aliceAddr, carolAddr)
				synctest.Wait()
				first, healthy := alice.Call(bob), alice.Call(carol)
				l.at(20 * time.Second)
				second := alice.Call(bob)
				bob.Kill()
				l.uas = l.uas[:2]
				l.net.Stall(bobAddr)
				ends := []*time.Duration{l.endOf(first), l.endOf(second)}
				l.at(140 * time.Second)
				for i, want := range []time.Duration{90 * time.Second, 110 * time.Second} {
					if late := *ends[i] - want; late < 0 || late > sip.T1 {
						l.Errorf("call %d ends at %v, want it at expiry, %v", i+1, *ends[i], want)
					}
				}
				l.wantAlive("alice", healthy)
				l.wantStuck(alice, func() { l.net.Resume(bobAddr); synctest.Wait() })
			})
		})
	}
}

// A dial for an UPDATE is given up as an UPDATE without an answer is: after three quarters of a
// transaction, so that a re-INVITE may follow.
func TestStalledDialForUpdate(t *testing.T) {
	inLab(t, func(l *lab) {
		failed := make(map[string]time.Duration)
		alice, _, bob := l.stocked(middleware.WithMode(sessiontimer.Always), middleware.WithSessionExpires(1800*time.Second),
			middleware.WithMethod(sessiontimer.MethodUpdate), middleware.WithEventHandler(func(e sessiontimer.Event) {
				if f, ok := e.(sessiontimer.RefreshFailed); ok && failed[f.Method] == 0 {
					failed[f.Method] = l.net.Elapsed()
				}
			}))
		alice.Call(bob)
		l.at(20 * time.Second)
		bob.Kill()
		l.uas = l.uas[:2]
		l.net.Stall(bobAddr)
		l.at(950 * time.Second)
		if want := 924 * time.Second; failed["UPDATE"] != want {
			l.Errorf("failed: %v; want UPDATE at %v", failed, want)
		}
		l.wantStuck(alice, func() { l.net.Resume(bobAddr); synctest.Wait() })
	})
}

// The same holds for an UPDATE that is sent again after a challenge, to a peer that no longer
// reads.
func TestStalledAnswerToChallenge(t *testing.T) {
	inLab(t, func(l *lab) {
		bob := sipua.New(l.T, l.net, "bob", bobAddr, "tcp", secret...)
		l.uas = append(l.uas, bob)
		p := l.net.StreamPeer(streamAddr, bobAddr, "TCP")
		synctest.Wait()
		l.peerCalls(p, bob, timerHeader, allow, weRefresh, "Contact: <sip:peer@"+streamAddr+";transport=tcp>")
		l.at(900 * time.Second)
		update := p.ExpectRequest(l, sip.UPDATE)
		l.net.Stall(streamAddr)
		p.Reply(update, 401, "Unauthorized", `WWW-Authenticate: Digest realm="r", nonce="1"`)
		l.at(950 * time.Second)
		var failed []string
		for _, e := range bob.Events() {
			if f, ok := e.Event.(sessiontimer.RefreshFailed); ok {
				failed = append(failed, fmt.Sprintf("%s at %v", f.Method, e.At))
			}
		}
		if len(failed) == 0 || failed[0] != "UPDATE at 15m24s" {
			l.Errorf("failed: %v; want an UPDATE at 15m24s", failed)
		}
		l.net.Resume(streamAddr)
	})
}

// A BYE that cannot be written gives its place back after 64*T1, and that of another call
// leaves.
func TestStalledByeLeavesItsPlace(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, carol, bob := l.stocked(append(alone(sessiontimer.MethodReInvite), middleware.WithRefreshLimits(1000, 1))...)
		l.net.ConnectTCP(aliceAddr, carolAddr)
		synctest.Wait()
		carol.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) {
			_ = tx.Respond(sip.NewResponseFromRequest(req, 481, "Gone", nil))
		}
		alice.Call(bob)
		l.net.Stall(bobAddr)
		l.at(55 * time.Second)
		alice.Call(carol)
		// The BYE to bob is due at 90 s, that to carol at 100 s.
		l.at(140 * time.Second)
		l.wantSent(aliceAddr, sip.BYE, 90*time.Second+64*sip.T1)
		l.net.Resume(bobAddr)
		synctest.Wait()
	})
}

// The 2xx to our re-INVITE counts although its ACK cannot be written yet, and the ACK leaves
// when it can.
func TestStalledAck(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, _, bob := l.stocked(alone(sessiontimer.MethodReInvite)...)
		d := alice.Call(bob)
		l.net.SetFilter(func(p sipnet.Packet) sipnet.Verdict {
			if p.From == aliceAddr && p.At == 45*time.Second {
				l.net.Stall(bobAddr)
			}
			return sipnet.Verdict{}
		})
		l.at(46 * time.Second)
		if got := len(l.requests(aliceAddr, "ACK")); got != 1 {
			l.Errorf("%d ACKs were written, want the second one stalled", got)
		}
		events := alice.Events()
		last := events[len(events)-1]
		if _, ok := last.Event.(sessiontimer.Refreshed); !ok || last.At > 45*time.Second+sip.T1 {
			l.Errorf("%T at %v, want the session refreshed within T1", last.Event, last.At)
		}
		l.net.SetFilter(nil)
		l.net.Resume(bobAddr)
		synctest.Wait()
		if got := len(l.requests(aliceAddr, "ACK")); got != 2 {
			l.Errorf("%d ACKs were written when the peer reads again, want both", got)
		}
		l.at(200 * time.Second)
		l.wantAlive("alice", d)
	})
}

// A stream is lost when it is closed, and not when there is another one to the same
// address, which the pool then names.
func TestAnotherStreamToThePeer(t *testing.T) {
	for _, closed := range []bool{false, true} {
		inLab(t, func(l *lab) {
			alice, _, bob := l.stocked(alone(sessiontimer.MethodReInvite)...)
			answer := bob.ReInvite
			bob.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) {
				time.Sleep(5 * time.Second)
				answer(req, tx)
			}
			d := alice.Call(bob)
			first, err := alice.UA.TransportLayer().GetConnection("tcp", bobAddr)
			if err != nil {
				t.Fatal(err)
			}
			l.at(46 * time.Second)
			l.net.ConnectTCP(aliceAddr, bobAddr)
			if closed {
				_ = first.Close()
			}
			l.at(51 * time.Second)
			want := "Negotiated Refreshed"
			if closed {
				want = "Negotiated RefreshFailed"
			}
			if got := strings.Join(events(alice), " "); got != want {
				l.Errorf("the first stream closed %v: events are %s, want %s", closed, got, want)
			}
			l.at(80 * time.Second)
			l.wantAlive("alice", d)
		})
	}
}

// An unanswered BYE does not delay the end of another call: here four calls die each second,
// and five requests may be under way.
func TestUnansweredByesHoldNoPlace(t *testing.T) {
	inLab(t, func(l *lab) {
		alice := l.alice(middleware.WithSessionExpires(90*time.Second), middleware.WithRefreshLimits(1000, 5))
		bob := l.bob(middleware.WithRefresher(sessiontimer.Local))
		var ends []*time.Duration
		for range 80 {
			ends = append(ends, l.endOf(alice.Call(bob)))
			time.Sleep(250 * time.Millisecond)
		}
		bob.Kill()
		l.uas = l.uas[:1]
		l.at(2 * time.Minute)
		for i, at := range ends {
			if want := time.Duration(i)*250*time.Millisecond + time.Minute; *at != want {
				l.Fatalf("call %d ends at %v, want it a third before its expiry, at %v", i, *at, want)
			}
		}
		if got := len(l.sent(aliceAddr, sip.BYE)); got != len(ends) {
			l.Errorf("%d BYEs, want one for each call", got)
		}
		l.wantNothingLeft(alice)
	})
}

// All calls die at once and their BYEs take turns; the application does not wait for that.
func TestEndDoesNotWaitForItsBye(t *testing.T) {
	inLab(t, func(l *lab) {
		alice := l.alice(middleware.WithSessionExpires(90*time.Second), middleware.WithRefreshLimits(10, 1))
		bob := l.bob(middleware.WithRefresher(sessiontimer.Local))
		var ends []*time.Duration
		for range 100 {
			ends = append(ends, l.endOf(alice.Call(bob)))
		}
		bob.Kill()
		l.uas = l.uas[:1]
		l.at(2 * time.Minute)
		for i, at := range ends {
			if late := *at - time.Minute; late < 0 || late > sip.T1 {
				l.Fatalf("call %d ends at %v, want it a third before its expiry, at 1m0s", i, *at)
			}
		}
		byes := l.sent(aliceAddr, sip.BYE)
		if first, last := byes[0], byes[len(byes)-1]; len(byes) != 100 || last-first < 9*time.Second || last-first > 11*time.Second {
			l.Errorf("%d BYEs in %v, want 100 and ten a second", len(byes), last-first)
		}
		l.wantNothingLeft(alice)
	})
}
