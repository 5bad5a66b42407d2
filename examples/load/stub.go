package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/inside"
)

// setUpStubs stores dialogs without INVITEs. Without a burst they look like calls that
// began one after the other until now, so that refreshes are due at a steady rate from
// the start.
func (l *load) setUpStubs(ctx context.Context) error {
	half := l.interval / 2
	steady := time.Now().Add(time.Second + time.Duration(l.calls)*10*time.Microsecond) // when all are stored
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	start := time.Now()
	store := inside.StoreOf(l.timers)
	for i := range l.calls {
		since := steady.Add(time.Duration(float64(i)/float64(l.calls)*float64(half)) - half)
		if l.burst > 0 {
			since = start.Add(time.Duration(float64(i) / float64(l.calls) * float64(l.burst)))
			for time.Now().Before(since) && ctx.Err() == nil {
				<-pause.C
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := store.Create(ctx, l.stub(i, since)); err != nil {
			return err
		}
		l.begun.Add(1)
		l.held.Add(1)
	}
	if l.burst == 0 {
		return sleepUntil(ctx, steady)
	}
	return nil
}

// stub returns a dialog as the middleware stores it when a call of ours is answered.
func (l *load) stub(i int, since time.Time) dialogstore.Dialog {
	addr := l.line.LocalAddr().String()
	d := dialogstore.Dialog{
		Origin: dialogstore.Origin{
			ID:         dialogstore.ID{CallID: fmt.Sprint(callIDs, i), LocalTag: fmt.Sprintf("%016x", i), RemoteTag: fmt.Sprintf("%016x", ^i)},
			Transport:  "udp",
			OwnsCallID: true,
			Policy:     l.policy(),
		},
		State: dialogstore.State{
			RemoteTarget: l.target.String(),
			Contact:      "<sip:load@" + addr + ">",
			LocalAddr:    addr,
			LocalCSeq:    1,
			SDP:          sdp,
			SDPType:      "application/sdp",
			Session:      sessiontimer.Session{Interval: l.interval, Refresher: sessiontimer.Local, Since: since},
			LastMethod:   string(sip.INVITE),
			PeerTimer:    true,
			PeerUpdate:   true,
		},
	}
	d.LocalURI = "<sip:load@" + addr + ">;tag=" + d.LocalTag
	d.RemoteURI = "<" + d.RemoteTarget + ">;tag=" + d.RemoteTag
	return d
}

// answerStubs answers every request at conn with 200 until conn is closed, and keeps no
// state.
func answerStubs(conn net.PacketConn) {
	buf := make([]byte, 1<<16)
	contact := sip.NewHeader("Contact", "<sip:answer@"+conn.LocalAddr().String()+">")
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		msg, err := sip.ParseMessage(append([]byte(nil), buf[:n]...))
		req, ok := msg.(*sip.Request)
		if err != nil || !ok || req.IsAck() {
			continue
		}
		_, _ = conn.WriteTo([]byte(stubAnswer(req, contact).String()), from)
	}
}

// stubAnswer grants what the request asks for.
func stubAnswer(req *sip.Request, contact sip.Header) *sip.Response {
	var body []byte
	if req.IsInvite() {
		body = sdp
	}
	res := sip.NewResponseFromRequest(req, sip.StatusOK, "OK", body)
	res.AppendHeader(contact)
	res.AppendHeader(sip.NewHeader("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE"))
	if req.IsInvite() {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	}
	if h := req.GetHeader(sessiontimer.HeaderSessionExpires); h != nil {
		if se, err := sessiontimer.ParseSessionExpires(h.Value()); err == nil {
			se.Refresher = sessiontimer.UAC
			res.AppendHeader(sip.NewHeader(sessiontimer.HeaderSessionExpires, se.String()))
			res.AppendHeader(sip.NewHeader("Require", sessiontimer.OptionTag))
		}
	}
	return res
}
