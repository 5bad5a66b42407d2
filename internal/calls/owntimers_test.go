package calls

import (
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
)

// An application has timers of its own once it writes Session-Expires, in either form. That
// it leaves it out of another message takes nothing back.
func TestOwnTimers(t *testing.T) {
	var own OwnTimers
	for _, c := range []struct {
		name      string
		in, found bool
	}{
		{"Min-SE", false, false},
		{"", false, false},
		{"x", true, true},
		{"", false, true},
		{"session-expires", true, true},
	} {
		res := sip.NewResponse(200, "OK")
		if c.name != "" {
			res.AppendHeader(sip.NewHeader(c.name, "90"))
		}
		if in := own.In(res); in != c.in || own.found.Load() != c.found {
			t.Errorf("%q is there: %t, ever: %t; want %t, %t", c.name, in, own.found.Load(), c.in, c.found)
		}
	}
}

// RFC 4028 §7.1, §9: the Session-Expires of the application shortens the interval, never below
// what the policy accepts, and its refresher is named by the role in the transaction.
func TestHeed(t *testing.T) {
	policy := sessiontimer.DefaultPolicy()
	policy.MinSE, policy.SessionExpires, policy.Refresher = 120*time.Second, 600*time.Second, sessiontimer.Auto
	for _, c := range []struct {
		value     string // of Session-Expires; empty for none
		as        sessiontimer.Role
		interval  time.Duration
		refresher sessiontimer.Refresher
	}{
		{"", sessiontimer.UAC, 600 * time.Second, sessiontimer.Auto},
		{"300", sessiontimer.UAC, 300 * time.Second, sessiontimer.Auto},
		{"601", sessiontimer.UAC, 600 * time.Second, sessiontimer.Auto},
		{"120", sessiontimer.UAC, 120 * time.Second, sessiontimer.Auto},
		{"119", sessiontimer.UAC, 120 * time.Second, sessiontimer.Auto},
		{"300;refresher=uac", sessiontimer.UAC, 300 * time.Second, sessiontimer.Local},
		{"300;refresher=uas", sessiontimer.UAC, 300 * time.Second, sessiontimer.Peer},
		{"300;refresher=uac", sessiontimer.UAS, 300 * time.Second, sessiontimer.Peer},
		{"300;refresher=uas", sessiontimer.UAS, 300 * time.Second, sessiontimer.Local},
		{"soon;refresher=uac", sessiontimer.UAC, 600 * time.Second, sessiontimer.Auto},
	} {
		var own OwnTimers
		p, want, res := policy, policy, sip.NewResponse(200, "OK")
		want.SessionExpires, want.Refresher = c.interval, c.refresher
		if c.value != "" {
			res.AppendHeader(sip.NewHeader(sessiontimer.HeaderSessionExpires, c.value))
		}
		own.Heed(&p, res, c.as)
		if p != want || own.found.Load() != (c.value != "") {
			t.Errorf("%q of the %v: found %t, %+v; want %+v", c.value, c.as, own.found.Load(), p, want)
		}
	}
}
