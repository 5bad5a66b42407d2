package sipnet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"
)

func optionsRaw(cseq int) string {
	return fmt.Sprintf(`
OPTIONS sip:bob@10.0.0.2 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-%d
From: <sip:alice@10.0.0.1>;tag=a
To: <sip:bob@10.0.0.2>
Call-ID: c
CSeq: %d OPTIONS
Content-Length: *
`, cseq, cseq)
}

func parsed(t *testing.T, raw string) sip.Message {
	t.Helper()
	msg, err := sip.ParseMessage([]byte(normalise(raw)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, raw)
	}
	return msg
}

func TestLadder(t *testing.T) {
	var b strings.Builder
	l := NewLadder(&b, "alice", "proxy", "bob")
	l.Alias(alice, "alice")
	l.Alias(bob, "bob")
	l.Add(0, "alice", "proxy", "INVITE", "Session-Expires: 4")
	l.Message(Message{
		At: 3 * time.Millisecond, From: bob, To: alice,
		SIP: parsed(t, "SIP/2.0 422 Session Interval Too Small\nMin-SE: 90\nk: 100rel, timer"),
	})
	l.Lost(2*time.Second, "proxy", "bob", "UPDATE")
	l.Lost(86400*time.Second, "proxy", "alice", "UPDATE")
	l.Add(86401*time.Second, "bob", "proxy", "422 Session Interval Too Small")
	l.Note(86402*time.Second, "alice hangs up")
	l.Add(86403*time.Second, "carol", "bob", "BYE")
	want := `
           alice                          proxy                           bob
   0.000s    |---- INVITE ----------------->|                              |   Session-Expires: 4
   0.003s    |<--- 422 Session Interval Too Small -------------------------|   Min-SE: 90, Supported: timer
   2.000s    |                              |---- UPDATE ----------x       |
86400.000s   |  x- UPDATE ------------------|                              |
86401.000s   |                              |<--- 422 Session Interva... --|
86402.000s   |                              |                              |   alice hangs up
86403.000s   |                              |                              |   carol -> bob: BYE
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), b.String()); diff != "" {
		t.Errorf("ladder (-want +got):\n%s", diff)
	}
}

func TestLabelAndTimers(t *testing.T) {
	tests := []struct{ raw, label, timers string }{
		{"UPDATE sip:a@b SIP/2.0\nCSeq: 1 UPDATE\nx: 90 ; Refresher=UAC", "UPDATE", "Session-Expires: 90 ; Refresher=UAC"},
		{"SIP/2.0 200 OK\nCSeq: 1 INVITE\nMin-SE: 90\nSession-Expires: 100", "200 OK (INVITE)", "Session-Expires: 100, Min-SE: 90"},
		{"BYE sip:a@b SIP/2.0\nReason: SIP;cause=408\nRequire: timer", "BYE", "Reason: SIP;cause=408"},
		{"SIP/2.0 408 \nVia: SIP/2.0/UDP a;branch=z9hG4bKa", "408", ""},
	}
	for _, tt := range tests {
		m := parsed(t, tt.raw)
		if got := Label(m); got != tt.label {
			t.Errorf("Label = %q, want %q", got, tt.label)
		}
		if got := Timers(m); got != tt.timers {
			t.Errorf("Timers = %q, want %q", got, tt.timers)
		}
	}
	if Label(nil) != "unreadable" || Timers(nil) != "" {
		t.Errorf("for nil: %q, %q", Label(nil), Timers(nil))
	}
	row := Rows(names, []Message{{At: 2000 * time.Second, From: alice, To: bob, SIP: parsed(t, tests[0].raw)}})
	if want := "2000.000s alice->bob UPDATE | Session-Expires: 90 ; Refresher=UAC"; row[0] != want {
		t.Errorf("row %q, want %q", row[0], want)
	}
}
