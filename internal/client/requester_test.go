package client

import (
	"context"
	"errors"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

// RFC 3262 §7.2: the RAck of a PRACK names the CSeq that the INVITE had on the wire. What
// is not a RAck stays as it is.
func TestRewriteRAck(t *testing.T) {
	var d dialogset.Dialog
	d.Count.GoOnAfter(40)
	d.Count.Number(1, true) // 41 on the wire
	for before, after := range map[string]string{
		"7 1 INVITE":           "7 41 INVITE",
		"7  1  INVITE":         "7 41 INVITE",
		"7 0 INVITE":           "7 0 INVITE",
		"7 1":                  "7 1",
		"7 1 INVITE x":         "7 1 INVITE x",
		"7 one INVITE":         "7 one INVITE",
		"7 4294967296 INVITE":  "7 4294967296 INVITE",
		"7 -1 INVITE":          "7 -1 INVITE",
		"99999999999 1 INVITE": "99999999999 41 INVITE",
	} {
		req := sip.NewRequest(sip.PRACK, sip.Uri{})
		req.AppendHeader(sip.NewHeader("rack", before))
		rewriteRAck(&d, req)
		if got := req.GetHeaders("rack"); len(got) != 1 || got[0].Value() != after {
			t.Errorf("%s becomes %v, want %s", before, got, after)
		}
	}
	bare := sip.NewRequest(sip.PRACK, sip.Uri{})
	if rewriteRAck(&d, bare); len(bare.Headers()) != 0 {
		t.Errorf("a PRACK without a RAck gets %v", bare.Headers())
	}
}

// What cannot be sent is an error for the application.
func TestNotSent(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		ctx := t.Context()
		for name, send := range map[string]func(*sip.Request) (sip.ClientTransaction, error){
			"a request": func(req *sip.Request) (sip.ClientTransaction, error) { return s.r.direct(ctx, req) },
			"an ACK": func(req *sip.Request) (sip.ClientTransaction, error) {
				req.Method = sip.ACK
				return s.r.direct(ctx, req)
			},
			"a relayed request": func(req *sip.Request) (sip.ClientTransaction, error) { return s.r.relay(ctx, req) },
		} {
			req := s.anInvite(t)
			req.SetTransport("NONE")
			if tx, err := send(req); err == nil || tx != nil {
				t.Errorf("%s: %v, %v; want an error", name, tx, err)
			}
		}
	})
}

// A request of the timers leaves through the client that began the call, else through that
// of the transport. Without either, or for a dialog that does not hold together, there is
// none.
func TestOwnRequestBy(t *testing.T) {
	inRequest(t, func(t *testing.T, r *requesting) {
		c, set := r.x.r.c, r.x.set
		d := aDialog()
		m := set.Ring("theirs", 1, dialogset.Told{})
		by := func(c *Client, d dialogstore.Dialog) (*ownRequest, error) {
			reason := sessiontimer.Reason{Cause: sessiontimer.CauseExpired}
			return c.dispatchBye(context.Background(), set, &d, byeOf{reason, failover.Key{}, toHangUp(true)})
		}
		o, err := by(c, d)
		if err != nil || o.r != r.x.r {
			t.Fatalf("%v, want that the client of the transport sends", err)
		}
		o.transaction().Terminate()
		nobody := New(c.calls, Sole{}, Credentials{}, func(*sip.Request) {})
		if _, err := by(nobody, d); !errors.Is(err, errNoClient) {
			t.Errorf("without a client: %v, want that", err)
		}
		broken := d
		broken.RemoteTarget = ""
		if _, err := by(c, broken); err == nil {
			t.Error("a dialog without a target: no error")
		}
		m.SendBy(r.x.r.client)
		o, err = by(nobody, d)
		if err != nil || o.r.client != r.x.r.client || o.r.c != nobody {
			t.Fatalf("%v, want that the client that began the call sends", err)
		}
		o.transaction().Terminate()
	})
}
