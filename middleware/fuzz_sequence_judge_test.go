package middleware_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// perPacket is the most packets that a subject may send for one received: two requests, or
// a 2xx and a request, with all retransmissions.
const perPacket = 22

// judge checks a subject after a long silence.
func (s script) judge(t *testing.T, n *sipnet.Network, bob *subject, a *attacker) {
	up := make(map[sessiontimer.Call]bool)
	for _, d := range bob.alive() {
		up[callOf(d)] = true
	}
	for d, err := range bob.timers.Store().All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		id := sessiontimer.Call{CallID: d.CallID, LocalTag: d.LocalTag, RemoteTag: d.RemoteTag}
		switch {
		case d.Session.Active() && time.Now().After(d.Session.ExpiresAt()):
			t.Errorf("a session of %v that expired at %v is still there", d.Session.Interval, d.Session.ExpiresAt())
		case !up[id]:
			t.Errorf("a dialog is kept that the application does not have: %+v", id)
		}
	}
	s.judgeWire(t, n, bob)
	bob.mu.Lock()
	for _, e := range bob.events {
		// sipgo does not find a dialog that the application has not acknowledged.
		if e, ok := e.(sessiontimer.Expired); ok && !bob.silent && up[sessiontimer.Call{CallID: e.CallID, LocalTag: e.LocalTag, RemoteTag: e.RemoteTag}] {
			t.Errorf("the application is not told that its call ended: %+v", e)
		}
	}
	bob.mu.Unlock()
	if _, watched, _ := bob.timers.Left(); watched != 0 {
		t.Errorf("%d schedules are left", watched)
	}

	out, in := 0, a.in+s.own()
	for _, m := range n.Messages() {
		if m.From == bob.addr {
			out++
		}
	}
	if out > perPacket*in {
		t.Errorf("%d packets out for %d in, want %d for one at most", out, in, perPacket)
	}

	var all sync.WaitGroup
	for _, d := range bob.alive() {
		all.Go(func() { hangUp(d) })
	}
	all.Wait()
	time.Sleep(64*sip.T1 + 6*time.Second)
	synctest.Wait()
	if legs, watched, stored := bob.timers.Left(); legs+watched+stored != 0 {
		t.Errorf("after the end of all calls %d legs, %d schedules, %d dialogs are left", legs, watched, stored)
	}
}

// judgeWire checks the requests of the timers. Those of the application are marked, or are
// CANCEL, ACK, a first INVITE, or a BYE without Reason.
func (s script) judgeWire(t *testing.T, n *sipnet.Network, bob *subject) {
	proved := make(map[sessiontimer.Call]bool)
	for _, m := range n.Messages() {
		msg := m.SIP
		if msg == nil || msg.To() == nil || msg.From() == nil || msg.CallID() == nil {
			continue
		}
		id := sessiontimer.Call{CallID: msg.CallID().Value(), LocalTag: tagOf(msg.From().Params), RemoteTag: tagOf(msg.To().Params)}
		req, isRequest := msg.(*sip.Request)
		switch {
		case m.From != bob.addr && isRequest:
			id.LocalTag, id.RemoteTag = id.RemoteTag, id.LocalTag
			fallthrough
		case m.From != bob.addr:
			proved[id] = true
			continue
		case !isRequest:
			continue
		}
		refresh := (req.IsInvite() || req.Method == sip.UPDATE) && id.RemoteTag != "" && req.GetHeader(fromApplication) == nil
		if !refresh && req.GetHeader("Reason") == nil {
			continue
		}
		head, _, _ := bytes.Cut(m.Raw, []byte("\r\n\r\n"))
		if bytes.ContainsFunc(bytes.ReplaceAll(head, []byte("\r\n"), nil), unicode.IsControl) {
			t.Errorf("%v: control characters in %q", m.At, head)
		}
		if !proved[id] {
			t.Errorf("%v: %s to a peer that has not shown our tag", m.At, req.Method)
		}
	}
}

// own returns the number of requests that the application may have sent itself.
func (s script) own() int {
	n := int(s.begins%2) + 2
	for _, st := range s.steps {
		if op := st.op % ops; op == opAppBye || op == opAppRequest {
			n++
		}
	}
	return n
}

// hangUp ends a call of the application. sipgo's Bye sends nothing in one that was never
// acknowledged.
func hangUp(d dialog) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, ours := d.(*sipgo.DialogClientSession)
	if !ours || c.LoadState() == sip.DialogStateConfirmed {
		_ = d.Bye(ctx)
		return
	}
	bye := sip.NewRequest(sip.BYE, c.InviteRequest.Recipient)
	if contact := c.InviteResponse.Contact(); contact != nil {
		bye.Recipient = contact.Address
	}
	if tx, err := c.TransactionRequest(ctx, bye); err == nil {
		tx.Terminate()
	}
}

// callOf names the dialog as events do.
func callOf(d dialog) sessiontimer.Call {
	switch d := d.(type) {
	case *sipgo.DialogServerSession:
		return sessiontimer.Call{CallID: d.InviteRequest.CallID().Value(), LocalTag: tagOf(d.InviteRequest.To().Params), RemoteTag: tagOf(d.InviteRequest.From().Params)}
	case *sipgo.DialogClientSession:
		return sessiontimer.Call{CallID: d.InviteRequest.CallID().Value(), LocalTag: tagOf(d.InviteRequest.From().Params), RemoteTag: tagOf(d.InviteResponse.To().Params)}
	}
	return sessiontimer.Call{}
}

func tagOf(params sip.HeaderParams) string { return params.GetOr("tag", "") }
