package calls

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/tally"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// Direction of the first INVITE of a call.
type Direction uint8

// The directions.
const (
	Incoming Direction = iota
	Outgoing
	directions
)

// The result of a first INVITE is the refresher, or TimerRefused if there is no call because
// the timer was refused.
const (
	TimerRefused = refreshers
	results      = TimerRefused + 1
)

// Class is the kind of failure of a refresh.
type Class uint8

// The classes: that of the response or, without a response, the reason.
const (
	Status3xx Class = iota
	Status4xx
	Status5xx
	Status6xx
	Unanswered
	Unsent
	classes
)

// The methods of refreshes.
const (
	Update = iota
	Invite
	methods
)

func methodIndex(method string) int {
	if method == string(sip.INVITE) {
		return Invite
	}
	return Update
}

const (
	refreshers = sessiontimer.Peer + 1
	causes     = sessiontimer.CauseTakenOver + 1
)

// Counts count what happened to calls since New, except for Dialogs.
type Counts struct {
	Dialogs    [refreshers]int64 // that exist now
	Negotiated [directions]Negotiations
	Refreshed  [refreshers]ByMethod // by who sent the request
	Failed     [methods]Failures
	Expired    Expired
}

// The counters of each kind.
type (
	Negotiations = [results]uint64 // by sessiontimer.Refresher, and TimerRefused
	ByMethod     = [methods]uint64
	Failures     = [classes]uint64 // by Class
	Expired      = [causes]uint64  // by sessiontimer.Cause
)

// Add adds the counts of other calls.
func (c *Counts) Add(o *Counts) {
	for i := range c.Dialogs {
		c.Dialogs[i] += o.Dialogs[i]
	}
	for i := range c.Negotiated {
		add(c.Negotiated[i][:], o.Negotiated[i][:])
	}
	for i := range c.Refreshed {
		add(c.Refreshed[i][:], o.Refreshed[i][:])
	}
	for i := range c.Failed {
		add(c.Failed[i][:], o.Failed[i][:])
	}
	add(c.Expired[:], o.Expired[:])
}

func add(to, more []uint64) {
	for i := range more {
		to[i] += more[i]
	}
}

// counts are the counters behind Counts.
type counts struct {
	dialogs    [refreshers]atomic.Int64
	negotiated [directions][results]atomic.Uint64
	refreshed  [refreshers][methods]atomic.Uint64
	failed     [methods][classes]atomic.Uint64
	expired    [causes]atomic.Uint64
}

func (c *counts) read() (r Counts) {
	for i := range c.dialogs {
		r.Dialogs[i] = max(0, c.dialogs[i].Load()) // of two concurrent changes, the later one may be counted first
	}
	for i := range c.negotiated {
		read(r.Negotiated[i][:], c.negotiated[i][:])
	}
	for i := range c.refreshed {
		read(r.Refreshed[i][:], c.refreshed[i][:])
	}
	for i := range c.failed {
		read(r.Failed[i][:], c.failed[i][:])
	}
	read(r.Expired[:], c.expired[:])
	return r
}

func read(to []uint64, from []atomic.Uint64) {
	for i := range from {
		to[i] = from[i].Load()
	}
}

// Figures count what happens to calls. Counting neither locks nor allocates, except for the
// first call with a name.
type Figures struct {
	Intervals  *tally.Histogram // that were negotiated
	Retries422 atomic.Uint64

	unnamed counts // also of INVITEs that made no dialog
	name    func(dialogstore.Dialog) string
	mu      sync.Mutex // held to add a name
	named   atomic.Pointer[map[string]*counts]
}

const (
	mostNames   = 32
	longestName = 64      // bytes
	others      = "other" // the last name, for calls with further names
)

func newFigures(name func(dialogstore.Dialog) string) Figures {
	const m, h = time.Minute, time.Hour
	return Figures{name: name,
		Intervals: tally.New([]time.Duration{90 * time.Second, 3 * m, 5 * m, 10 * m, 15 * m, 20 * m, 30 * m, h, 2 * h, 6 * h, 24 * h})}
}

// Read returns the counts by the name of the call, which is empty for calls without one.
func (f *Figures) Read() map[string]Counts {
	all := map[string]Counts{"": f.unnamed.read()}
	if named := f.named.Load(); named != nil {
		for name, c := range *named {
			all[name] = c.read()
		}
	}
	return all
}

// countsOf returns the counts of the calls that have the name of d.
func (c *Calls) countsOf(d *dialogstore.Dialog) *counts {
	f := &c.Figures
	if f.name == nil {
		return &f.unnamed
	}
	name := c.nameOf(d)
	if name == "" {
		return &f.unnamed
	}
	if named := f.named.Load(); named != nil {
		if known := find(*named, name); known != nil {
			return known
		}
	}
	return f.add(name)
}

func find(named map[string]*counts, name string) *counts {
	if c := named[name]; c != nil || len(named) < mostNames-1 {
		return c
	}
	return named[others]
}

// nameOf calls the application's function. If it panics, the call has no name.
func (c *Calls) nameOf(d *dialogstore.Dialog) (name string) {
	defer c.Contain("function of WithStatsBy", d.ID)
	name = c.Figures.name(*d)
	return strings.ToValidUTF8(name[:min(len(name), longestName)], "")
}

// add adds a name, or others if there are too many, and returns its counts.
func (f *Figures) add(name string) *counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	named := make(map[string]*counts)
	if before := f.named.Load(); before != nil {
		named = maps.Clone(*before)
	}
	if known := find(named, name); known != nil {
		return known
	}
	if len(named) >= mostNames-1 {
		name = others
	}
	named[strings.Clone(name)] = new(counts)
	f.named.Store(&named)
	return named[name]
}

// Count updates the number of dialogs.
func (c *Calls) Count(change *dialogstore.Change) {
	before, after := change.Before.Session.Refresher, change.After.Session.Refresher
	if !change.Created() && !change.Deleted() && before == after {
		return
	}
	if !change.Created() {
		c.countsOf(&change.Before).dialogs[before].Add(-1)
	}
	if !change.Deleted() {
		c.countsOf(&change.After).dialogs[after].Add(1)
	}
}

// countNegotiated counts a call that has begun.
func (c *Calls) countNegotiated(d *dialogstore.Dialog) {
	direction := Incoming
	if d.OwnsCallID {
		direction = Outgoing
	}
	c.countsOf(d).negotiated[direction][d.Session.Refresher].Add(1)
	if d.Session.Active() {
		c.Figures.Intervals.Observe(d.Session.Interval)
	}
}

// CountRefused counts an INVITE that was refused because of its timer. It has no dialog, and
// so no name.
func (c *Calls) CountRefused(direction Direction) {
	c.Figures.unnamed.negotiated[direction][TimerRefused].Add(1)
}

// CountRefreshed counts a refresh that was sent by the given side.
func (c *Calls) CountRefreshed(by sessiontimer.Refresher, method sip.RequestMethod, d *dialogstore.Dialog) {
	c.countsOf(d).refreshed[by][methodIndex(string(method))].Add(1)
}

func (c *Calls) countFailed(e *sessiontimer.RefreshFailed) {
	counts := &c.Figures.unnamed
	if c.Figures.name != nil {
		d, err := c.Store.Load(context.Background(), dialogstore.ID{CallID: e.CallID, LocalTag: e.LocalTag, RemoteTag: e.RemoteTag})
		if err == nil {
			counts = c.countsOf(&d)
		}
	}
	counts.failed[methodIndex(e.Method)][classOf(e)].Add(1)
}

func classOf(e *sessiontimer.RefreshFailed) Class {
	switch {
	case e.Status/100 >= 6:
		return Status6xx
	case e.Status/100 >= 3:
		return Status3xx + Class(e.Status/100-3)
	case errors.Is(e.Err, refresher.ErrUnanswered), errors.Is(e.Err, refresher.ErrGivenUp), errors.Is(e.Err, context.DeadlineExceeded):
		return Unanswered
	}
	return Unsent
}
