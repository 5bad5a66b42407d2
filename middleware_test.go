package sessiontimer_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// The figure of RFC 4028 §13.
const (
	alice = "10.0.0.1:5060"
	p1    = "10.0.0.2:5060"
	p2    = "10.0.0.3:5060"
	bob   = "10.0.0.4:5060"
)

var names = map[string]string{alice: "alice", p1: "p1", p2: "p2", bob: "bob"}

// hop is the delay between two parties, which makes the order deterministic.
const hop = 10 * time.Millisecond

// rfcFlow is the whole of §13: Alice asks for 50 s, p1 wants 3600 s and p2 4000 s.
// Alice vanishes after her first refresh. (The proxies of the RFC acknowledge a
// 422 hop by hop; these have no state and pass Alice's ACK on.)
var rfcFlow = []string{
	"0.000s alice->p1 INVITE | Session-Expires: 50",                           // I-01
	"0.010s p1->alice 422 Session Interval Too Small (INVITE) | Min-SE: 3600", // I-02
	"0.020s alice->p1 ACK",
	"0.020s alice->p1 INVITE | Session-Expires: 3600, Min-SE: 3600", // I-03
	"0.030s p1->p2 INVITE | Session-Expires: 3600, Min-SE: 3600",
	"0.040s p2->p1 422 Session Interval Too Small (INVITE) | Min-SE: 4000", // I-04
	"0.050s p1->alice 422 Session Interval Too Small (INVITE) | Min-SE: 4000",
	"0.060s alice->p1 ACK",
	"0.060s alice->p1 INVITE | Session-Expires: 4000, Min-SE: 4000", // I-05
	"0.070s p1->p2 ACK",
	"0.070s p1->p2 INVITE | Session-Expires: 4000, Min-SE: 4000",
	"0.080s p2->bob INVITE | Session-Expires: 4000, Min-SE: 4000",
	"0.090s bob->p2 200 OK (INVITE) | Session-Expires: 4000;refresher=uac", // I-06
	"0.100s p2->p1 200 OK (INVITE) | Session-Expires: 4000;refresher=uac",
	"0.110s p1->alice 200 OK (INVITE) | Session-Expires: 4000;refresher=uac",
	"0.120s alice->p1 ACK",
	"0.130s p1->bob ACK",
	"2000.120s alice->p1 UPDATE | Session-Expires: 4000;refresher=uac", // I-07: 2000 s after the 200
	"2000.130s p1->bob UPDATE | Session-Expires: 4000;refresher=uac",
	"2000.140s bob->p1 200 OK (UPDATE) | Session-Expires: 4000;refresher=uac", // I-08
	"2000.150s p1->alice 200 OK (UPDATE) | Session-Expires: 4000;refresher=uac",
	`5968.140s bob->p1 BYE | Reason: SIP;cause=408;text="Session timer expired"`, // 3968 s after Bob's 200
	`5968.150s p1->alice BYE (lost) | Reason: SIP;cause=408;text="Session timer expired"`,
	"5968.150s p1->bob 408 Request Timeout (BYE)",
}

// TestCallFlowOnTheWire plays §13 with the middleware on both ends.
// Also A-13.
func TestCallFlowOnTheWire(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := sipnet.New()
		n.SetFilter(func(sipnet.Packet) sipnet.Verdict { return sipnet.Verdict{Delay: hop} })
		a := sipua.New(t, n, "alice", alice, "udp",
			middleware.WithSessionExpires(50*time.Second), middleware.WithMinSE(time.Second), middleware.WithUnsafeIntervals())
		b := sipua.New(t, n, "bob", bob, "udp", middleware.WithSessionExpires(2*time.Hour))
		startProxy(n, p1, p2, 3600*time.Second, true)
		startProxy(n, p2, bob, 4000*time.Second, false)

		// Alice knows Bob by the address of her proxy.
		_, err := a.TryURI(t.Context(), sip.Uri{Scheme: "sip", User: "bob", Host: "10.0.0.2", Port: 5060})
		if err != nil {
			t.Fatalf("Alice gets %v, should get through after two 422", err)
		}
		time.Sleep(3000 * time.Second)
		n.Silence(alice)
		_ = a.Timers.Close()
		time.Sleep(2 * time.Hour)

		msgs := n.Messages()
		if diff := cmp.Diff(rfcFlow, sipnet.Rows(names, msgs)); diff != "" {
			t.Errorf("the ladder differs from RFC 4028 §13 (-want +got):\n%s", diff)
		}
		checkUpdate(t, msgs)
		if got := b.Answered().LoadState(); got != sip.DialogStateEnded {
			t.Errorf("Bob's dialog is %v, should have ended with his BYE", got)
		}
		sipnet.CheckCSeq(t, msgs)
		sipua.Stop(n, a, b)
	})
}

// checkUpdate looks at message 18: Supported: timer, the recorded route, no body.
func checkUpdate(t *testing.T, msgs []sipnet.Message) {
	t.Helper()
	for _, m := range msgs {
		req, ok := m.SIP.(*sip.Request)
		if !ok || req.Method != sip.UPDATE || m.From != alice {
			continue
		}
		raw := string(m.Raw)
		for _, want := range []string{"Supported: timer\r\n", "Route: <sip:" + p1 + ";lr>\r\n", "Content-Length: 0\r\n", "Contact: "} {
			if !strings.Contains(raw, want) {
				t.Errorf("D-12 D-16: the UPDATE lacks %q:\n%s", want, raw)
			}
		}
		if strings.Contains(raw, "Content-Type") || !strings.HasSuffix(raw, "\r\n\r\n") {
			t.Errorf("D-12: the UPDATE has a body, should have none:\n%s", raw)
		}
		return
	}
	t.Error("I-07: no UPDATE from Alice")
}

// TestCallIsRefreshed: as long as both ends live, only the refreshes keep a call
// alive, at half the interval each (D-01).
func TestCallIsRefreshed(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		for _, length := range []time.Duration{30 * time.Minute, 24 * time.Hour} {
			t.Run(fmt.Sprintf("%s %s", transport, length), func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) { refreshedCall(t, transport, length) })
			})
		}
	}
}

func refreshedCall(t *testing.T, transport string, length time.Duration) {
	n := sipnet.New()
	a := sipua.New(t, n, "alice", alice, transport)
	b := sipua.New(t, n, "bob", bob, transport)
	if transport == "tcp" {
		n.ConnectTCP(alice, bob)
		synctest.Wait()
	}
	call := a.Call(b)
	time.Sleep(length + time.Minute)
	if err := call.Bye(t.Context()); err != nil {
		t.Errorf("after %s Alice cannot hang up: %v", length, err)
	}

	want := []string{
		"0.000s alice->bob INVITE | Session-Expires: 1800",
		"0.000s bob->alice 200 OK (INVITE) | Session-Expires: 1800;refresher=uac",
		"0.000s alice->bob ACK",
	}
	for at := 15 * time.Minute; at <= length; at += 15 * time.Minute {
		want = append(want,
			fmt.Sprintf("%.3fs alice->bob UPDATE | Session-Expires: 1800;refresher=uac", at.Seconds()),
			fmt.Sprintf("%.3fs bob->alice 200 OK (UPDATE) | Session-Expires: 1800;refresher=uac", at.Seconds()))
	}
	end := (length + time.Minute).Seconds()
	want = append(want, fmt.Sprintf("%.3fs alice->bob BYE", end), fmt.Sprintf("%.3fs bob->alice 200 OK (BYE)", end))
	time.Sleep(time.Hour) // nothing may follow
	if diff := cmp.Diff(want, sipnet.Rows(names, n.Messages())); diff != "" {
		t.Errorf("a call of %s (-want +got):\n%s", length, diff)
	}
	for _, u := range []*sipua.UA{a, b} {
		checkEvents(t, u, int(length/(15*time.Minute)))
	}
	sipnet.CheckCSeq(t, n.Messages())
	sipua.Stop(n, a, b)
}

// checkEvents: one Negotiated, a Refreshed for each refresh, one Ended.
func checkEvents(t *testing.T, u *sipua.UA, refreshes int) {
	t.Helper()
	got := make(map[string]int)
	for _, e := range u.Events() {
		got[fmt.Sprintf("%T", e.Event)]++
	}
	want := map[string]int{
		fmt.Sprintf("%T", sessiontimer.Negotiated{}): 1,
		fmt.Sprintf("%T", sessiontimer.Refreshed{}):  refreshes,
		fmt.Sprintf("%T", sessiontimer.Ended{}):      1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s is told (-want +got):\n%s", u.Name, diff)
	}
}
