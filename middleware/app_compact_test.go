package middleware_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// wantBoth checks all fields of the two names, each in either form.
func (l *lab) wantBoth(m sip.Message, sessionExpires, supported string) {
	l.Helper()
	got := append(values(m, "Session-Expires"), values(m, "x")...)
	got = append(got, append(values(m, "Supported"), values(m, "k")...)...)
	var want []string
	for _, v := range []string{sessionExpires, supported} {
		if v != "" {
			want = append(want, v)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		l.Errorf("A-02: Session-Expires and Supported of the %s, in either form (-want +got):\n%s", sipnet.Label(m), diff)
	}
}

// A-02, J-23: an application may write the compact names. Its message has one field of
// each then, with what the application wrote and what we add.
func TestCompactNamesOfTheApplication(t *testing.T) {
	t.Run("A-02 INVITE, UPDATE and CANCEL", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			invite := sip.NewRequest(sip.INVITE, peerURI)
			write(invite, []string{"Contact: <sip:alice@" + aliceAddr + ">", "k: 100rel", "x: 600;refresher=uac"})
			tx, err := alice.Client.TransactionRequest(context.Background(), invite)
			if err != nil {
				l.Fatal(err)
			}
			got := p.ExpectRequest(l, sip.INVITE)
			l.wantBoth(got, "600;refresher=uac", "100rel, timer")
			p.Reply(got, 180, "Ringing")
			<-tx.Responses()
			cancel := sip.NewRequest(sip.CANCEL, peerURI)
			for _, h := range []sip.Header{invite.Via(), invite.From(), invite.To(), invite.CallID()} {
				cancel.AppendHeader(sip.HeaderClone(h))
			}
			cancel.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.CANCEL})
			write(cancel, []string{"k: 100rel"})
			ctx, stop := context.WithCancel(context.Background())
			go func() { _, _ = alice.Client.Do(ctx, cancel) }()
			l.wantBoth(p.ExpectRequest(l, sip.CANCEL), "", "100rel, timer")
			stop()
			tx.Terminate()
			synctest.Wait()
		})
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			d := l.callPeer(alice, p, allow, ours)
			update := sip.NewRequest(sip.UPDATE, peerURI)
			write(update, []string{"k: 100rel", "x: 60"})
			go func() { _, _ = d.Do(context.Background(), update) }()
			got := p.ExpectRequest(l, sip.UPDATE)
			l.wantBoth(got, "1800;refresher=uac", "100rel, timer")
			p.Reply(got, 200, "OK", ours)
		})
	})
	t.Run("A-02 200", func(t *testing.T) {
		inLab(t, func(l *lab) {
			bob, p := l.bob(), l.peer()
			bob.Accept = func(d *sipgo.DialogServerSession) {
				res := sip.NewSDPResponseFromRequest(d.InviteRequest, []byte(bob.SDP))
				write(res, []string{"k: replaces", "x: 600;refresher=uas"})
				_ = d.WriteResponse(res)
			}
			_, res := l.peerCalls(p, bob, timerHeader, "Session-Expires: 1800")
			l.wantBoth(res, "600;refresher=uas", "replaces, timer")
			for _, e := range bob.Events() {
				if c := e.Info(); c.Interval != seconds(600) || c.Refresher != sessiontimer.Local {
					l.Errorf("the timer runs for %v, refreshed by %v; want what the 200 says", c.Interval, c.Refresher)
				}
			}
		})
	})
	// E-41: what we support while we ring is what the application says then.
	t.Run("A-02 early UPDATE that requires an extension", func(t *testing.T) {
		inLab(t, func(l *lab) {
			bob, p := l.bob(), l.peer()
			answer := make(chan struct{})
			bob.Accept = func(d *sipgo.DialogServerSession) {
				_ = d.Respond(183, "Session Progress", nil, sip.NewHeader("k", "precondition"))
				<-answer
				_ = d.RespondSDP([]byte(bob.SDP))
			}
			p.Invite(bob.Addr, timerHeader, allow, se1800)
			p.ExpectResponse(l, 183)
			p.Request(sip.UPDATE, timerHeader, "Require: precondition")
			wantStatus(l, p, "the early UPDATE", 200)
			p.Request(sip.UPDATE, timerHeader, "Require: foo")
			wantStatus(l, p, "the early UPDATE with what nobody supports", 420)
			close(answer)
			p.Ack(p.ExpectResponse(l, 200))
		})
	})
}
