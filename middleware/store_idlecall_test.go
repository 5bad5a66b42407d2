package middleware_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Only the store knows an idle call. Its application's requests are still numbered, even
// with a context that is done, with which sipgo also sends.
func TestByeOfIdleCallWithDoneContext(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		d := l.callPeer(alice, p, ours, allow)
		var update *sip.Request
		for i := range 2 {
			l.at(time.Duration(i+1) * 900 * time.Second)
			update = p.ExpectRequest(l, sip.UPDATE)
			p.Reply(update, 200, "OK", ours)
		}
		l.at(1900 * time.Second)
		if legs, _, _ := alice.Timers.Left(); legs != 0 {
			l.Fatalf("%d legs of an idle call, want none", legs)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = d.Bye(ctx)
		synctest.Wait()
		bye := p.ExpectRequest(l, sip.BYE)
		if bye.CSeq().SeqNo != update.CSeq().SeqNo+1 {
			l.Errorf("the BYE has CSeq %d, should follow the UPDATE's %d", bye.CSeq().SeqNo, update.CSeq().SeqNo)
		}
		p.Reply(bye, 200, "OK")
		synctest.Wait()
		if _, _, stored := alice.Timers.Left(); stored != 0 {
			l.Errorf("%d dialogs stored after the BYE, want none", stored)
		}
	})
}

// A call that rang for long keeps its numbers and forks as long as any other: the ACK may
// come seconds after the 2xx, and be repeated, and another 2xx may come.
func TestAckAfterLongRinging(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		call, err := alice.Invite(context.Background(), peerURI)
		if err != nil {
			l.Fatal(err)
		}
		invite := p.ExpectRequest(l, sip.INVITE)
		answered := make(chan error, 1)
		go func() {
			answered <- call.WaitAnswer(context.Background(), sipgo.AnswerOptions{OnResponse: func(res *sip.Response) error {
				if res.StatusCode == 183 {
					go func() { _, _ = call.Do(context.Background(), sip.NewRequest(sip.INFO, peerURI)) }()
				}
				return nil
			}})
		}()
		p.Reply(invite, 183, "Session Progress")
		p.Reply(p.ExpectRequest(l, sip.INFO), 200, "OK")
		l.at(120 * time.Second)
		p.Reply(invite, 200, "OK", ours)
		if err := <-answered; err != nil {
			l.Fatal(err)
		}
		l.at(125 * time.Second)
		_ = call.Ack(context.Background())
		synctest.Wait()
		if ack := p.ExpectRequest(l, sip.ACK); ack.CSeq().SeqNo != invite.CSeq().SeqNo {
			l.Errorf("the ACK has CSeq %d, should have that of its INVITE, %d", ack.CSeq().SeqNo, invite.CSeq().SeqNo)
		}
	})
}

// A challenged refresh near the limit of a datagram goes out: the optional fields are left
// out of the authorized copy, as in the first attempt.
func TestChallengedRefreshNearTheLimit(t *testing.T) {
	for fill := 560; fill <= 652; fill += 4 {
		inLab(t, func(l *lab) {
			alice, p := l.alice(middleware.WithCredentials("lab", "alice", "secret"), middleware.WithMethod(sessiontimer.MethodReInvite)), l.peer()
			alice.SDP += "a=fill:" + strings.Repeat("x", fill) + "\r\n"
			l.callPeer(alice, p, ours)
			l.at(900 * time.Second)
			p.Reply(p.ExpectRequest(l, sip.INVITE), 401, "Unauthorized", `WWW-Authenticate: Digest realm="lab", nonce="n1", algorithm=MD5`)
			p.ExpectRequest(l, sip.ACK)
			synctest.Wait()
			m, ok := p.Recv(time.Second)
			if !ok {
				l.Errorf("%d bytes more: no authorized refresh", fill)
				return
			}
			if req := m.(*sip.Request); field(req, "Session-Expires") == "" && field(req, "Allow") != "" {
				l.Errorf("%d bytes more: the timer is left out before Allow", fill)
			}
		})
	}
}

// J-05: a callee that sends an UPDATE while it rings is reached by its peer's
// UPDATEs for as long as it rings.
func TestRingingAfterEarlyUpdate(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		answer := l.updateWhileRinging(bob)
		p.Invite(bob.Addr, timerHeader, allow)
		p.ExpectResponse(l, 180)
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK")
		l.at(60 * time.Second)
		p.Request(sip.UPDATE)
		p.ExpectResponse(l, 200)
		close(answer)
		p.Ack(p.ExpectResponse(l, 200))
		synctest.Wait()
		if _, _, stored := bob.Timers.Left(); stored != 1 {
			l.Errorf("%d dialogs stored, want that of the call", stored)
		}
	})
}

// After a restart, times count by the monotonic clock, which cannot be set.
func TestRestoredTimesAreMonotonic(t *testing.T) {
	since := time.Now().Add(-10 * time.Minute).Round(0)
	peer := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}
	d, bare := streamCall("restored", "udp", peer, 30*time.Minute), streamCall("without a timer", "udp", peer, 0)
	d.Session.Since, bare.Session = since, sessiontimer.Session{}
	ua, _ := sipgo.NewUA()
	defer func() { _ = ua.Close() }()
	taken := make(chan string, 2)
	timers, err := middleware.New(ua, middleware.WithLogger(sipua.Quiet), on(leftBehind(t, d, bare)), middleware.WithEventHandler(func(e sessiontimer.Event) {
		taken <- e.Info().CallID
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = timers.Close() }()
	if _, err := timers.NewServer(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		within(t, taken, "call of the process before")
	}
	got, err := timers.Store().Load(t.Context(), d.ID)
	if age := got.Session.Since.Sub(since).Abs(); err != nil || age > time.Minute || !strings.Contains(got.Session.Since.String(), " m=") {
		t.Errorf("restored since %v, want %v with a monotonic reading (%v)", got.Session.Since, since, err)
	}
	if got, err := timers.Store().Load(t.Context(), bare.ID); err != nil || !got.Session.Equal(sessiontimer.Session{}) {
		t.Errorf("restored %v of a call without a timer, want none (%v)", got.Session, err)
	}
}
