package sipnet

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// A peer on a stream reads message by message, however the bytes come, and sends as
// it is dressed, to where it is told.
func TestStreamPeer(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New()
		defer n.Close()
		l := n.Listener("10.0.0.1:5060")
		p := n.StreamPeer("10.0.0.9:5060", "10.0.0.1:5060", "TLS")
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		p.Outbound, p.Number = "10.0.0.1:5060", 41
		p.Dress = Dress(Rule{Pattern: `(?m)^Call-ID: `, To: "i:"}, Rule{Pattern: `(?m)^Contact:`, Upper: true}, Rule{Pattern: `INVITE`, To: "none", Requests: false})
		p.Invite("sip:us@192.0.2.1:5060", "Route: <sip:192.0.2.2;lr>")
		r := bufio.NewReader(far)
		var got strings.Builder
		for !strings.HasSuffix(got.String(), "\r\n\r\n") {
			line, err := r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString(line)
		}
		for _, want := range []string{"INVITE sip:us@192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/TLS 10.0.0.9:5060", "\r\ni:call-", "\r\nCONTACT: ", "\r\nCSeq: 42 none\r\n"} {
			if !strings.Contains(got.String(), want) {
				t.Errorf("the peer sends\n%s\nwithout %q", got.String(), want)
			}
		}
		message := func(method, body string) string {
			return normalise(method + " sip:peer@10.0.0.9:5060 SIP/2.0\nVia: SIP/2.0/TLS 10.0.0.1:5060;branch=z9hG4bK" + method +
				"\nFrom: <sip:u@h>;tag=1\nTo: <sip:p@h>\nCall-ID: c\nCSeq: 1 " + method + "\nContent-Length: *\n\n" + body)
		}
		both := "\r\n\r\n" + message("INFO", "body") + message("MESSAGE", "")
		for _, part := range []string{both[:30], both[30:200], both[200:]} {
			if _, err := io.WriteString(far, part); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if req := p.ExpectRequest(t, sip.INFO); string(req.Body()) != "body" {
			t.Errorf("the body is %q, want body", req.Body())
		}
		p.ExpectRequest(t, sip.MESSAGE)
		p.Quiet(t, time.Second)
	})
}
