package upstream

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// ending is a requester whose CANCELs are terminated while they wait.
type ending struct {
	client *sipgo.Client
	over   chan struct{}
}

func (e ending) Request(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	tx, err := e.client.TransactionLayer().NewClientTransaction(ctx, req)
	if err != nil {
		return nil, err
	}
	if req.IsCancel() {
		// What else waits for the end is told before Err says why.
		tx.OnTerminate(func(string, error) { <-e.over })
		defer func() { go tx.Terminate() }()
	}
	return tx, tx.Init()
}

// TestCancelWithoutAnswer: a transaction that is terminated is done before it has an
// error, and a dialog whose CANCEL ends so reads a response that is not there.
func TestCancelWithoutAnswer(t *testing.T) {
	online(t, func(t *testing.T, _ *sipgo.Server, dialogs *sipgo.DialogUA, peer *sipnet.Peer) {
		over := make(chan struct{})
		dialogs.Client.TxRequester = ending{dialogs.Client, over}
		d, err := dialogs.Invite(t.Context(), uri(t, peerAddr), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan string, 1)
		go func() {
			defer func() { result <- fmt.Sprint(recover()) }()
			_ = d.WaitAnswer(ctx, sipgo.AnswerOptions{})
		}()
		invite := peer.ExpectRequest(t, sip.INVITE)
		peer.Reply(invite, 180, "Ringing")
		synctest.Wait()
		cancel()
		if got := <-result; !strings.Contains(got, "nil pointer") {
			t.Errorf("the dialog waits, and gets %s: mended", got)
		}
		close(over)
		peer.Reply(invite, 487, "Request Terminated")
		synctest.Wait()
	})
}
