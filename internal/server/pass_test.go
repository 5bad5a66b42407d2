package server

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

// A PRACK or early UPDATE of nobody that is known passes untouched.
func TestPassUnknown(t *testing.T) {
	s := New(calls.New(context.Background(), calls.Config{Log: slog.New(slog.DiscardHandler)}), nil)
	s.calls.Sets.Open("call", "ours").Ring("theirs", 1, dialogset.Told{})
	s.calls.Sets.Open("call", "calling").Invite(sessiontimer.DefaultPolicy())
	request := func(theirs, ours, body string) *sip.Request {
		req := taggedRequest(sip.PRACK, theirs, ours)
		req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		req.SetBody([]byte(body))
		return req
	}
	const sdp = "v=0\r\n"
	for _, c := range []struct {
		name               string
		theirs, ours, body string
		noted              bool
	}{
		{"in an early dialog", "theirs", "ours", sdp, true},
		{"while our INVITE rings", "anybody's", "calling", sdp, true},
		{"without a description", "theirs", "ours", "", false},
		{"in a call that is not known", "theirs", "others", sdp, false},
		{"of another dialog", "others", "ours", sdp, false},
	} {
		tx, given := new(keeping), sip.ServerTransaction(nil)
		s.pass(func(_ *sip.Request, tx sip.ServerTransaction) { given = tx }, request(c.theirs, c.ours, c.body), tx)
		if given == nil || (given != sip.ServerTransaction(tx)) != c.noted {
			t.Errorf("%s: the application gets %T, want its answer noted: %t", c.name, given, c.noted)
		}
	}
	bare, passed := request("theirs", "ours", sdp), false
	bare.RemoveHeader("CSeq")
	if s.pass(func(req *sip.Request, _ sip.ServerTransaction) { passed = req == bare }, bare, new(keeping)); !passed {
		t.Error("one without a number is not passed")
	}
}

// RFC 3311 §5.1: what a PRACK or early UPDATE offers is agreed once its 2xx has left. A refusal,
// a 2xx that could not be sent, and a handler that says nothing leave what was agreed, and the
// next offer is an offer again.
func TestPassedOffer(t *testing.T) {
	answer := func(req *sip.Request, status int) *sip.Response {
		res := sip.NewResponseFromRequest(req, status, "", []byte(oursSDP))
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		return res
	}
	for _, c := range []struct {
		name   string
		status int // 0 for no response
		fails  error
		agreed bool
	}{
		{"accepted", 200, nil, true},
		{"refused", 488, nil, false},
		{"accepted, but not sent", 200, errors.New("of the test"), false},
		{"not answered", 0, nil, false},
	} {
		d := newDesk(t.Context())
		early := d.calls.Sets.Open("call", "ours").Ring("theirs", 1, dialogset.Told{})
		tx := &keeping{fails: c.fails}
		d.pass(func(req *sip.Request, tx sip.ServerTransaction) {
			if c.status == 0 {
				return
			}
			if err := tx.Respond(answer(req, c.status)); !errors.Is(err, c.fails) {
				t.Errorf("%s: %v, want %v", c.name, err, c.fails)
			}
		}, fromPeer(t, "UPDATE", "ours", otherSDP), tx)
		if got := string(early.Agreed().Peers.Body) == otherSDP; got != c.agreed || early.Uncommitted() {
			t.Errorf("%s: agreed %t, want %t; uncommitted %t", c.name, got, c.agreed, early.Uncommitted())
		}
		d.pass(func(req *sip.Request, tx sip.ServerTransaction) { _ = tx.Respond(answer(req, 200)) }, fromPeer(t, "UPDATE", "ours", "CSeq: 3 UPDATE", theirsSDP), new(keeping))
		if got := string(early.Agreed().Peers.Body); got != theirsSDP {
			t.Errorf("%s: after the next offer the peer's is %q", c.name, got)
		}
	}
}

// While the answer to a passed offer is on its way, whoever acts on the dialog waits for what
// comes of it: the peer may be quicker than we are.
func TestPassedAnswerIsAwaited(t *testing.T) {
	d := newDesk(t.Context())
	early := d.calls.Sets.Open("call", "ours").Ring("theirs", 1, dialogset.Told{})
	sent := false
	tx := &watched{func(*sip.Response) { sent = early.Uncommitted() }, new(keeping)}
	d.pass(func(req *sip.Request, tx sip.ServerTransaction) {
		_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
	}, fromPeer(t, "UPDATE", "ours", otherSDP), tx)
	if !sent || early.Uncommitted() {
		t.Errorf("uncommitted while it is sent: %t, after that: %t; want true, false", sent, early.Uncommitted())
	}
}
