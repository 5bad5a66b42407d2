package cli

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
)

// shared adds the flags that all programs have.
func (c *Command) shared() {
	p := &c.policy
	c.Text(&c.Listen, "listen", "HOST:PORT", "address to listen on; port 0 picks a free one")
	Choice(c, &c.Transport, "transport", "udp|tcp", "transport protocol", "udp", "tcp")
	c.Seconds(&p.SessionExpires, "session-expires", "DUR", "a call ends after this long without a refresh")
	c.Seconds(&p.MinSE, "min-se", "DUR", "shortest interval that the other side may ask for")
	Choice(c, &p.Refresher, "refresher", "auto|local|peer", "who should refresh: either side, we, the other side",
		sessiontimer.Auto, sessiontimer.Local, sessiontimer.Peer)
	Choice(c, &p.Method, "method", "auto|update|invite", "request to refresh with; auto prefers UPDATE",
		sessiontimer.MethodAuto, sessiontimer.MethodUpdate, sessiontimer.MethodReInvite)
	Choice(c, &p.Mode, "mode", "off|accept|offer|require|always", "timers: never, if asked, offered, required, even alone",
		sessiontimer.Off, sessiontimer.Accept, sessiontimer.Offer, sessiontimer.Require, sessiontimer.Always)
	c.Switch(&p.Unsafe, "unsafe-intervals", "allow intervals below 90s, down to 1s; for labs only")
	c.Text(&c.User, "user", "NAME", "for digest authentication")
	c.Text(&c.Password, "password", "TEXT", "for digest authentication")
}

// DurationFlag adds -duration.
func (c *Command) DurationFlag() {
	c.Seconds(&c.Duration, "duration", "DUR", "hang up after this long; 0 = never")
}

// RunForFlag adds -run-for.
func (c *Command) RunForFlag() {
	c.Seconds(&c.RunFor, "run-for", "DUR", "stop the program after this long; 0 = never")
}

// Text adds a flag with the default *p; arg stands for its value in the usage text.
func (c *Command) Text(p *string, name, arg, usage string) {
	c.note(name, arg)
	c.flags.StringVar(p, name, *p, usage)
}

// Required adds a flag that must be given, before the others.
func (c *Command) Required(p *string, name, arg, usage string) {
	c.required = append(c.required, name)
	c.Text(p, name, arg, usage+" (required)")
	last := len(c.rows) - 1
	c.rows = slices.Insert(c.rows[:last], 0, c.rows[last])
}

// Switch adds a flag without a value.
func (c *Command) Switch(p *bool, name, usage string) {
	c.note(name, "")
	c.flags.BoolVar(p, name, *p, usage)
}

// Seconds adds a flag that takes a Go duration, or a plain number of seconds.
func (c *Command) Seconds(p *time.Duration, name, arg, usage string) {
	c.note(name, arg)
	c.flags.Var(&value{
		text: func() string { return shortDuration(*p) },
		set: func(s string) error {
			d, err := time.ParseDuration(s)
			if n, notNumber := strconv.ParseUint(s, 10, 32); notNumber == nil {
				d, err = time.Duration(n)*time.Second, nil
			}
			if err != nil || d < 0 {
				return errors.New("want a duration such as 90s or 30m")
			}
			*p = d
			return nil
		},
	}, name, usage)
}

// Count adds a flag that takes a whole number, 0 or more.
func (c *Command) Count(p *int, name, arg, usage string) {
	c.note(name, arg)
	c.flags.Var(&value{
		text: func() string { return strconv.Itoa(*p) },
		set: func(s string) error {
			n, err := strconv.ParseUint(s, 10, 31)
			if err != nil {
				return errors.New("want a whole number")
			}
			*p = int(n)
			return nil
		},
	}, name, usage)
}

// Share adds a flag that takes a fraction, 0 to 1.
func (c *Command) Share(p *float64, name, arg, usage string) {
	c.note(name, arg)
	c.flags.Var(&value{
		text: func() string { return strconv.FormatFloat(*p, 'g', -1, 64) },
		set: func(s string) error {
			f, err := strconv.ParseFloat(s, 64)
			if err != nil || !(f >= 0 && f <= 1) {
				return errors.New("want a fraction such as 0.1")
			}
			*p = f
			return nil
		},
	}, name, usage)
}

// Choice adds a flag for one of several values; arg is their names, a|b|c, in
// the same order.
func Choice[T comparable](c *Command, p *T, name, arg, usage string, values ...T) {
	names := strings.Split(arg, "|")
	c.note(name, arg)
	c.flags.Var(&value{
		text: func() string { return names[max(slices.Index(values, *p), 0)] },
		set: func(s string) error {
			i := slices.Index(names, s)
			if i < 0 {
				return fmt.Errorf("want %s or %s", strings.Join(names[:len(names)-1], ", "), names[len(names)-1])
			}
			*p = values[i]
			return nil
		},
	}, name, usage)
}

// note records the order of the flags for the usage text.
func (c *Command) note(name, arg string) {
	c.rows = append(c.rows, flagRow{name, strings.TrimSpace("-" + name + " " + arg)})
}

// value is a flag.Value made of two functions.
type value struct {
	text func() string
	set  func(string) error
}

// String implements flag.Value.
func (v *value) String() string {
	if v.text == nil { // package flag calls it on a zero value
		return ""
	}
	return v.text()
}

// Set implements flag.Value.
func (v *value) Set(s string) error { return v.set(s) }

// parse reads the flags. Every error is a *UsageError.
func (c *Command) parse(args []string) error {
	if err := c.flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return &UsageError{err.Error()}
	}
	given := make(map[string]bool)
	c.flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if c.flags.NArg() > 0 {
		return Misuse("unexpected argument %q", c.flags.Arg(0))
	}
	for _, name := range c.required {
		if !given[name] {
			return Misuse("-%s is missing", name)
		}
	}
	return c.check(given)
}

// checkUserAgent is the check of the shared flags.
func (c *Command) checkUserAgent(given map[string]bool) error {
	if given["user"] != given["password"] {
		return Misuse("-user and -password go together")
	}
	if _, port, err := net.SplitHostPort(c.Listen); err != nil || port == "" {
		return Misuse("-listen %s: want HOST:PORT", c.Listen)
	}
	return c.checkPolicy(given)
}

// checkPolicy adapts the flags that were not given, and refuses contradictions.
func (c *Command) checkPolicy(given map[string]bool) error {
	p := &c.policy
	if p.Unsafe && !given["min-se"] {
		p.MinSE = p.Floor()
	}
	if given["min-se"] && !given["session-expires"] {
		p.SessionExpires = max(p.SessionExpires, p.MinSE)
	}
	p.MaxInterval = max(p.MaxInterval, p.SessionExpires)
	p.MaxMinSE = max(p.MaxMinSE, p.MinSE)
	if err := c.checkInterval("min-se", p.MinSE); err != nil {
		return err
	}
	if err := c.checkInterval("session-expires", p.SessionExpires); err != nil {
		return err
	}
	if p.SessionExpires < p.MinSE {
		return Misuse("-session-expires %s is less than -min-se, which is %s", shortDuration(p.SessionExpires), shortDuration(p.MinSE))
	}
	return p.Validate()
}

func (c *Command) checkInterval(name string, d time.Duration) error {
	floor := c.policy.Floor()
	switch {
	case d%time.Second != 0:
		return Misuse("-%s %s: want whole seconds", name, d)
	case d < floor && c.policy.Unsafe:
		return Misuse("-%s %s: want %s or more", name, shortDuration(d), shortDuration(floor))
	case d < floor:
		return Misuse("-%s %s is less than the %s of RFC 4028; -unsafe-intervals allows it in a lab",
			name, shortDuration(d), shortDuration(floor))
	}
	return nil
}

// shortDuration formats durations as people write them: 0, 90s, 30m, 24h.
func shortDuration(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return d.String()
}
