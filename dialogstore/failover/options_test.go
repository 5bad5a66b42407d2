package failover_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

func TestDefaults(t *testing.T) {
	a, err := failover.Configure()
	if err != nil {
		t.Fatal(err)
	}
	b, _ := failover.Configure()
	if a.Lease != 6*time.Second || a.Beat != 500*time.Millisecond || a.Flush != 50*time.Millisecond || a.Eligible != nil || a.Address != "" {
		t.Errorf("defaults are %+v", a)
	}
	if a.Name == "" || a.Name == b.Name {
		t.Errorf("two nodes without a name are %q and %q", a.Name, b.Name)
	}
	if host, err := os.Hostname(); err == nil && len(host) < 100 && !strings.HasPrefix(a.Name, host+"/") {
		t.Errorf("a node of %s without a name is %q, want the host's name in it", host, a.Name)
	}
	if d := a.Takeover(dialogstore.Dialog{}); d.End || d.Contact != "" || d.SDP != nil {
		t.Errorf("by default a takeover means %+v, should keep the call", d)
	}
	if err := a.Fits(sessiontimer.Floor); err != nil {
		t.Errorf("the defaults do not fit the smallest interval of RFC 4028: %v", err)
	}
}

func TestOptionsOutOfRange(t *testing.T) {
	for _, c := range []struct {
		option  string
		opts    []failover.Option
		allowed string // part of what is said
	}{
		{"Name", []failover.Option{failover.WithName("a\nb")}, "1 to 128 bytes"},
		{"Name", []failover.Option{failover.WithName(strings.Repeat("a", 129))}, "1 to 128 bytes"},
		{"Lease", []failover.Option{failover.WithLease(49 * time.Millisecond)}, "50ms or more"},
		{"Lease", []failover.Option{failover.WithLease(-time.Second)}, "50ms or more"},
		{"Beat", []failover.Option{failover.WithBeat(-1)}, "a third of the lease, which is 6s"},
		{"Beat", []failover.Option{failover.WithBeat(2*time.Second + 1)}, "a third of the lease"},
		{"Flush", []failover.Option{failover.WithFlush(0)}, "1 ms to 1s"},
		{"Flush", []failover.Option{failover.WithFlush(time.Second + 1)}, "1 ms to 1s"},
		{"Takeover", []failover.Option{failover.WithTakeover(nil)}, "Keep, End or a function"},
		{"Address", []failover.Option{failover.WithAddress("192.0.2.1")}, "host:port"},
		{"Address", []failover.Option{failover.WithAddress(":5060")}, "host:port"},
		{"Address", []failover.Option{failover.WithAddress("192.0.2.1:0")}, "host:port"},
	} {
		_, err := failover.Configure(c.opts...)
		var config *sessiontimer.ConfigError
		if !errors.As(err, &config) || config.Option != c.option || !strings.Contains(config.Allowed, c.allowed) {
			t.Errorf("%s: %v; should name it and say %q", c.option, err, c.allowed)
		}
	}
	good := []failover.Option{failover.WithName("a"), failover.WithLease(50 * time.Millisecond), failover.WithBeat(time.Millisecond),
		failover.WithFlush(time.Second),
		failover.WithTakeover(failover.End), failover.WithAddress("[2001:db8::1]:5060")}
	if _, err := failover.Configure(good...); err != nil {
		t.Errorf("values within range are refused: %v", err)
	}
}

// RFC 4028 §10: of 90 s there are 12 s from the refresh to the last chance.
func TestLeaseFits(t *testing.T) {
	for _, c := range []struct {
		lease, beat, smallest time.Duration
		fits                  bool
	}{
		{6 * time.Second, 2 * time.Second, 90 * time.Second, true},
		{10 * time.Second, 2*time.Second - 1, 90 * time.Second, true},
		{10 * time.Second, 2 * time.Second, 90 * time.Second, false},
		{6 * time.Second, time.Second, 30 * time.Second, false},
		{100 * time.Millisecond, 10 * time.Millisecond, time.Second, true},
		{20 * time.Second, 2 * time.Second, 30 * time.Minute, true},
	} {
		s, err := failover.Configure(failover.WithLease(c.lease), failover.WithBeat(c.beat))
		if err != nil {
			t.Fatal(err)
		}
		var config *sessiontimer.ConfigError
		if err := s.Fits(c.smallest); (err == nil) != c.fits || err != nil && !errors.As(err, &config) {
			t.Errorf("a lease of %v with a beat of %v and an interval of %v: %v; should fit: %v", c.lease, c.beat, c.smallest, err, c.fits)
		}
	}
}

// blind is a registry that shows nothing without a claim.
type blind struct{ failover.Registry }

func TestRegistrySuits(t *testing.T) {
	may := func(dialogstore.Dialog) bool { return true }
	for _, c := range []struct {
		name     string
		opts     []failover.Option
		registry failover.Registry
		option   string // that is wrong
	}{
		{"none", nil, nil, "Failover"},
		{"blind", nil, blind{}, ""},
		{"blind, and to be read", []failover.Option{failover.WithEligible(may)}, blind{}, "Eligible"},
		{"a reader", []failover.Option{failover.WithEligible(may)}, failover.NewMemory(), ""},
	} {
		s, err := failover.Configure(c.opts...)
		if err != nil {
			t.Fatal(err)
		}
		var config *sessiontimer.ConfigError
		err = s.Suits(c.registry)
		if got := errors.As(err, &config); got != (c.option != "") || got && config.Option != c.option {
			t.Errorf("%s: %v, should be about %q", c.name, err, c.option)
		}
	}
}

// Values just out of range are refused, and those at its ends are not.
func TestOptionsAtTheEndsOfTheirRange(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		option string
		opt    failover.Option
		fine   bool
	}{
		{"Name", failover.WithName("a\x1f"), false},
		{"Name", failover.WithName("a\x7f"), false},
		{"Name", failover.WithName(strings.Repeat("a", 127) + " "), true},
		{"Beat", failover.WithBeat(ms - 1), false},
		{"Beat", failover.WithBeat(ms), true},
		{"Beat", failover.WithBeat(2 * time.Second), true},
		{"Flush", failover.WithFlush(ms - 1), false},
		{"Flush", failover.WithFlush(ms), true},
		{"Address", failover.WithAddress("192.0.2.1:65536"), false},
		{"Address", failover.WithAddress("192.0.2.1:x"), false},
		{"Address", failover.WithAddress("a:b:5060"), false},
		{"Address", failover.WithAddress("192.0.2.1:65535"), true},
		{"Address", failover.WithAddress("192.0.2.1:1"), true},
	} {
		_, err := failover.Configure(c.opt)
		var config *sessiontimer.ConfigError
		if got := errors.As(err, &config); got == c.fine || got && config.Option != c.option {
			t.Errorf("%s: %v, should be fine: %v", c.option, err, c.fine)
		}
	}
}

// What an error says is allowed.
func TestAllowed(t *testing.T) {
	config := func(_ failover.Settings, err error) error { return err }
	s, err := failover.Configure(failover.WithLease(20*time.Second), failover.WithEligible(func(dialogstore.Dialog) bool { return true }))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		err    error
		option string
		want   string
	}{
		{config(failover.Configure(failover.WithName("\n"))), "Name", "1 to 128 bytes without control characters"},
		{config(failover.Configure(failover.WithLease(1))), "Lease", "50ms or more"},
		{config(failover.Configure(failover.WithBeat(time.Hour))), "Beat", "1 ms to a third of the lease, which is 6s"},
		{config(failover.Configure(failover.WithFlush(time.Hour))), "Flush", "1 ms to 1s"},
		{config(failover.Configure(failover.WithTakeover(nil))), "Takeover", "Keep, End or a function"},
		{config(failover.Configure(failover.WithAddress("x"))), "Address", "host:port"},
		{s.Fits(90 * time.Second), "Lease", "with WithBeat, which is " + s.Beat.String() + ", less than 12s: the time from the refresh to the last chance of an interval of 1m30s"},
		{s.Suits(nil), "Failover", "a registry"},
		{s.Suits(blind{}), "Eligible", "with a registry that is a failover.Reader"},
	} {
		var config *sessiontimer.ConfigError
		if !errors.As(c.err, &config) || config.Option != c.option || config.Allowed != c.want {
			t.Errorf("%v: should be about %s, and allow %q", c.err, c.option, c.want)
		}
	}
}
