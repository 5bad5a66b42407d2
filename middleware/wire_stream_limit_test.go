package middleware_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
)

// A message that just fits a stream without timers fits with them: sipgo closes a stream on
// a larger one.
func TestLargestOfStream(t *testing.T) {
	for _, from := range []string{"caller", "callee"} {
		t.Run(from, func(t *testing.T) {
			base := largeCall(t, from, false, 0)
			for room := 0; room < 500; room += 20 {
				fill := sip.ParseMaxMessageLength - room - base
				if length := largeCall(t, from, false, fill); length != sip.ParseMaxMessageLength-room {
					t.Fatalf("the call without timers fails, or its message has %d bytes; want %d", length, sip.ParseMaxMessageLength-room)
				}
				if length := largeCall(t, from, true, fill); length == 0 || length > sip.ParseMaxMessageLength {
					t.Errorf("%d bytes without timers: with them the call fails, or has %d bytes", sip.ParseMaxMessageLength-room, length)
				}
			}
		})
	}
}

// largeCall makes a call over TCP whose INVITE or 200, depending on the sender, is padded. It
// returns the length of that message, 0 if the call fails.
func largeCall(t *testing.T, from string, timers bool, fill int) (length int) {
	bubble.Test(t, func(t *testing.T) {
		n := sipnet.New()
		make := func(name, addr string, timers bool) *sipua.UA {
			if timers {
				return sipua.New(t, n, name, addr, "tcp")
			}
			return sipua.Stock(t, n, name, addr, "tcp")
		}
		alice := make("alice", aliceAddr, timers && from == "caller")
		bob := make("bob", bobAddr, timers && from == "callee")
		n.ConnectTCP(aliceAddr, bobAddr)
		synctest.Wait()
		filling := []sip.Header{sip.NewHeader("X-Fill", strings.Repeat("x", max(0, fill))), numbered()}
		headers, label := filling, "INVITE"
		if from == "callee" {
			headers, label = []sip.Header{sip.NewHeader("Supported", "timer"), sip.NewHeader("Session-Expires", "1800"), numbered()}, "200 OK (INVITE)"
			bob.Accept = func(d *sipgo.DialogServerSession) {
				_ = d.Respond(200, "OK", []byte(bob.SDP), filling[0], sip.NewHeader("Content-Type", "application/sdp"))
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		to := sip.Uri{Scheme: "sip", User: "bob", Host: "10.0.0.2", Port: 5060, UriParams: sip.NewParams()}
		to.UriParams.Add("transport", "tcp")
		if _, err := alice.TryURI(ctx, to, headers...); err == nil {
			for _, m := range n.Messages() {
				if m.SIP != nil && sipnet.Label(m.SIP) == label {
					length = len(m.Raw)
				}
			}
		}
		synctest.Wait()
		sipua.Stop(n, alice, bob)
	})
	return length
}
