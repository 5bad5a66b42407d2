package indialog

import (
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
)

// A route is loose by its lr (RFC 3261 §16.12). One that does not parse is passed on as it is.
func TestLooseRoute(t *testing.T) {
	for route, want := range map[string]bool{
		"<sip:p.example;lr>":           true,
		"<sip:p.example>":              false,
		"<sip:p.example>;lr":           false, // of the header field
		"sip:p.example;lr":             true,
		"sip:p.example":                false,
		`"P" <sip:p.example;lr>;x=y`:   true,
		`"a\" <b>" <sip:p.example>`:    false,
		"<sip:p.example;lr":            true,
		"<sip:p.example:port;x>":       true,
		"<sip:p.example;transport=lr>": false,
	} {
		if got := looseRoute(route); got != want {
			t.Errorf("%s: loose %t, want %t", route, got, want)
		}
	}
}

// A dialog that may not be stored makes no request.
func TestNoRequest(t *testing.T) {
	d := dialog("c")
	if _, err := Refresh(&d, sessiontimer.MethodUpdate); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"two lines": "sip:r@h\r\nx", "none": "", "no URI": "sip:r@h:port"} {
		d.RemoteTarget = text
		if req, err := Request(&d, sip.BYE); err == nil || req != nil {
			t.Errorf("a target, %s: %v, %v", name, req, err)
		}
		if req, err := Refresh(&d, sessiontimer.MethodReInvite); err == nil || req != nil {
			t.Errorf("a refresh to a target, %s: %v, %v", name, req, err)
		}
	}
}
