package sdpcheck

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// What is drawn is allowed, and what is spoilt is not.
func TestFaultsAreFound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		offer := Random(r.IntN).Offer("a", 1, nil)
		answer := Random(r.IntN).Answer("b", 1, offer)
		if fault := AnswerFault(offer, answer); fault != "" {
			t.Fatalf("%s\n%s\n%s", fault, offer, answer)
		}
	}
	offer := string(text(append(head("a", 1), "m=audio 4000 RTP/AVP 0 8", "a=sendonly", "a=setup:active", "a=crypto:2 S32 inline:x", "m=video 0 RTP/AVP 96")))
	answer := string(text(append(head("b", 1), "m=audio 5000 RTP/AVP 0", "a=recvonly", "a=setup:passive", "a=crypto:2 S32 inline:y", "m=video 0 RTP/AVP 96")))
	for _, c := range [][2]string{
		{"", ""},
		{"m=video 0 RTP/AVP 96\r\n", ""},
		{"m=video 0", "m=video 5002"},
		{"m=audio", "m=image"},
		{"RTP/AVP 0\r\n", "RTP/AVP 3\r\n"},
		{"recvonly", "sendrecv"},
		{"recvonly", "sendonly"},
		{"setup:passive", "setup:active"},
		{"setup:passive", "setup:actpass"},
		{"a=setup:passive\r\n", ""},
		{"crypto:2", "crypto:1"},
		{"a=crypto:2 S32 inline:y\r\n", ""},
		{"a=crypto:2 S32 inline:y\r\n", "a=crypto:2 S32 inline:y\r\na=crypto:2 S32 inline:z\r\n"},
	} {
		spoilt := strings.Replace(answer, c[0], c[1], 1)
		if fault := AnswerFault([]byte(offer), []byte(spoilt)); (fault == "") != (spoilt == answer) {
			t.Errorf("%q for %q: %q", c[1], c[0], fault)
		}
	}
	for _, c := range []struct {
		from, to string
		bad      bool
	}{{"", "", false}, {"a=setup:active", "a=setup:actpass", true}, {"a=setup:active", "a=fingerprint:x\r\na=setup:active", true}, {"o=a 1 1", "o=a 1 2", false}, {"m=audio 4000", "m=video 4000", true}, {"4000", "4002", true}, {"sendonly", "sendrecv", true}} {
		if fault := OfferFault([]byte(offer), []byte(strings.Replace(offer, c.from, c.to, 1))); (fault != "") != c.bad {
			t.Errorf("%q for %q: %q", c.to, c.from, fault)
		}
	}
}
