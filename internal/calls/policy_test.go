package calls

import (
	"context"
	"errors"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
)

// The policy of a call is the application's if that is valid, and none once the timers are
// closed. One that cannot be used is logged with the call.
func TestPolicyFor(t *testing.T) {
	base := sessiontimer.DefaultPolicy()
	own := base
	own.MinSE *= 2
	invalid := base
	invalid.MinSE = -1
	for _, c := range []struct {
		name   string
		chosen func() sessiontimer.Policy // nil: no function
		closed bool
		want   sessiontimer.Policy
		logged string // part of the only line; empty for none
	}{
		{"no function", nil, false, base, ""},
		{"a valid one", func() sessiontimer.Policy { return own }, false, own, ""},
		{"off", func() sessiontimer.Policy { return sessiontimer.Policy{} }, false, sessiontimer.Policy{}, ""},
		{"an invalid one", func() sessiontimer.Policy { return invalid }, false, base, "call_id=c1 error=\"sessiontimer: MinSE is -1ns"},
		{"a panic", func() sessiontimer.Policy { panic("of the test") }, false, base, "policy function\" call_id=c1 "},
		{"closed", func() sessiontimer.Policy { panic("closed timers ask nobody") }, true, sessiontimer.Policy{}, ""},
		{"closed without a function", nil, true, sessiontimer.Policy{}, ""},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		config := Config{Policy: base}
		invite := parse[*sip.Request](t, inviteLines...)
		if c.chosen != nil {
			config.PolicyFunc = func(req *sip.Request, outgoing bool, given sessiontimer.Policy) sessiontimer.Policy {
				if req != invite || !outgoing || given != base {
					t.Errorf("%s: asked about %v, outgoing %t, %+v", c.name, req, outgoing, given)
				}
				return c.chosen()
			}
		}
		calls, logs := observed(ctx, config)
		if c.closed {
			cancel()
		}
		if got := calls.PolicyFor(invite, true); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if logs.Count(c.logged) != 1 && c.logged != "" || (logs.String() == "") != (c.logged == "") {
			t.Errorf("%s: logged %q, want one line with %q", c.name, logs, c.logged)
		}
	}
}

// The application may have calls that the timers do not know if timers are off, for all calls
// or perhaps for some, if it has been a proxy, or if a call had to be left alone.
func TestLeavesCallsAlone(t *testing.T) {
	choose := func(_ *sip.Request, _ bool, base sessiontimer.Policy) sessiontimer.Policy { return base }
	for _, c := range []struct {
		name     string
		mode     sessiontimer.Mode
		choose   PolicyFunc
		happens  func(*Calls)
		off, may bool
	}{
		{"timers for all calls", sessiontimer.Accept, nil, nil, false, false},
		{"for none", sessiontimer.Off, nil, nil, true, true},
		{"for some", sessiontimer.Offer, choose, nil, false, true},
		{"a proxy", sessiontimer.Offer, nil, func(c *Calls) { c.Relays.begin("call"); c.Relays.End("call") }, false, true},
		{"left alone", sessiontimer.Offer, nil, func(c *Calls) { c.LeaveAlone(errors.New("of the test"), ofPeer().ID) }, false, true},
	} {
		calls, _ := observed(context.Background(), Config{Policy: sessiontimer.Policy{Mode: c.mode}, PolicyFunc: c.choose})
		if c.happens != nil {
			c.happens(calls)
		}
		if off, may := calls.SwitchedOff(), calls.LeavesCallsAlone(); off != c.off || may != c.may {
			t.Errorf("%s: switched off %t, calls that are not known %t; want %t, %t", c.name, off, may, c.off, c.may)
		}
	}
}

// A call without a session timer, and a header field that cannot be parsed, are logged with
// the dialog. A sound one is not.
func TestPolicyLogs(t *testing.T) {
	calls, logs := observed(context.Background(), Config{})
	calls.LeaveAlone(errors.New("of the test"), ofPeer().ID)
	wantLine(t, "left alone", logs, "no session timer for the call", "level=WARN", `error="of the test"`)
	var sound, malformed sessiontimer.Fields
	sound.Add(sessiontimer.HeaderSessionExpires, "90")
	malformed.Add(sessiontimer.HeaderSessionExpires, "soon")
	calls.WarnMalformed(sound, ofPeer().ID)
	calls.WarnMalformed(malformed, ofPeer().ID)
	wantLine(t, "malformed", logs, "malformed", "level=WARN", "error=", "soon")
}
