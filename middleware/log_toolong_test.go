package middleware_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/transcript"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Where a datagram has no room for the timer, a line says so, and only there.
func TestTimerLeftOutIsLogged(t *testing.T) {
	for _, c := range []struct {
		line, tag string
		send      func(l *lab, logger middleware.Option, fill string) (sip.Message, bool)
	}{
		{"no session timer: with it the request would be too long for a datagram", "method=INVITE", func(l *lab, logger middleware.Option, fill string) (sip.Message, bool) {
			alice, p := l.alice(logger), l.peer()
			alice.SDP += fill
			stop, _ := l.dial(alice)
			defer stop()
			msg, ok := p.Recv(time.Second)
			if ok {
				p.Reply(msg.(*sip.Request), 486, "Busy Here")
				l.at(40 * time.Second)
			}
			return msg, ok
		}},
		{"no session timer: with it the response would be too long for a datagram", "local_tag=", func(l *lab, logger middleware.Option, fill string) (sip.Message, bool) {
			bob, p := l.bob(logger), l.peer()
			bob.SDP += fill
			p.Invite(bob.Addr, timerHeader, se1800)
			msg, ok := p.Recv(time.Second)
			if ok {
				p.Ack(msg.(*sip.Response))
			}
			return msg, ok
		}},
	} {
		t.Run(c.line, func(t *testing.T) {
			timed, bare := 0, 0
			for fill := 400; fill < 1000; fill += 10 {
				inLab(t, func(l *lab) {
					logs := new(transcript.Text)
					msg, ok := c.send(l, middleware.WithLogger(slog.New(slog.NewTextHandler(logs, nil))), "a=fill:"+strings.Repeat("x", fill)+"\r\n")
					synctest.Wait()
					lines := logs.Lines(`msg="` + c.line + `"`)
					switch {
					case !ok: // nor does the application's own message fit
					case len(msg.GetHeaders("Session-Expires")) > 0:
						if timed++; len(lines) != 0 {
							l.Errorf("with %d bytes more there is a timer, and %q", fill, lines)
						}
					default:
						bare++
						if len(lines) != 1 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], "call_id="+msg.CallID().Value()) || !strings.Contains(lines[0], c.tag) {
							l.Errorf("with %d bytes more there is no timer, and %q; want one line that names the call", fill, lines)
						}
					}
				})
			}
			if timed == 0 || bare == 0 {
				t.Errorf("%d messages with a timer and %d without, want some of each", timed, bare)
			}
		})
	}
}
