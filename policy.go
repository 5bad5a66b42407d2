package sessiontimer

import (
	"fmt"
	"time"
)

// The intervals that RFC 4028 fixes or recommends (§4, §5).
const (
	// Floor is the smallest interval and Min-SE allowed on the wire.
	Floor = 90 * time.Second
	// DefaultSessionExpires is the recommended interval.
	DefaultSessionExpires = 30 * time.Minute
	// DefaultMaxInterval is the default of Policy.MaxInterval and Policy.MaxMinSE:
	// a dead call is noticed within a day.
	DefaultMaxInterval = 24 * time.Hour
	// Pace is the shortest time from a 2xx to our next refresh, however short the
	// interval that a peer sends (§11.1).
	Pace = 10 * time.Second
	// unsafeFloor takes the place of Floor with Policy.Unsafe.
	unsafeFloor = time.Second
)

// Mode says how much a user agent wants session timers.
type Mode uint8

// The modes, from least to most.
const (
	Off     Mode = iota // as if the peer had called a stack without this library
	Accept              // run a timer if the peer or a proxy asks for one
	Offer               // also ask for one; go on without if the peer has none
	Require             // send Require: timer, refuse calls without timer (421); alone if a peer answers without
	Always              // run the timer alone if the peer has none
)

var modeNames = [...]string{"off", "accept", "offer", "require", "always"}

// String returns the mode in lower case.
func (m Mode) String() string { return nameOf(modeNames[:], int(m)) }

// Refresher is the party of a dialog that refreshes.
type Refresher uint8

// The zero Refresher is nobody: a dialog without a timer. In a Policy it leaves the
// choice open, and is called Auto.
const (
	Nobody Refresher = iota
	Local            // this user agent
	Peer             // the other one

	Auto = Nobody
)

var refresherNames = [...]string{"none", "local", "peer"}

// String returns none, local or peer.
func (r Refresher) String() string { return nameOf(refresherNames[:], int(r)) }

// Method is the request that refreshes.
type Method uint8

// The methods. MethodAuto is UPDATE if the peer allows it, else re-INVITE.
const (
	MethodAuto     Method = iota
	MethodUpdate          // UPDATE without a body, even if the peer's Allow does not list it
	MethodReInvite        // INVITE with the session description in force
)

var methodNames = [...]string{"auto", "update", "invite"}

// String returns auto, update or invite.
func (m Method) String() string { return nameOf(methodNames[:], int(m)) }

func nameOf(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("unknown(%d)", i)
}

// Policy is what one side of a call wants. It is a plain value; a dialog keeps a copy
// of the one that it began with. The zero Policy is Off.
type Policy struct {
	Mode           Mode
	SessionExpires time.Duration // interval to ask for; Floor to MaxInterval, whole seconds
	MinSE          time.Duration // smallest interval accepted; Floor to SessionExpires, whole seconds
	Refresher      Refresher     // the party that should refresh; Auto leaves it open
	Method         Method        // how we refresh
	MaxInterval    time.Duration // longest interval that a peer can impose on our refreshes
	MaxMinSE       time.Duration // largest Min-SE of a 422 that is followed
	Strict         bool          // no leniency for peers' mistakes; see Settle, Respond and Fields.Strict
	Unsafe         bool          // intervals down to one second: labs and tests only
}

// DefaultPolicy returns the policy Offer with 1800 s, which accepts 90 s and more.
func DefaultPolicy() Policy {
	return Policy{
		Mode:           Offer,
		SessionExpires: DefaultSessionExpires,
		MinSE:          Floor,
		MaxInterval:    DefaultMaxInterval,
		MaxMinSE:       DefaultMaxInterval,
	}
}

// ConfigError says which value of a configuration is wrong and what is allowed.
type ConfigError struct {
	Option  string // the field of Policy, or the option that sets it
	Value   any
	Allowed string
}

// Error names the option, its value and what is allowed.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("sessiontimer: %s is %v, allowed: %s", e.Option, e.Value, e.Allowed)
}

// Validate returns a *ConfigError for the first value that is out of range
// (RFC 4028 §4, §5, §7.1). An Off policy is always valid.
func (p Policy) Validate() error {
	if p.Mode == Off {
		return nil
	}
	floor := p.Floor()
	switch {
	case p.Mode > Always:
		return &ConfigError{"Mode", p.Mode, "Off, Accept, Offer, Require, Always"}
	case p.Refresher > Peer:
		return &ConfigError{"Refresher", p.Refresher, "Auto, Local, Peer"}
	case p.Method > MethodReInvite:
		return &ConfigError{"Method", p.Method, "MethodAuto, MethodUpdate, MethodReInvite"}
	case !wholeSeconds(p.MinSE, floor, maxDelta*time.Second):
		return &ConfigError{"MinSE", p.MinSE, fmt.Sprintf("whole seconds, %v or more, at most 2^32-1 s", floor)}
	case !wholeSeconds(p.SessionExpires, p.MinSE, maxDelta*time.Second):
		return &ConfigError{"SessionExpires", p.SessionExpires, fmt.Sprintf("whole seconds, not below MinSE, which is %v, at most 2^32-1 s", p.MinSE)}
	case !wholeSeconds(p.MaxInterval, p.SessionExpires, maxDelta*time.Second):
		return &ConfigError{"MaxInterval", p.MaxInterval, fmt.Sprintf("whole seconds, not below SessionExpires, which is %v, at most 2^32-1 s", p.SessionExpires)}
	case !wholeSeconds(p.MaxMinSE, p.MinSE, maxDelta*time.Second):
		return &ConfigError{"MaxMinSE", p.MaxMinSE, fmt.Sprintf("whole seconds, not below MinSE, which is %v, at most 2^32-1 s", p.MinSE)}
	}
	return nil
}

// Floor returns the smallest interval that this policy allows on the wire: 90 s, or
// one second if it is Unsafe.
func (p Policy) Floor() time.Duration {
	if p.Unsafe {
		return unsafeFloor
	}
	return Floor
}

// pace is Pace, or half the floor of an Unsafe policy.
func (p Policy) pace() time.Duration { return min(Pace, p.Floor()/2) }

func wholeSeconds(d, low, high time.Duration) bool {
	return d >= low && d <= high && d%time.Second == 0
}
