package sessiontimer

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// policy is the default one with changes.
func policy(change func(*Policy)) Policy {
	p := DefaultPolicy()
	if change != nil {
		change(&p)
	}
	return p
}

// wishing is the default policy with a mode, an interval and a minimum in seconds.
func wishing(mode Mode, interval, minSE int64) Policy {
	return policy(func(p *Policy) {
		p.Mode, p.SessionExpires, p.MinSE = mode, seconds(interval), seconds(minSE)
	})
}

func TestDefaultPolicy(t *testing.T) {
	p := DefaultPolicy()
	if err := p.Validate(); err != nil {
		t.Errorf("the default policy is refused: %v", err)
	}
	want := Policy{Mode: Offer, SessionExpires: 30 * time.Minute, MinSE: 90 * time.Second, MaxInterval: 24 * time.Hour, MaxMinSE: 24 * time.Hour}
	if p != want {
		t.Errorf("default policy\n is    %+v\nshould %+v (B-05: 1800 s and 90 s; B-07: nobody named to refresh)", p, want)
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Policy)
	}{
		{"B-05 shortest", func(p *Policy) { p.SessionExpires = Floor }},
		{"B-05 longest", func(p *Policy) { p.SessionExpires, p.MaxInterval = seconds(maxDelta), seconds(maxDelta) }},
		{"B-06 Min-SE equal to the interval", func(p *Policy) { p.MinSE = p.SessionExpires }},
		{"interval equal to the longest", func(p *Policy) { p.MaxInterval = p.SessionExpires }},
		{"Min-SE equal to the largest", func(p *Policy) { p.MaxMinSE = p.MinSE }},
		{"every wish", func(p *Policy) { p.Mode, p.Refresher, p.Method = Always, Peer, MethodReInvite }},
		{"H-01 unsafe", func(p *Policy) { p.Unsafe, p.MinSE, p.SessionExpires = true, time.Second, time.Second }},
		{"off with anything", func(p *Policy) { *p = Policy{SessionExpires: -1, Refresher: 77} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := policy(tt.change)
			if err := p.Validate(); err != nil {
				t.Errorf("%+v is refused with %q, should be valid", p, err)
			}
		})
	}
}

func TestValidateConfigError(t *testing.T) {
	tests := []struct {
		name    string
		change  func(*Policy)
		option  string
		message string // what the reader has to find in it
	}{
		{"Mode", func(p *Policy) { p.Mode = 9 }, "Mode", "Mode is unknown(9), allowed: Off, Accept, Offer, Require, Always"},
		{"Refresher", func(p *Policy) { p.Refresher = 9 }, "Refresher", "Refresher is unknown(9), allowed: Auto, Local, Peer"},
		{"Method", func(p *Policy) { p.Method = 9 }, "Method", "Method is unknown(9), allowed: MethodAuto, MethodUpdate, MethodReInvite"},
		{"B-05 Min-SE below 90", func(p *Policy) { p.MinSE = 89 * time.Second }, "MinSE", "MinSE is 1m29s, allowed: whole seconds, 1m30s or more, at most 2^32-1 s"},
		{"H-01 Min-SE of zero", func(p *Policy) { p.MinSE = 0 }, "MinSE", "MinSE is 0s, allowed: whole seconds, 1m30s or more"},
		{"A-08 Min-SE with a fraction", func(p *Policy) { p.MinSE = 90500 * time.Millisecond }, "MinSE", "MinSE is 1m30.5s, allowed: whole seconds"},
		{"A-09 Min-SE too large", func(p *Policy) { p.MinSE = seconds(maxDelta + 1) }, "MinSE", "at most 2^32-1 s"},
		{"unsafe Min-SE below a second", func(p *Policy) { p.Unsafe, p.MinSE = true, time.Millisecond }, "MinSE", "whole seconds, 1s or more"},
		{"B-05 interval below 90", func(p *Policy) { p.SessionExpires = 89 * time.Second }, "SessionExpires", "SessionExpires is 1m29s, allowed: whole seconds, not below MinSE, which is 1m30s"},
		{"B-06 interval below Min-SE", func(p *Policy) { p.SessionExpires, p.MinSE = seconds(100), seconds(200) }, "SessionExpires", "not below MinSE, which is 3m20s"},
		{"A-08 interval with a fraction", func(p *Policy) { p.SessionExpires += time.Nanosecond }, "SessionExpires", "whole seconds"},
		{"A-09 interval too large", func(p *Policy) { p.SessionExpires = seconds(maxDelta + 1) }, "SessionExpires", "at most 2^32-1 s"},
		{"negative interval", func(p *Policy) { p.SessionExpires = -seconds(1800) }, "SessionExpires", "SessionExpires is -30m0s"},
		{"H-04 longest below the interval", func(p *Policy) { p.MaxInterval = seconds(1799) }, "MaxInterval", "MaxInterval is 29m59s, allowed: whole seconds, not below SessionExpires, which is 30m0s"},
		{"H-04 longest with a fraction", func(p *Policy) { p.MaxInterval++ }, "MaxInterval", "whole seconds"},
		{"H-04 longest too large", func(p *Policy) { p.MaxInterval = seconds(maxDelta + 1) }, "MaxInterval", "at most 2^32-1 s"},
		{"H-04 largest Min-SE below Min-SE", func(p *Policy) { p.MaxMinSE = seconds(89) }, "MaxMinSE", "MaxMinSE is 1m29s, allowed: whole seconds, not below MinSE, which is 1m30s"},
		{"H-04 largest Min-SE with a fraction", func(p *Policy) { p.MaxMinSE++ }, "MaxMinSE", "whole seconds"},
		{"H-04 largest Min-SE too large", func(p *Policy) { p.MaxMinSE = seconds(maxDelta + 1) }, "MaxMinSE", "at most 2^32-1 s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := policy(tt.change)
			err := p.Validate()
			var config *ConfigError
			if !errors.As(err, &config) {
				t.Fatalf("%+v gives %v, should be a *ConfigError for %s", p, err, tt.option)
			}
			if config.Option != tt.option {
				t.Errorf("the error blames %s, should blame %s", config.Option, tt.option)
			}
			if !strings.HasPrefix(err.Error(), "sessiontimer: ") || !strings.Contains(err.Error(), tt.message) {
				t.Errorf("the error says %q\n        should say %q", err, tt.message)
			}
		})
	}
}

func TestFloor(t *testing.T) {
	if got := DefaultPolicy().Floor(); got != 90*time.Second {
		t.Errorf("H-01: floor is %v, should be 90 s", got)
	}
	if got := (Policy{Unsafe: true}).Floor(); got != time.Second {
		t.Errorf("floor of an unsafe policy is %v, should be 1 s", got)
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{Off.String(), "off"}, {Accept.String(), "accept"}, {Offer.String(), "offer"}, {Require.String(), "require"}, {Always.String(), "always"},
		{Nobody.String(), "none"}, {Local.String(), "local"}, {Peer.String(), "peer"},
		{MethodAuto.String(), "auto"}, {MethodUpdate.String(), "update"}, {MethodReInvite.String(), "invite"},
		{Mode(200).String(), "unknown(200)"}, {Refresher(3).String(), "unknown(3)"}, {Method(3).String(), "unknown(3)"},
	} {
		if tt.got != tt.want {
			t.Errorf("name is %q, should be %q", tt.got, tt.want)
		}
	}
}

func TestOffSaysNothing(t *testing.T) {
	running := Session{Interval: seconds(1800), Refresher: Local, Since: start}
	for name, p := range map[string]Policy{"zero policy": {}, "off": policy(func(p *Policy) { p.Mode = Off })} {
		t.Run(name, func(t *testing.T) {
			if o := p.Propose(Session{}, seconds(3600), true); o != (Proposal{}) {
				t.Errorf("a request carries %+v, should carry nothing", o)
			}
			asks := message(header{"Session-Expires", "50"}, header{"Supported", "timer"})
			if _, refuse := p.TooSmall(asks); refuse {
				t.Error("E-18: answers 422, should leave the request alone")
			}
			if a := p.Respond(asks, Session{}, start); a != (Answer{}) {
				t.Errorf("E-19: a 2xx carries %+v, should carry nothing", a)
			}
			if a := p.Respond(Fields{Supported: true}, running, start); a != (Answer{}) {
				t.Errorf("a 2xx in a dialog carries %+v, should carry nothing", a)
			}
			if s := p.Settle(Proposal{}, asks, Session{}, start); s.Active() {
				t.Errorf("a 2xx with Session-Expires settles %+v, should settle nothing", s)
			}
			if _, again := p.Retry(Proposal{}, message(header{"Min-SE", "3600"})); again {
				t.Error("follows a 422, should give up: we did not say that we have timers")
			}
		})
	}
}
