package upstream

import (
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

const compact = "INVITE sip:bob@127.0.0.1 SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\n" +
	"From: <sip:alice@127.0.0.1>;tag=a\r\nTo: <sip:bob@127.0.0.1>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n" +
	"k: timer\r\nx: 90;refresher=uac\r\nContent-Length: 0\r\n\r\n"

// TestCompactNames: a header is not found under its name if it was sent under
// its short one (RFC 3261 §7.3.3).
func TestCompactNames(t *testing.T) {
	msg, err := sip.ParseMessage([]byte(compact))
	if err != nil {
		t.Fatal(err)
	}
	req := msg.(*sip.Request)
	for _, name := range []string{"Supported", "Session-Expires"} {
		if h := req.GetHeader(name); h != nil {
			t.Errorf("GetHeader(%q) is %q: mended", name, h.Value())
		}
	}
}

// TestBlanksInCSeq: of several blanks in CSeq all but one become part of the method,
// and a response that has them is not matched with its request (RFC 3261 §7.3.1, §17.1.3).
func TestBlanksInCSeq(t *testing.T) {
	raw := strings.Replace(compact, "CSeq: 1 INVITE", "CSeq: 1       INVITE", 1)
	msg, err := sip.ParseMessage([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if m := msg.CSeq().MethodName; m == sip.INVITE {
		t.Errorf("the method is %q: mended", m)
	}
	sent, err := sip.ParseMessage([]byte(compact))
	if err != nil {
		t.Fatal(err)
	}
	a, errA := sip.ClientTxKeyMake(sent)
	b, errB := sip.ClientTxKeyMake(msg)
	if errA != nil || errB != nil || a == b {
		t.Errorf("the keys of the transactions are %q (%v) and %q (%v): mended", a, errA, b, errB)
	}
}

// TestCaseOfNames: GetHeader finds a name in any case, ReplaceHeader and
// RemoveHeader only in the one it was sent in (RFC 3261 §7.3.1).
func TestCaseOfNames(t *testing.T) {
	req := sip.NewRequest(sip.INVITE, sip.Uri{Scheme: "sip", Host: "127.0.0.1"})
	req.AppendHeader(sip.NewHeader("SUPPORTED", "100rel"))
	if req.GetHeader("Supported") == nil {
		t.Fatal("GetHeader does not find it either")
	}
	req.ReplaceHeader(sip.NewHeader("Supported", "timer"))
	if got := req.GetHeader("Supported").Value(); got != "100rel" {
		t.Errorf("ReplaceHeader made it %q: mended", got)
	}
	if req.RemoveHeader("Supported") {
		t.Error("RemoveHeader removed it: mended")
	}
}

// TestStatus422: there is a constant of nearly this name, and it is 423.
func TestStatus422(t *testing.T) {
	if sip.StatusIntervalToBrief == 422 {
		t.Error("StatusIntervalToBrief is 422: mended")
	}
}
