package middleware_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// options is a request that does not concern the timers, as it arrives.
var options = []byte("OPTIONS sip:bob@10.0.0.2:5060 SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK.AbCdEfGhIjKlMnOp\r\n" +
	"Max-Forwards: 70\r\n" +
	"From: <sip:alice@10.0.0.1>;tag=a1b2c3d4e5f6a7b8\r\n" +
	"To: <sip:bob@10.0.0.2>\r\n" +
	"Call-ID: 0f9fa9f2-9a4c-4f0a-8a5c-1d2e3f4a5b6c\r\n" +
	"CSeq: 1 OPTIONS\r\n" +
	"Contact: <sip:alice@10.0.0.1:5060>\r\n" +
	"Content-Length: 0\r\n\r\n")

// chain is a handler with or without the timers.
func chain(b testing.TB, e end, next sipgo.RequestHandler) sipgo.RequestHandler {
	b.Helper()
	if e == stock {
		return next
	}
	ua, _ := sipgo.NewUA()
	timers, err := middleware.New(ua, middleware.WithLogger(sipua.Quiet))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _, _ = timers.Close(), ua.Close() })
	return timers.Handler(next)
}

// other handles one message of a method that does not concern the timers.
var other = []struct {
	side string
	make func(b testing.TB, e end) func()
}{
	{"handler", passOptions},
	{"server", handleOptions},
	{"client-options", sendOptions},
	{"client-info", sendInfo},
}

// passOptions only passes a parsed request to the chain.
func passOptions(b testing.TB, e end) func() {
	m, err := sip.ParseMessage(options)
	if err != nil {
		b.Fatal(err)
	}
	handle := chain(b, e, func(*sip.Request, sip.ServerTransaction) {})
	return func() { handle(m.(*sip.Request), nil) }
}

// handleOptions reads a request, passes it to the chain and prints the answer.
func handleOptions(b testing.TB, e end) func() {
	handle := chain(b, e, func(req *sip.Request, _ sip.ServerTransaction) {
		_ = sip.NewResponseFromRequest(req, sip.StatusOK, "OK", nil).String()
	})
	return func() {
		m, err := sip.ParseMessage(options)
		if err != nil {
			b.Fatal(err)
		}
		handle(m.(*sip.Request), nil)
	}
}

// sendOptions sends a request outside of a dialog and waits for its answer.
func sendOptions(b testing.TB, e end) func() {
	alice, bob := pair(b, "udp", e, stock)
	bob.server.OnOptions(ok)
	return func() {
		if _, err := alice.client.Do(context.Background(), sip.NewRequest(sip.OPTIONS, bob.contact.Address)); err != nil {
			b.Fatal(err)
		}
	}
}

// sendInfo sends a request within a dialog and waits for its answer.
func sendInfo(b testing.TB, e end) func() {
	alice, bob := pair(b, "udp", e, stock)
	bob.server.OnInfo(ok)
	d := alice.establish(b, bob)
	return func() {
		if _, err := d.Do(context.Background(), sip.NewRequest(sip.INFO, bob.contact.Address)); err != nil {
			b.Fatal(err)
		}
	}
}

func ok(req *sip.Request, tx sip.ServerTransaction) {
	_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusOK, "OK", nil))
}

// BenchmarkOther is one message of a method that does not concern the timers: an OPTIONS
// through the handler alone, one read and answered, one sent by a client, and an INFO
// within a dialog, which must be numbered after the refreshes.
func BenchmarkOther(b *testing.B) {
	for _, o := range other {
		for _, d := range []struct {
			name string
			end  end
		}{{"none", stock}, {"hooked", hooked}} {
			b.Run(fmt.Sprintf("side=%s/timers=%s", o.side, d.name), func(b *testing.B) {
				message := o.make(b, d.end)
				b.ReportAllocs()
				for b.Loop() {
					message()
				}
			})
		}
	}
}
