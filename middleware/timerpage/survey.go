package timerpage

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

const (
	// longest bounds the list of calls. The rest is only counted.
	longest = 100
	// A survey serves all viewers for a second, or for restFactor times as long as it
	// took, so that surveys of a million calls take only a part of one core.
	surveyEvery = time.Second
	restFactor  = 5
)

// filter selects calls.
type filter string

const (
	all       filter = "all"
	due       filter = "due"
	failed    filter = "failed"
	silent    filter = "silent"
	takenOver filter = "taken-over"
)

var filters = [...]filter{all, due, failed, silent, takenOver}

// has reports whether a call is one of those that f selects.
func (f filter) has(c *middleware.Call, now time.Time) bool {
	switch f {
	case due:
		return c.Plan.Action != sessiontimer.Idle && c.Plan.At.Sub(now) <= time.Minute
	case failed:
		return hasFailed(c)
	case silent:
		return isSilent(c, now)
	case takenOver:
		return c.From != ""
	}
	return f == all
}

// hasFailed reports whether a refresh of the current session has.
func hasFailed(c *middleware.Call) bool {
	return c.Plan.Status != 0 || c.Plan.Attempts > 1 || c.Plan.Attempts == 1 && !c.Plan.UnderWay
}

// isSilent reports whether the peer is overdue: it did not answer our refresh, or it should
// have sent its own, usually at half the interval (RFC 4028 §10), more than a tenth of the
// interval ago.
func isSilent(c *middleware.Call, now time.Time) bool {
	s := c.Session
	overdue := s.Active() && s.Refresher == sessiontimer.Peer && now.Sub(s.Since) > s.Interval*6/10
	return overdue || c.Unreachable || hasFailed(c) && c.Plan.Status == 0
}

// lastChance returns the latest time at which a refresh saves a call with a timer.
func lastChance(c *middleware.Call) time.Time {
	if c.Session.Refresher == sessiontimer.Peer {
		return c.Session.HangupAt()
	}
	return c.Session.LastChance()
}

// slack returns the time left until the last chance.
func slack(c *middleware.Call, now time.Time) time.Duration {
	if !c.Session.Active() {
		return math.MaxInt64
	}
	return lastChance(c).Sub(now)
}

// survey is the result of one look at all calls.
type survey struct {
	at     time.Time
	took   time.Duration
	counts map[string]int              // by filter
	urgent map[filter][]dialogstore.ID // those with the least slack, the least first
	from   map[string]int              // calls that were taken over, by node
}

// count counts a call by the node that it was taken from.
func (v *survey) count(from string) {
	if _, known := v.from[from]; known || len(v.from) < longest {
		v.from[from]++
	}
}

// surveyor looks at all calls, one survey at a time.
type surveyor struct {
	calls func(context.Context) iter.Seq[middleware.Call]
	turn  chan struct{} // held by the goroutine that makes a survey
	last  *atomic.Pointer[survey]
}

func newSurveyor(calls func(context.Context) iter.Seq[middleware.Call]) surveyor {
	return surveyor{calls, make(chan struct{}, 1), new(atomic.Pointer[survey])}
}

// latest returns a recent survey, after making one if there is none.
func (s *surveyor) latest(ctx context.Context) (*survey, error) {
	if last := s.recent(); last != nil {
		return last, nil
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.end()
	if last := s.recent(); last != nil { // made by another goroutine while we waited
		return last, nil
	}
	now := time.Now()
	v := &survey{at: now, counts: make(map[string]int), urgent: make(map[filter][]dialogstore.ID), from: make(map[string]int)}
	var lists [len(filters)]shortlist
	for c := range s.calls(ctx) {
		for i, f := range filters {
			if f.has(&c, now) {
				v.counts[string(f)]++
				lists[i].add(c.ID, slack(&c, now))
			}
		}
		if c.From != "" {
			v.count(c.From)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, f := range filters {
		v.urgent[f] = lists[i].ids()
	}
	v.took = time.Since(now)
	s.last.Store(v)
	return v, nil
}

func (s *surveyor) recent() *survey {
	last := s.last.Load()
	if last == nil || time.Since(last.at) >= max(surveyEvery, restFactor*last.took) {
		return nil
	}
	return last
}

// search returns the most urgent calls with text in their Call-ID, or in From or To where
// the viewer may see those, and how many there are.
func (s *surveyor) search(ctx context.Context, f filter, text string, a Access) (ids []dialogstore.ID, many int, err error) {
	if err := s.begin(ctx); err != nil {
		return nil, 0, err
	}
	defer s.end()
	text = strings.ToLower(text)
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), text) }
	var l shortlist
	now := time.Now()
	for c := range s.calls(ctx) {
		if f.has(&c, now) && (has(c.CallID) || has(a.shown(c.LocalURI)) || has(a.shown(c.RemoteURI))) {
			l.add(c.ID, slack(&c, now))
			many++
		}
	}
	return l.ids(), many, ctx.Err()
}

func (s *surveyor) begin(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *surveyor) end() { <-s.turn }

// shortlist finds the calls with the least slack in little memory.
type shortlist struct {
	found []entry
	worst time.Duration // of those that the last cut left
	full  bool          // it left as many as there may be
}

type entry struct {
	id    dialogstore.ID
	slack time.Duration
}

func (l *shortlist) add(id dialogstore.ID, slack time.Duration) {
	if l.full && slack >= l.worst {
		return
	}
	if l.found = append(l.found, entry{id, slack}); len(l.found) == 2*longest {
		l.cut()
		l.full, l.worst = true, l.found[longest-1].slack
	}
}

// cut keeps the calls with the least slack.
func (l *shortlist) cut() {
	slices.SortFunc(l.found, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.slack, b.slack), strings.Compare(a.id.CallID, b.id.CallID))
	})
	l.found = l.found[:min(len(l.found), longest)]
}

func (l *shortlist) ids() []dialogstore.ID {
	l.cut()
	ids := make([]dialogstore.ID, len(l.found))
	for i, e := range l.found {
		ids[i] = e.id
	}
	return ids
}
