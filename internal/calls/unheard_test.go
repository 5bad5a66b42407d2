package calls

import (
	"context"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// A request in the peer's name goes to our Contact, or to our URI if the application
// sends no Contact.
func TestRequestOfPeer(t *testing.T) {
	for _, c := range []struct{ name, contact, want string }{
		{"to our Contact", "<sip:us@10.0.0.2:5070>;expires=60", "sip:us@10.0.0.2:5070"},
		{"no Contact", "", "sip:us@example.com"},
	} {
		var d dialogstore.Dialog
		d.CallID, d.LocalTag, d.RemoteTag = "call", "ours", "theirs"
		d.LocalURI, d.RemoteURI = "<sip:us@example.com>;tag=ours", "<sip:peer@example.com>;tag=theirs"
		d.Contact, d.RemoteTarget, d.Transport = c.contact, "sip:peer@10.0.0.9:5080", "UDP"
		req, err := requestOfPeer(d, sip.BYE, 17)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := req.Recipient.String(); got != c.want {
			t.Errorf("%s: it goes to %s, want %s", c.name, got, c.want)
		}
		if req.CSeq().SeqNo != 17 || req.From().Params.GetOr("tag", "") != "theirs" || req.To().Params.GetOr("tag", "") != "ours" ||
			req.Source() != "10.0.0.9:5080" {
			t.Errorf("%s: it is not the peer's:\n%s", c.name, req)
		}
	}
}

// A target or URI that leads nowhere makes no request in the peer's name.
func TestNoRequestOfPeer(t *testing.T) {
	d := ofPeer()
	d.RemoteTarget = ""
	if req, err := requestOfPeer(d, sip.BYE, 1); err == nil {
		t.Errorf("without a target:\n%s", req)
	}
	d = ofPeer()
	d.RemoteURI = "<sip:a\r\nb>"
	if req, err := requestOfPeer(d, sip.BYE, 1); err == nil {
		t.Errorf("with a URI of two lines:\n%s", req)
	}
}

// The transaction of a request in the peer's name ends once, and tells those who asked.
func TestUnheardTransaction(t *testing.T) {
	u := &unheardTx{done: make(chan struct{})}
	ended := 0
	if !u.OnTerminate(func(string, error) { ended++ }) || !u.OnCancel(func(*sip.Request) {}) || u.Acks() != nil || u.Err() != nil {
		t.Error("it refuses what a transaction must allow")
	}
	for _, c := range []struct {
		status   int
		accepted bool
	}{{180, false}, {486, false}, {200, true}, {487, true}} {
		if err := u.Respond(sip.NewResponse(c.status, "")); err != nil || u.accepted != c.accepted {
			t.Errorf("after a %d: accepted %v, %v; want %v", c.status, u.accepted, err, c.accepted)
		}
	}
	select {
	case <-u.Done():
		t.Error("it is done before its end")
	default:
	}
	u.Terminate()
	u.Terminate()
	<-u.Done()
	if ended != 1 {
		t.Errorf("those who asked were told %d times of the end, want once", ended)
	}
}

// Such a transaction is open while the handler runs, and ends with it, even if it panics.
func TestUnheardTransactionEnds(t *testing.T) {
	c, _ := observed(context.Background(), Config{})
	var seen []sip.ServerTransaction
	handler := func(req *sip.Request, tx sip.ServerTransaction) {
		select {
		case <-tx.Done():
			t.Errorf("%s: the transaction has ended before its handler", req.Method)
		default:
		}
		seen = append(seen, tx)
		if req.IsInvite() {
			_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
			return
		}
		if req.Method == sip.BYE {
			panic("on purpose")
		}
	}
	c.SetApplication(Application{Bye: handler, Media: handler, Ack: handler})
	c.reInviteApplication(ofPeer())
	c.byeApplication(ofPeer(), sessiontimer.Reason{})
	for _, tx := range seen {
		select {
		case <-tx.Done():
		default:
			t.Error("a transaction is open after its handler")
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d handlers were called, want those of INVITE, ACK and BYE", len(seen))
	}
}
