package middleware_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/internal/transcript"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// A header field that cannot be parsed is logged once, with the dialog, whatever message of
// the peer it is in.
func TestMalformedIsLogged(t *testing.T) {
	const malformed = "Session-Expires: abc"
	for _, c := range []struct {
		name     string
		us, addr string
		begin    func(l *lab, u *sipua.UA, p *sipnet.Peer)
		then     func(l *lab, p *sipnet.Peer)
		ourTag   bool // there is one by then
	}{
		{name: "the first INVITE", us: "bob", addr: bobAddr, begin: func(l *lab, u *sipua.UA, p *sipnet.Peer) { l.peerCalls(p, u, malformed) }},
		{name: "a re-INVITE", us: "bob", addr: bobAddr,
			begin: func(l *lab, u *sipua.UA, p *sipnet.Peer) { l.peerCalls(p, u, timerHeader, se1800) },
			then: func(l *lab, p *sipnet.Peer) {
				p.Request(sip.INVITE, timerHeader, malformed, sipnet.SDP)
				p.Ack(wantStatus(l, p, "the re-INVITE", 200))
			}, ourTag: true},
		{name: "an UPDATE", us: "bob", addr: bobAddr,
			begin: func(l *lab, u *sipua.UA, p *sipnet.Peer) { l.peerCalls(p, u, timerHeader, se1800) },
			then: func(l *lab, p *sipnet.Peer) {
				p.Request(sip.UPDATE, timerHeader, malformed)
				wantStatus(l, p, "the UPDATE", 200)
			}, ourTag: true},
		{name: "the answer to our INVITE", us: "alice", addr: aliceAddr,
			begin: func(l *lab, u *sipua.UA, p *sipnet.Peer) { l.callPeer(u, p, malformed) }, ourTag: true},
		{name: "the answer to our refresh", us: "alice", addr: aliceAddr,
			begin: func(l *lab, u *sipua.UA, p *sipnet.Peer) { l.callPeer(u, p, ours, allow) },
			then: func(l *lab, p *sipnet.Peer) {
				l.at(900 * time.Second)
				p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", malformed)
			}, ourTag: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				logs := new(transcript.Text)
				u, p := l.ua(c.us, c.addr, middleware.WithLogger(slog.New(slog.NewTextHandler(logs, nil)))), l.peer()
				if c.begin(l, u, p); c.then != nil {
					if n := logs.Count("malformed"); n != 0 {
						l.Errorf("logged %d times before it came", n)
					}
					c.then(l, p)
				}
				synctest.Wait()
				lines := logs.Lines("malformed")
				if len(lines) != 1 {
					l.Fatalf("logged as %q, want one line", lines)
				}
				id := stored(u)[0].ID
				want := []string{"level=WARN", "call_id=" + id.CallID, "remote_tag=" + id.RemoteTag, "error="}
				if c.ourTag {
					want = append(want, "local_tag="+id.LocalTag)
				}
				for _, part := range want {
					if !strings.Contains(lines[0], part) {
						l.Errorf("the line %q lacks %s", lines[0], part)
					}
				}
			})
		})
	}
}
