package upstream

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// TestAnswerSentAgainLate: a dialog sends its 2xx again after 0.5 s and then every 4 s.
// The pauses should double, so that two lost ones cost the caller 1.5 s and not 4.5
// (RFC 3261 §13.3.1.4).
func TestAnswerSentAgainLate(t *testing.T) {
	online(t, func(t *testing.T, srv *sipgo.Server, dialogs *sipgo.DialogUA, peer *sipnet.Peer) {
		srv.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
			if call, err := dialogs.ReadInvite(req, tx); err != nil {
				t.Error(err)
			} else {
				_ = call.Respond(200, "OK", nil)
			}
		})
		start := time.Now()
		peer.Invite(ourAddr)
		var sent []time.Duration
		for range 4 {
			if _, ok := peer.RecvAny(time.Minute); ok {
				sent = append(sent, time.Since(start))
			}
		}
		if want := []time.Duration{0, 500 * time.Millisecond, 4500 * time.Millisecond, 8500 * time.Millisecond}; !slices.Equal(sent, want) {
			t.Errorf("the 200 was sent at %v: mended", sent)
		}
		time.Sleep(time.Minute) // until it gives up
		synctest.Wait()
	})
}
