package sipmsg

import (
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// invite is an INVITE as sipgo parses it, with these header fields and nothing else.
func invite(t *testing.T, fields ...string) *sip.Request {
	t.Helper()
	text := "INVITE sip:us@192.0.2.1 SIP/2.0\r\n" + strings.Join(append(fields, "\r\n"), "\r\n")
	m, err := sip.ParseMessage([]byte(text))
	if err != nil {
		t.Fatalf("%q: %v", fields, err)
	}
	return m.(*sip.Request)
}

// fieldsOf is the header fields of m as they would be sent, without Content-Length.
func fieldsOf(m Message) string {
	var all []string
	for _, h := range m.Headers() {
		if h.Name() != "Content-Length" {
			all = append(all, h.Name()+": "+h.Value())
		}
	}
	return strings.Join(all, "\n")
}
