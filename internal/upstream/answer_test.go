package upstream

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// TestRefusedAnswerIsRepeated: a 200 to an INVITE that the caller has cancelled is
// refused, but kept: it goes out where the 487 is to come again.
func TestRefusedAnswerIsRepeated(t *testing.T) {
	ringing, refused := make(chan struct{}), make(chan error, 1)
	ask := serve(t, func(srv *sipgo.Server) {
		srv.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
			cancelled := make(chan struct{})
			tx.OnCancel(func(*sip.Request) { close(cancelled) })
			close(ringing)
			_ = tx.Respond(sip.NewResponseFromRequest(req, 180, "Ringing", nil))
			<-cancelled
			refused <- tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
		})
	})
	ask(request("INVITE"), 5*time.Second)
	<-ringing
	cancel := strings.Replace(request("CANCEL"), "z9hG4bKCANCEL", "z9hG4bKINVITE", 1)
	if got := ask(cancel, 5*time.Second); !strings.Contains(got, "CSeq: 1 CANCEL") {
		t.Fatalf("got %q, want the 200 to the CANCEL", got)
	}
	if got := ask("", 5*time.Second); !strings.HasPrefix(got, "SIP/2.0 487") {
		t.Fatalf("got %q, want a 487", got)
	}
	if err := <-refused; !errors.Is(err, sip.ErrTransactionCanceled) {
		t.Errorf("Respond returns %v: mended", err)
	}
	if got := ask("", 5*time.Second); !strings.HasPrefix(got, "SIP/2.0 200") {
		t.Errorf("got %q again: mended", got)
	}
}

// TestErrorOutlivesAnswer: a shorter 200 to an INVITE after one that was too long goes
// out, and one after the handler has returned; Respond returns the error of before.
func TestErrorOutlivesAnswer(t *testing.T) {
	for name, handler := range map[string]func(*sip.Request, sip.ServerTransaction, chan<- error){
		"too long": func(req *sip.Request, tx sip.ServerTransaction, result chan<- error) {
			_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", make([]byte, 1400)))
			result <- tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
		},
		"handler returned": func(req *sip.Request, tx sip.ServerTransaction, result chan<- error) {
			go func() {
				<-tx.Done()
				result <- tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
			}()
		},
	} {
		t.Run(name, func(t *testing.T) {
			result := make(chan error, 1)
			ask := serve(t, func(srv *sipgo.Server) {
				srv.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) { handler(req, tx, result) })
			})
			if got := ask(request("INVITE"), 5*time.Second); !strings.HasPrefix(got, "SIP/2.0 200") {
				t.Errorf("got %q: mended", got)
			}
			if err := <-result; err == nil {
				t.Error("Respond returns no error: mended")
			}
		})
	}
}
