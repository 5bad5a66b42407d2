package main

import (
	"context"
	"strings"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/examples/internal/phone"
)

func TestParseTarget(t *testing.T) {
	tests := []struct{ to, transport, want string }{
		{"sip:bob@127.0.0.1:5060", "udp", "sip:bob@127.0.0.1:5060"},
		{"sip:bob@127.0.0.1:5060", "tcp", "sip:bob@127.0.0.1:5060;transport=tcp"},
		{"sip:bob@example.com;transport=TCP", "tcp", "sip:bob@example.com;transport=TCP"},
		{"sip:[::1]", "udp", "sip:[::1]"},
		{"sip:bob@127.0.0.1;transport=tcp", "udp", "-to asks for tcp; give -transport tcp too"},
		{"bob@127.0.0.1", "udp", `-to "bob@127.0.0.1": want a SIP URI such as sip:bob@127.0.0.1:5060`},
		{"tel:+123", "udp", `-to "tel:+123": want a SIP URI such as sip:bob@127.0.0.1:5060`},
		{"sip:bob@", "udp", `-to "sip:bob@": want a SIP URI such as sip:bob@127.0.0.1:5060`},
		{"", "udp", `-to "": want a SIP URI such as sip:bob@127.0.0.1:5060`},
	}
	for _, tt := range tests {
		uri, err := parseTarget(tt.to, tt.transport)
		got := uri.String()
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("-to %s -transport %s: %s, want %s", tt.to, tt.transport, got, tt.want)
		}
	}
}

func TestReachable(t *testing.T) {
	tests := []struct{ listen, to, want string }{
		{"127.0.0.1:0", "sip:127.0.0.1", ""},
		{"127.0.0.1:0", "sip:127.9.9.9:5070", ""},
		{"127.0.0.1:0", "sip:localhost", ""},
		{"127.0.0.1:0", "sip:bob@192.0.2.1", "which reaches this machine only"},
		{"0.0.0.0:0", "sip:bob@192.0.2.1", ""},
	}
	for _, tt := range tests {
		target, err := parseTarget(tt.to, "udp")
		if err != nil {
			t.Fatal(err)
		}
		socket, err := phone.Open("udp", tt.listen)
		if err != nil {
			t.Fatal(err)
		}
		err = reachable(context.Background(), socket, target)
		socket.Close()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s from %s: %v, want %q", tt.to, tt.listen, err, tt.want)
		}
	}
}
