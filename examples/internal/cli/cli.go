// Package cli is shared by the example programs: their flags, their events as JSON lines,
// and how they start and stop.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Command is an example program: its help text and the values of its flags. Add its own
// flags with Seconds, Text and so on, then call Main.
type Command struct {
	Name    string // "uas"
	About   string // one sentence that begins with a verb: "answers every call"
	Example string // one command line

	Listen         string // HOST:PORT
	Transport      string // "udp" or "tcp"
	Duration       time.Duration
	RunFor         time.Duration
	User, Password string

	// Events prints to standard output; give Events.Handle to the timers.
	Events *Events
	Output io.Writer    // standard output
	Logger *slog.Logger // of the timers: warnings, to standard error

	// Closing ends the usage text.
	Closing string

	stderr   io.Writer
	policy   sessiontimer.Policy
	flags    *flag.FlagSet
	rows     []flagRow
	required []string
	check    func(given map[string]bool) error // of the flags together
}

// Bare makes a command without flags.
func Bare(name, about, example string) *Command {
	c := &Command{Name: name, About: about, Example: example}
	c.flags = flag.NewFlagSet(name, flag.ContinueOnError)
	c.flags.SetOutput(io.Discard)
	c.check = func(map[string]bool) error { return nil }
	return c
}

// New makes the command of a user agent, with the flags that all of them share
// and their defaults.
func New(name, about, example, listen string) *Command {
	c := Bare(name, about, example)
	c.Listen, c.Transport = listen, "udp"
	c.policy = sessiontimer.DefaultPolicy()
	c.Closing = "Events go to standard output, one JSON object a line, and log lines to standard\n" +
		"error. The exit status is 0 after a normal end, 1 after an error, 2 for bad flags.\n"
	c.check = c.checkUserAgent
	c.shared()
	return c
}

// Main runs the program and exits: with 0 after a normal end, 2 for bad flags
// and 1 for everything else. run gets a context that ends with SIGINT, SIGTERM
// or -run-for.
func (c *Command) Main(run func(context.Context) error) {
	sip.SetDefaultLogger(textLogger(os.Stderr, slog.LevelError)) // sipgo's warnings are about its own housekeeping
	os.Exit(c.Run(context.Background(), os.Args[1:], os.Stdout, os.Stderr, run))
}

// Run is Main for tests: it returns the exit status and uses no process-wide state.
func (c *Command) Run(ctx context.Context, args []string, stdout, stderr io.Writer, run func(context.Context) error) int {
	c.Events, c.Output, c.stderr = NewEvents(stdout), stdout, stderr
	c.Logger = textLogger(stderr, slog.LevelWarn)
	err := c.parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = io.WriteString(stdout, c.Usage())
		return 0
	}
	if err == nil {
		ctx, stop := c.lifetime(ctx)
		defer stop()
		err = run(ctx)
	}
	var usage *UsageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		c.Say("%v (%s -h lists the flags)", err, c.Name)
		return 2
	}
	c.Say("%v", err)
	return 1
}

func textLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// Say tells the user something on standard error.
func (c *Command) Say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.stderr, c.Name+": "+format+"\n", args...)
}

// AfterDuration fires when -duration is over, counted from now.
func (c *Command) AfterDuration() <-chan time.Time {
	if c.Duration == 0 {
		return nil
	}
	return time.After(c.Duration)
}

// lifetime ends with the first signal; a second one kills the process.
func (c *Command) lifetime(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if c.RunFor == 0 {
		return ctx, stop
	}
	ctx, cancel := context.WithTimeout(ctx, c.RunFor)
	return ctx, func() { cancel(); stop() }
}

// UsageError is a mistake on the command line.
type UsageError struct{ Text string }

func (e *UsageError) Error() string { return e.Text }

// Misuse returns a *UsageError.
func Misuse(format string, args ...any) error {
	return &UsageError{fmt.Sprintf(format, args...)}
}

// Options returns the options of middleware.New for the flags and events.
func (c *Command) Options() []middleware.Option {
	p := c.policy
	opts := []middleware.Option{
		middleware.WithMode(p.Mode),
		middleware.WithSessionExpires(p.SessionExpires),
		middleware.WithMinSE(p.MinSE),
		middleware.WithRefresher(p.Refresher),
		middleware.WithMethod(p.Method),
		middleware.WithMaxInterval(p.MaxInterval),
		middleware.WithMaxMinSE(p.MaxMinSE),
		middleware.WithLogger(c.Logger),
		middleware.WithEventHandler(c.Events.Handle),
		middleware.WithJitter(0), // a few calls need no spread: refresh at exactly half the interval
	}
	if p.Unsafe {
		opts = append(opts, middleware.WithUnsafeIntervals())
	}
	if c.User != "" {
		opts = append(opts, middleware.WithCredentialsFunc(c.credentials))
	}
	return opts
}

// credentials are for every realm: the user who starts the program chooses whom it calls.
// A program that calls strangers should name the realm, with middleware.WithCredentials.
func (c *Command) credentials(_ dialogstore.Dialog, _ string) (username, password string, ok bool) {
	return c.User, c.Password, true
}
