package middleware_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
)

const lastCSeq = 1<<31 - 1 // RFC 3261 §8.1.1.5

// wantNumbers checks what addr sent: no number above the last one. That they rise is
// checked for every test.
func (l *lab) wantNumbers(addr string, first uint32) {
	l.Helper()
	sent := false
	for _, m := range l.net.Messages() {
		req, ok := m.SIP.(*sip.Request)
		if !ok || m.From != addr {
			continue
		}
		n := req.CSeq().SeqNo
		if !sent && n != first {
			l.Errorf("the first request of %s has CSeq %d, want %d", names[addr], n, first)
		}
		if n > lastCSeq {
			l.Errorf("%s of %s has CSeq %d, want %d at most", req.Method, names[addr], n, lastCSeq)
		}
		sent = true
	}
}

// J-13: what we send goes on from the peer's number, as sipgo's dialogs do, as long
// as that leaves enough; else it starts low. The application's requests, whose own
// numbers would pass the end or wrap, are numbered with ours.
func TestPeersNumberNearTheEnd(t *testing.T) {
	for _, c := range []struct{ peer, first uint32 }{
		{1, 2}, {1 << 30, 1<<30 + 1}, {lastCSeq - 1<<24, lastCSeq - 1<<24 + 1},
		{lastCSeq - 1<<24 + 1, 1}, {lastCSeq - 3, 1}, {lastCSeq - 1, 1}, {lastCSeq, 1},
	} {
		t.Run(fmt.Sprintf("J-13 %d", c.peer), func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				d, _ := l.peerCalls(p, bob, timerHeader, "Allow: INVITE", ourRefresh, fmt.Sprintf("CSeq: %d INVITE", c.peer))
				for i := range 4 {
					l.at(time.Duration(i+1)*900*time.Second - 1)
					l.refreshed(p, sip.INVITE)
					done := make(chan struct{})
					go func() {
						l.send(bob, d, peerAddr, sip.INFO, "")
						l.send(bob, d, peerAddr, sip.INVITE, bob.SDP)
						close(done)
					}()
					p.Reply(p.ExpectRequest(l, sip.INFO), 200, "OK")
					l.refreshed(p, sip.INVITE)
					<-done
				}
				go func() { _ = d.Bye(context.Background()) }()
				p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
				synctest.Wait()
				l.wantEnded("bob", d)
				l.wantNumbers(bobAddr, c.first)
			})
		})
	}
}

// J-13: so are those of an application whose INVITE begins near the end.
func TestOwnNumberNearTheEnd(t *testing.T) {
	for _, c := range []struct{ app, first uint32 }{
		{1 << 30, 1 << 30}, {lastCSeq - 1<<24, lastCSeq - 1<<24}, {lastCSeq - 1<<24 + 1, 1}, {lastCSeq - 1, 1}, {lastCSeq, 1},
	} {
		t.Run(fmt.Sprintf("J-13 %d", c.app), func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				alice.Password = "secret"
				cseq := &sip.CSeqHeader{SeqNo: c.app, MethodName: sip.INVITE}
				done := make(chan sipua.Dialog, 1)
				go func() {
					d, err := alice.TryURI(context.Background(), peerURI, cseq)
					if err != nil {
						l.Errorf("the call fails: %v", err)
					}
					done <- d
				}()
				l.tooSmall(p, "1800")
				l.challenge(p, 401)
				p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", ours)
				p.ExpectRequest(l, sip.ACK)
				d := <-done
				for i := range 3 {
					l.at(time.Duration(i+1)*900*time.Second - 1)
					l.refreshed(p, sip.INVITE)
					again := make(chan struct{})
					go func() {
						l.send(alice, d, peerAddr, sip.INVITE, alice.SDP)
						close(again)
					}()
					l.refreshed(p, sip.INVITE)
					<-again
				}
				go func() { _ = d.(dialog).Bye(context.Background()) }()
				p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
				synctest.Wait()
				l.wantNumbers(aliceAddr, c.first)
			})
		})
	}
}

// J-13: with all numbers used up the last one comes again: what a strict peer refuses
// then would not have been sent at all.
func TestNumbersUsedUp(t *testing.T) {
	inLab(t, func(l *lab) {
		l.badPeer = true // it is bob who is exempt from the check of the numbers
		bob, p := l.ua("bob", peerAddr), l.net.Peer(bobAddr)
		l.peerCalls(p, bob, timerHeader, allow, ourRefresh)
		for d := range bob.Timers.Store().All(l.Context()) {
			_, _, err := bob.Timers.Store().Update(l.Context(), d.ID, func(d dialogstore.Dialog) (dialogstore.State, error) {
				d.LocalCSeq = lastCSeq - 1
				return d.State, nil
			})
			if err != nil {
				l.Fatal(err)
			}
		}
		for range 3 {
			l.at(l.net.Elapsed() + 900*time.Second - 1)
			if got := l.refreshed(p, sip.UPDATE).CSeq().SeqNo; got != lastCSeq {
				l.Errorf("a refresh has CSeq %d, want %d", got, lastCSeq)
			}
		}
	})
}

// F-22: the BYE that ends the application's dialog has a number that there is, and
// that the dialog takes.
func TestEndWithPeersLastNumber(t *testing.T) {
	for _, peer := range []uint32{1, lastCSeq - 1, lastCSeq} {
		inLab(t, func(l *lab) {
			bob, p := l.bob(), l.peer()
			var got uint32
			bob.Server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) {
				got = req.CSeq().SeqNo
				_ = bob.Answered().ReadBye(req, tx)
			})
			d, _ := l.peerCalls(p, bob, timerHeader, se1800, fmt.Sprintf("CSeq: %d INVITE", peer))
			l.at(time.Hour)
			l.wantEnded("bob", d)
			if want := min(peer+1, lastCSeq); got != want {
				l.Errorf("the application's BYE has CSeq %d, want %d behind the peer's %d", got, want, peer)
			}
		})
	}
}
