package sipnet

import (
	"fmt"
	"strings"
	"testing"
)

// Each row is what one side sent, as "METHOD number branch", and what the other
// answered, as "status number branch"; want is a part of the only complaint.
func TestCheckCSeq(t *testing.T) {
	tests := []struct {
		name, sent, want string
	}{
		{"a call", "INVITE 1 a, 200 1 a, ACK 1 b, UPDATE 2 c, INVITE 3 d, 200 3 d, ACK 3 e, BYE 4 f", ""},
		{"number zero may be first", "INVITE 0 a, 200 0 a, ACK 0 b, BYE 1 c", ""},
		{"gaps are allowed", "INVITE 1 a, 200 1 a, ACK 1 b, BYE 100 f", ""},
		{"retransmissions", "INVITE 1 a, UPDATE 2 b, INVITE 1 a, UPDATE 2 b", ""},
		{"refused and cancelled", "INVITE 1 a, 422 1 a, ACK 1 a, INVITE 2 b, CANCEL 2 b, 487 2 b, ACK 2 b", ""},
		{"a late ACK for an older INVITE", "INVITE 1 a, UPDATE 2 b, 200 1 a, ACK 1 c", ""},
		{"equal numbers", "INVITE 5 a, INFO 5 b", "does not rise above 5"},
		{"falling numbers", "INFO 5 a, INFO 4 b", "does not rise above 5"},
		{"a retransmission with another number", "INFO 5 a, INFO 6 a", "changed the number from 5"},
		{"ACK without INVITE", "INFO 5 a, ACK 5 b", "no INVITE with this number"},
		{"ACK to a refusal in a new transaction", "INVITE 1 a, 422 1 a, ACK 1 b", "answered with 422"},
		{"CANCEL with another branch", "INVITE 1 a, CANCEL 1 b", "no INVITE with this number and branch"},
		{"CANCEL with another number", "INVITE 1 a, CANCEL 2 a", "no INVITE with this number and branch"},
		{"CSeq of another method", "INVITE/BYE 1 a", "method in CSeq"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var msgs []Message
			for item := range strings.SplitSeq(tt.sent, ", ") {
				msgs = append(msgs, cseqMessage(t, item))
				// The other side and other calls count for themselves.
				msgs = append(msgs, cseqMessage(t, fmt.Sprintf("INFO %d %d", 100+len(msgs), len(msgs)), "From: <sip:b@b>;tag=b"))
			}
			var got faults
			CheckCSeq(&got, msgs)
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("complaints:\n%s\nwant none", got.text())
			case tt.want != "" && (len(got) != 1 || !strings.Contains(got.text(), tt.want)):
				t.Errorf("complaints:\n%s\nwant one with %q", got.text(), tt.want)
			}
		})
	}
}

// The dialogs of a forked INVITE go on from its number, each for itself.
func TestCheckCSeqOfForks(t *testing.T) {
	message := func(tag, item string) Message {
		to := "To: <sip:b@b>;tag=" + tag
		if tag == "" {
			to = "To: <sip:b@b>"
		}
		return cseqMessage(t, item, to)
	}
	call := []Message{
		message("", "INVITE 5 a"), message("one", "200 5 a"), message("one", "ACK 5 b"), message("two", "200 5 a"), message("two", "ACK 5 c"),
		message("one", "UPDATE 6 d"), message("two", "UPDATE 6 e"), message("one", "INVITE 7 f"), message("one", "488 7 f"), message("one", "ACK 7 f"),
	}
	for _, c := range []struct{ tag, item, want string }{
		{"two", "BYE 7 g", ""},
		{"three", "BYE 5 g", ""}, // another call, that happens to have the Call-ID and From tag
		{"", "INVITE 6 g", ""},
		{"one", "BYE 7 g", "does not rise above 7"},
		{"two", "ACK 7 g", "no INVITE with this number"},
		{"one", "ACK 7 g", "answered with 488"},
	} {
		var got faults
		CheckCSeq(&got, append(call[:len(call):len(call)], message(c.tag, c.item)))
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got.text(), c.want)) {
			t.Errorf("%s to %q: complaints:\n%s\nshould be %q", c.item, c.tag, got.text(), c.want)
		}
	}
}

func TestCheckCSeqSkipsForwarded(t *testing.T) {
	var got faults
	CheckCSeq(&got, []Message{
		{}, // unreadable
		cseqMessage(t, "INVITE 1 a"),
		cseqMessage(t, "INVITE 1 p", "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=a"),
	})
	if len(got) > 0 {
		t.Errorf("complaints:\n%s\nwant none", got.text())
	}
}

func cseqMessage(t *testing.T, item string, headers ...string) Message {
	t.Helper()
	f := strings.Fields(item)
	method, inCSeq, _ := strings.Cut(f[0], "/")
	start := method + " sip:b@b SIP/2.0"
	if inCSeq == "" {
		inCSeq = method
	}
	if method[0] < 'A' {
		start, inCSeq = "SIP/2.0 "+method+" Whatever", "INVITE"
	}
	base := []string{
		"Via: SIP/2.0/UDP 10.0.0.9:5060;branch=" + f[2],
		"From: <sip:a@a>;tag=a", "To: <sip:b@b>;tag=t", "Call-ID: c", "CSeq: " + f[1] + " " + inCSeq,
	}
	if len(headers) > 0 && strings.HasPrefix(headers[0], "Via") {
		base = append(base, headers[0])
		headers = nil
	}
	return Message{From: alice, To: bob, SIP: parsed(t, compose(start, base, headers, ""))}
}
