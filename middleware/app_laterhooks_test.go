package middleware_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// A 2xx to a later INVITE of the application that comes again reaches its hook, which
// acknowledges it once more (RFC 3261 §13.2.2.4).
func TestAnswerToLaterInviteComesAgain(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		d := l.callPeer(alice, p, allow, ours)
		tx, err := d.TransactionRequest(l.Context(), sip.NewRequest(sip.INVITE, peerURI))
		if err != nil {
			l.Fatal(err)
		}
		again := 0
		tx.OnRetransmission(func(*sip.Response) { again++ })
		invite := p.ExpectRequest(l, sip.INVITE)
		for copies := range 3 {
			p.Reply(invite, 200, "OK", timerHeader, ours)
			if copies == 0 {
				<-tx.Responses()
			}
			if synctest.Wait(); again != copies {
				l.Errorf("the 200 came %d times, the hook was called %d times", copies+1, again)
			}
		}
	})
}

// An application that reads no response to a later request of its own holds up no refresh: the
// request is over when its transaction ends.
func TestLaterResponsesUnread(t *testing.T) {
	for _, method := range []sip.RequestMethod{sip.INVITE, sip.UPDATE} {
		t.Run(string(method), func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(middleware.WithJitter(0)), l.peer()
				d := l.callPeer(alice, p, allow, ours)
				tx, err := d.TransactionRequest(l.Context(), sip.NewRequest(method, peerURI))
				if err != nil {
					l.Fatal(err)
				}
				p.ExpectRequest(l, method)
				var told error
				tx.OnTerminate(func(_ string, err error) { told = err })
				l.at(64*sip.T1 + time.Second)
				if told == nil || tx.Err() == nil {
					l.Errorf("without a response the hook gets %v and the transaction says %v, want why it ended", told, tx.Err())
				}
				for ok := true; ok; _, ok = p.Recv(time.Millisecond) { // its copies
				}
				l.at(899 * time.Second)
				p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", ours)
			})
		})
	}
}
