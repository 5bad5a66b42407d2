package client

import (
	"context"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// RFC 3261 §12.2.1.1: a request of the application gets the next CSeq of the dialog, which is
// stored with the destination that the application chose. Before a BYE the dialog was deleted.
func TestPlainRequest(t *testing.T) {
	for _, c := range []struct {
		method      sip.RequestMethod
		app         uint32 // CSeq of the application
		chosen      string
		led         bool
		wire, cseq  uint32 // on the wire, and stored after that
		destination string
	}{
		{sip.INFO, 3, "", false, 11, 11, ""},
		{sip.INFO, 20, "", false, 20, 20, ""},
		{sip.INFO, 3, elsewhere, false, 11, 11, elsewhere},
		{sip.INFO, 3, elsewhere, true, 11, 11, ""},
		{sip.BYE, 3, elsewhere, false, 11, 10, ""},
	} {
		inCall(t, nil, func(t *testing.T, call *call) {
			req := call.request(t, c.method, c.app)
			if c.chosen != "" {
				req.SetDestination(c.chosen)
			}
			tx, err := call.r.newPlainRequest(call.set, call.dialog, req, c.led).begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Terminate()
			if got := call.last(t).SIP.(*sip.Request); got.CSeq().SeqNo != c.wire || got.CSeq().MethodName != c.method || call.dialog.Count.WireCSeq(c.app) != c.app {
				t.Errorf("%s: CSeq %s, want %d, which is of no matter to an ACK", c.method, got.CSeq().Value(), c.wire)
			}
			if d := call.stored(t); d.LocalCSeq != c.cseq || d.Destination != c.destination {
				t.Errorf("%s, led: %t: stored are CSeq %d and destination %q, want %d and %q", c.method, c.led, d.LocalCSeq, d.Destination, c.cseq, c.destination)
			}
		})
	}
}

// A request is in progress until its transaction ends: an UPDATE of ours lets it go first, and
// no response passes through us.
func TestPlainRequestInProgress(t *testing.T) {
	inCall(t, nil, func(t *testing.T, c *call) {
		tx, err := c.r.newPlainRequest(c.set, c.dialog, c.request(t, sip.INFO, 3), false).begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, is := tx.(*sip.ClientTx); !is {
			t.Errorf("the application gets a %T, want the transaction of sipgo", tx)
		}
		time.AfterFunc(time.Second, tx.Terminate)
		begun := time.Now()
		if err := c.dialog.BeginOwn(t.Context(), func() {}, false); err != nil || time.Since(begun) != time.Second {
			t.Errorf("a refresh waits %v for it: %v; want a second", time.Since(begun), err)
		}
	})
}

// What was not sent is in progress no longer, however far it came.
func TestPlainRequestNotSent(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*sip.Request)
	}{
		{"no transaction", func(req *sip.Request) { req.SetTransport("NONE") }},
		{"not written", func(req *sip.Request) { req.SetBody(make([]byte, 1<<16)) }},
	} {
		inCall(t, nil, func(t *testing.T, call *call) {
			req := call.request(t, sip.INFO, 3)
			c.spoil(req)
			tx, err := call.r.newPlainRequest(call.set, call.dialog, req, false).begin(t.Context())
			if err == nil || tx != nil {
				t.Fatalf("%s: %v, %v; want an error", c.name, tx, err)
			}
			begun := time.Now()
			if err := call.dialog.BeginOwn(t.Context(), func() {}, false); err != nil || time.Since(begun) != 0 {
				t.Errorf("%s: a refresh waits %v: %v", c.name, time.Since(begun), err)
			}
			call.dialog.FinishOwn()
			call.dialog.Begin(context.Background(), sip.INFO)
			begun = time.Now()
			if _ = call.dialog.BeginOwn(t.Context(), func() {}, false); time.Since(begun) != sip.T2 {
				t.Errorf("%s: it is finished twice: a refresh waits %v for the next one", c.name, time.Since(begun))
			}
		})
	}
}
