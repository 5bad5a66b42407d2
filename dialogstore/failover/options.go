package failover

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Option configures the failover of one node. Options only assign; middleware.New
// validates them all and returns a *sessiontimer.ConfigError for a value out of range.
type Option func(*Settings)

// Settings are the result of the options of a node.
type Settings struct {
	Name     string
	Lease    time.Duration
	Beat     time.Duration
	Flush    time.Duration
	Takeover Takeover
	Eligible func(dialogstore.Dialog) bool // nil: every call
	Address  string                        // empty: calls taken over keep theirs
}

// The default and the minimum of WithLease.
const (
	DefaultLease = 6 * time.Second
	MinLease     = 50 * time.Millisecond
)

// The default and the maximum of WithFlush.
const (
	DefaultFlush = 50 * time.Millisecond
	MaxFlush     = time.Second
)

// beatsInLease is how many beats a lease has by default.
const beatsInLease = 12

// WithName sets the name of this node, 1 to 128 bytes without control characters. A process
// that restarts with the same name takes its calls back at once. No two running processes
// may have the same name. The default is the host name and a random part: after a restart,
// the calls are taken over once the lease is over, by any node.
func WithName(name string) Option { return func(s *Settings) { s.Name = name } }

// WithLease sets how long a node may be silent before others take its calls over. All nodes
// of a cluster must use the same lease. The default is 6 s, the minimum 50 ms. Lease and
// beat together must be less than the time from the refresh to the last chance in a session
// of the smallest interval that the policy allows: 12 s if that is 90 s.
func WithLease(d time.Duration) Option { return func(s *Settings) { s.Lease = d } }

// WithBeat sets how often this node beats: it reports that it is alive, and checks the
// others. A takeover starts at the latest when the lease and one beat are over. The range is
// 1 ms to a third of the lease; the default is a twelfth of the lease, which is 500 ms.
func WithBeat(d time.Duration) Option { return func(s *Settings) { s.Beat = d } }

// WithFlush sets the shortest time between two writes to the registry. Each write has all
// calls that have changed since the previous one, in their latest state. A crash loses
// changes younger than that, and Leave may take that long. The default is 50 ms, the range
// 1 ms to 1 s.
func WithFlush(d time.Duration) Option { return func(s *Settings) { s.Flush = d } }

// WithTakeover decides what happens to a call that was taken over: Keep, the default, End, or
// a function that decides for each call. The function may set another Contact and session
// description, and is the place to restore the application's own dialog. It must not be nil.
func WithTakeover(t Takeover) Option { return func(s *Settings) { s.Takeover = t } }

// WithEligible limits the calls of other nodes that this node takes over to those for which
// may returns true. may is called by one goroutine at a time, possibly many times for a call,
// and should be fast. A panic is logged and counts as false. The registry must be a Reader.
// The default is nil: every call.
func WithEligible(may func(dialogstore.Dialog) bool) Option {
	return func(s *Settings) { s.Eligible = may }
}

// WithAddress sets the address at which peers reach this node, as host:port, if it differs
// from that of the other nodes. When a call is taken over, its Contact gets this address,
// and an UPDATE or re-INVITE tells the peer at once (RFC 3261 §12.2). The default is for
// nodes that share one address: calls keep their Contact, and nothing is sent until the next
// refresh is due.
func WithAddress(hostport string) Option { return func(s *Settings) { s.Address = hostport } }

// Configure applies options to the defaults. The error is a *sessiontimer.ConfigError for
// the first value out of range.
func Configure(opts ...Option) (Settings, error) {
	s := Settings{Lease: DefaultLease, Flush: DefaultFlush, Takeover: Keep}
	for _, opt := range opts {
		opt(&s)
	}
	if s.Name == "" {
		s.Name = defaultName()
	}
	if s.Beat == 0 {
		s.Beat = max(time.Millisecond, s.Lease/beatsInLease)
	}
	return s, s.validate()
}

func defaultName() string {
	host, err := os.Hostname()
	if err != nil || checkName(host) != nil {
		host = "node"
	}
	return host + "/" + rand.Text()[:8]
}

const longestName = 128

func checkName(name string) error {
	for _, c := range name {
		if c < ' ' || c == 0x7f {
			return fmt.Errorf("control character %q", c)
		}
	}
	if len(name) > longestName {
		return fmt.Errorf("%d bytes", len(name))
	}
	return nil
}

func (s *Settings) validate() error {
	switch {
	case checkName(s.Name) != nil:
		return &sessiontimer.ConfigError{Option: "Name", Value: strconv.Quote(s.Name), Allowed: "1 to 128 bytes without control characters"}
	case s.Lease < MinLease:
		return &sessiontimer.ConfigError{Option: "Lease", Value: s.Lease, Allowed: fmt.Sprintf("%v or more", MinLease)}
	case s.Beat < time.Millisecond || s.Beat > s.Lease/3:
		return &sessiontimer.ConfigError{Option: "Beat", Value: s.Beat, Allowed: fmt.Sprintf("1 ms to a third of the lease, which is %v", s.Lease)}
	case s.Flush < time.Millisecond || s.Flush > MaxFlush:
		return &sessiontimer.ConfigError{Option: "Flush", Value: s.Flush, Allowed: fmt.Sprintf("1 ms to %v", MaxFlush)}
	case s.Takeover == nil:
		return &sessiontimer.ConfigError{Option: "Takeover", Value: nil, Allowed: "Keep, End or a function"}
	}
	if s.Address != "" {
		host, port, err := net.SplitHostPort(s.Address)
		n, errPort := strconv.ParseUint(port, 10, 16)
		if err != nil || errPort != nil || host == "" || n == 0 {
			return &sessiontimer.ConfigError{Option: "Address", Value: strconv.Quote(s.Address), Allowed: "host:port"}
		}
	}
	return nil
}

// Fits returns a *sessiontimer.ConfigError if a takeover would come too late for a session
// of the smallest interval that the policy allows: lease and beat must fit between the
// refresh at half of the interval and the last chance before its end (RFC 4028 §10).
func (s *Settings) Fits(smallest time.Duration) error {
	session := sessiontimer.Session{Interval: smallest, Refresher: sessiontimer.Local}
	room := session.LastChance().Sub(session.RefreshAt())
	if s.Lease+s.Beat < room {
		return nil
	}
	return &sessiontimer.ConfigError{Option: "Lease", Value: s.Lease,
		Allowed: fmt.Sprintf("with WithBeat, which is %v, less than %v: the time from the refresh to the last chance of an interval of %v", s.Beat, room, smallest)}
}

// Suits returns a *sessiontimer.ConfigError if r is nil or lacks a method that the options
// need.
func (s *Settings) Suits(r Registry) error {
	if r == nil {
		return &sessiontimer.ConfigError{Option: "Failover", Value: r, Allowed: "a registry"}
	}
	if _, ok := r.(Reader); s.Eligible != nil && !ok {
		return &sessiontimer.ConfigError{Option: "Eligible", Value: fmt.Sprintf("%T", r), Allowed: "with a registry that is a failover.Reader"}
	}
	return nil
}
