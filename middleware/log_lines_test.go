package middleware_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/internal/transcript"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// What an operator reads of a call that has no timer, or was refused or cut here: one line
// for each, with the dialog as far as it is known.
func TestLinesOfTrouble(t *testing.T) {
	type scene func(l *lab, u *sipua.UA, p *sipnet.Peer)
	for _, c := range []struct {
		text     string
		us, addr string
		opts     []middleware.Option
		play     scene
		want     []string // in the line, beside the Call-ID
	}{
		{"request refused with 422: session interval too small", "bob", bobAddr, nil, func(l *lab, _ *sipua.UA, p *sipnet.Peer) {
			p.Invite(bobAddr, timerHeader, "Session-Expires: 60")
			wantStatus(l, p, "the INVITE", 422)
		}, []string{"level=INFO", "remote_tag=", "interval=1m0s", "min_se=1m30s"}},
		{"request refused with 420: it requires an unsupported extension", "bob", bobAddr, nil, func(l *lab, u *sipua.UA, p *sipnet.Peer) {
			l.peerCalls(p, u, timerHeader, se1800)
			p.Request(sip.UPDATE, "Require: foo, bar")
			wantStatus(l, p, "the UPDATE", 420)
		}, []string{"level=INFO", "local_tag=", "remote_tag=", "method=UPDATE", `require="foo, bar"`}},
		{"no ACK for the 2xx: the call has no session timer from now on", "bob", bobAddr, nil, func(l *lab, _ *sipua.UA, p *sipnet.Peer) {
			p.Invite(bobAddr, timerHeader, se1800)
			wantStatus(l, p, "the INVITE", 200)
			l.at(64*sip.T1 + time.Second)
		}, []string{"level=INFO", "local_tag=", "remote_tag="}},
		{"no session timer for the call", "alice", aliceAddr, nil, func(l *lab, u *sipua.UA, p *sipnet.Peer) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			go func() { _, _ = u.TryURI(ctx, peerURI) }()
			p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", allow, ours, "Call-ID: other")
			l.at(time.Minute)
		}, []string{"level=WARN", "local_tag=", "remote_tag=", "error="}},
		{"the peer did not answer the BYE", "alice", aliceAddr, nil, func(l *lab, u *sipua.UA, p *sipnet.Peer) {
			l.callPeer(u, p, ours, allow)
			l.at(1000 * time.Second)
		}, []string{"level=INFO", "local_tag=", "remote_tag=", "error="}},
		{"no usable answer at this address of the peer", "bob", bobAddr, nil, func(l *lab, u *sipua.UA, p *sipnet.Peer) {
			contact := "Contact: <sip:peer@" + elsewhere + ">"
			l.peerCalls(p, u, timerHeader, allow, weRefresh, contact)
			l.at(912 * time.Second)
			l.refreshedBy(p, sip.UPDATE, contact)
		}, []string{"level=INFO", "local_tag=", "remote_tag=", "method=UPDATE", "address=" + elsewhere, "status=0", "error=", "addresses_left=1"}},
		{"the policy function returned an invalid policy, using the default", "bob", bobAddr, []middleware.Option{
			middleware.WithPolicyFunc(func(_ *sip.Request, _ bool, p sessiontimer.Policy) sessiontimer.Policy {
				p.MinSE = time.Second
				return p
			}),
		}, func(l *lab, u *sipua.UA, p *sipnet.Peer) { l.peerCalls(p, u, timerHeader, se1800) }, []string{"level=ERROR", "error=", "MinSE"}},
	} {
		t.Run(c.text, func(t *testing.T) {
			inLab(t, func(l *lab) {
				logs := new(transcript.Text)
				opts := append([]middleware.Option{middleware.WithLogger(slog.New(slog.NewTextHandler(logs, nil)))}, c.opts...)
				c.play(l, l.ua(c.us, c.addr, opts...), l.peer())
				synctest.Wait()
				lines := logs.Lines(`msg="` + c.text + `"`)
				if len(lines) != 1 {
					l.Fatalf("%d lines, want one, in\n%s", len(lines), logs)
				}
				id := l.net.Messages()[0].SIP.CallID().Value()
				for _, part := range append(c.want, "call_id="+id) {
					if !strings.Contains(lines[0], part) {
						l.Errorf("the line %q lacks %s", lines[0], part)
					}
				}
			})
		})
	}
}
