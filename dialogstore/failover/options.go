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

// Settings are what the options of a node come to.
type Settings struct {
	Name     string
	Lease    time.Duration
	Beat     time.Duration
	Takeover Takeover
	Eligible func(dialogstore.Dialog) bool // nil: every call
	Address  string                        // empty: that of the calls taken over
}

// The defaults, and the shortest lease that there is.
const (
	DefaultLease = 6 * time.Second
	MinLease     = 50 * time.Millisecond
)

// beatsInLease is how many beats there are in a lease by default: a node is missed
// after the lease and one beat.
const beatsInLease = 12

// WithName names this node. A process that starts under the name of one that was there
// before takes its calls back at once. The name must be unique among the processes that
// run; 1 to 128 bytes without control characters. The default is the host name and
// something random: nobody takes the calls back before the lease is over, and then each
// node may.
func WithName(name string) Option { return func(s *Settings) { s.Name = name } }

// WithLease sets how long a node may be silent until others take its calls over.
// Default 6 s, at least 50 ms. With the beat it must fit between the refresh and the
// last chance of the smallest interval that the policy allows: 12 s with 90 s. All
// nodes of a cluster have the same.
func WithLease(d time.Duration) Option { return func(s *Settings) { s.Lease = d } }

// WithBeat sets how often a node says that it lives, and looks at the others. Default a
// twelfth of the lease, 500 ms; from 1 ms to a third of the lease. A takeover starts
// within the lease and one beat.
func WithBeat(d time.Duration) Option { return func(s *Settings) { s.Beat = d } }

// WithTakeover says what a takeover means: Keep, the default, End, or a function of the
// call, which may give it another Contact and session description. An application that
// restores its own dialog does so there.
func WithTakeover(t Takeover) Option { return func(s *Settings) { s.Takeover = t } }

// WithEligible says which calls of others this node may take over. The default is all.
// It is called by one goroutine at a time, possibly often for one call, and should not
// take long. It needs a Registry that is also a Reader.
func WithEligible(may func(dialogstore.Dialog) bool) Option {
	return func(s *Settings) { s.Eligible = may }
}

// WithAddress says where peers reach this node, as host:port, where that is not the
// address of the nodes whose calls it takes over. Contact becomes that, and an UPDATE or
// re-INVITE tells the peer at once (RFC 3261 §12.2). The default is for nodes behind one
// address: nothing is sent before something is due.
func WithAddress(hostport string) Option { return func(s *Settings) { s.Address = hostport } }

// Configure applies options to the defaults, and validates what comes of it.
func Configure(opts ...Option) (Settings, error) {
	s := Settings{Lease: DefaultLease, Takeover: Keep}
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

// Fits returns a *sessiontimer.ConfigError where a takeover would come too late for a
// session of the smallest interval that is allowed: its refresh was due at half of it,
// and its last chance is a margin before its end (RFC 4028 §10).
func (s *Settings) Fits(smallest time.Duration) error {
	session := sessiontimer.Session{Interval: smallest, Refresher: sessiontimer.Local}
	room := session.LastChance().Sub(session.RefreshAt())
	if s.Lease+s.Beat < room {
		return nil
	}
	return &sessiontimer.ConfigError{Option: "Lease", Value: s.Lease,
		Allowed: fmt.Sprintf("with WithBeat, which is %v, less than %v: the time from the refresh to the last chance of an interval of %v", s.Beat, room, smallest)}
}

// Suits returns a *sessiontimer.ConfigError where there is no registry, or it lacks what
// the options need.
func (s *Settings) Suits(r Registry) error {
	if r == nil {
		return &sessiontimer.ConfigError{Option: "Failover", Value: r, Allowed: "a registry"}
	}
	if _, ok := r.(Reader); s.Eligible != nil && !ok {
		return &sessiontimer.ConfigError{Option: "Eligible", Value: fmt.Sprintf("%T", r), Allowed: "with a registry that is a failover.Reader"}
	}
	return nil
}
