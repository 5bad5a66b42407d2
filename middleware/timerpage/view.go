package timerpage

import (
	"context"
	"errors"
	"html/template"
	"net/url"
	"slices"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// errNoView means that there is no view with that name.
var errNoView = errors.New("timerpage: no such page")

// model is the contents of a view, for HTML and JSON alike.
func (p *Page) model(ctx context.Context, q query) (any, error) {
	switch q.view {
	case "calls":
		if !slices.Contains(filters[:], q.filter) {
			return nil, errNoView
		}
		return p.callsView(ctx, q)
	case "call":
		return p.callView(ctx, q)
	case "totals":
		return p.totalsView(), nil
	case "nodes":
		return p.nodesView(ctx)
	}
	return nil, errNoView
}

// callsView is the list of calls.
type callsView struct {
	Now      time.Time      `json:"now"`
	Total    int            `json:"total"`
	Surveyed time.Time      `json:"surveyed,omitzero"` // when the counts were made
	Counts   map[string]int `json:"counts,omitempty"`  // by filter
	Filter   filter         `json:"filter"`
	Search   string         `json:"search,omitempty"`
	Calls    []row          `json:"calls"`   // by slack, the least first
	More     int            `json:"more"`    // calls that are not listed
	Trouble  []happening    `json:"trouble"` // the newest first
	Stale    bool           `json:"-"`       // the counts are older than a few seconds
	Failover bool           `json:"-"`
	Always   bool           `json:"-"` // events are kept while no page is open
}

// row is a call in the list.
type row struct {
	CallID     string    `json:"call_id"`
	LocalTag   string    `json:"local_tag"`
	RemoteTag  string    `json:"remote_tag"`
	From       string    `json:"from"`
	To         string    `json:"to"`
	Outgoing   bool      `json:"outgoing"`
	Condition  condition `json:"condition"`
	Began      time.Time `json:"began,omitzero"`
	Interval   span      `json:"interval"`
	Refresher  string    `json:"refresher"`        // local, peer or none
	Method     string    `json:"method,omitempty"` // of our next refresh, or of the peer's last one
	Refreshed  time.Time `json:"refreshed,omitzero"`
	Next       string    `json:"next"`
	NextAt     time.Time `json:"next_at,omitzero"`
	LastChance time.Time `json:"last_chance,omitzero"`
	Slack      span      `json:"slack"` // until then, as of now
	Expires    time.Time `json:"expires,omitzero"`
	Tries      int       `json:"tries"`            // refreshes of this session
	Status     int       `json:"status,omitempty"` // of the last one, which failed
	TakenOver  string    `json:"taken_over_from,omitempty"`
}

// Link is the query that leads to the call.
func (r row) Link() template.URL { return link(r.ID()) }

// ID names the call.
func (r row) ID() dialogstore.ID {
	return dialogstore.ID{CallID: r.CallID, LocalTag: r.LocalTag, RemoteTag: r.RemoteTag}
}

func link(id dialogstore.ID) template.URL {
	return template.URL(url.Values{"call_id": {id.CallID}, "local_tag": {id.LocalTag}, "remote_tag": {id.RemoteTag}}.Encode()) // escaped
}

func rowOf(c *middleware.Call, a Access, now time.Time) row {
	r := row{
		CallID: c.CallID, LocalTag: c.LocalTag, RemoteTag: c.RemoteTag,
		From: a.shown(c.RemoteURI), To: a.shown(c.LocalURI), Outgoing: c.OwnsCallID,
		Condition: conditionOf(c, now), Began: c.Began,
		Interval: span(c.Session.Interval), Refresher: c.Session.Refresher.String(), Method: methodOf(c),
		Next: nextStep(c), NextAt: c.Plan.At,
		Tries: c.Plan.Attempts, Status: c.Plan.Status, TakenOver: c.From,
	}
	if r.Outgoing {
		r.From, r.To = r.To, r.From
	}
	if c.Session.Active() {
		r.Refreshed, r.Expires, r.LastChance = c.Session.Since, c.Session.ExpiresAt(), lastChance(c)
		r.Slack = span(slack(c, now))
	}
	return r
}

// methodOf is how we refresh, or how the peer last did; empty if it has not yet.
func methodOf(c *middleware.Call) string {
	switch s := c.Session; {
	case s.Refresher == sessiontimer.Local:
		name, _ := nextMethod(&c.Dialog)
		return name
	case s.Refresher == sessiontimer.Peer && s.Since.Sub(c.Began) > time.Second:
		return c.LastMethod
	}
	return ""
}

func (p *Page) callsView(ctx context.Context, q query) (callsView, error) {
	stats := p.timers.Stats()
	v := callsView{Total: stats.Dialogs.Total(), Filter: q.filter, Search: q.search, Calls: []row{},
		Trouble: tell(p.history.troubles(), q.access, nil), Failover: stats.Node != nil, Always: p.history.always}
	var ids []dialogstore.ID
	var many int
	if q.search != "" {
		var err error
		if ids, many, err = p.calls.search(ctx, q.filter, q.search, q.access); err != nil {
			return v, err
		}
	} else {
		s, err := p.calls.latest(ctx)
		if err != nil {
			return v, err
		}
		ids, many, v.Surveyed, v.Counts = s.urgent[q.filter], s.counts[string(q.filter)], s.at, s.counts
	}
	v.Now = time.Now()
	v.Stale = q.search == "" && v.Now.Sub(v.Surveyed) > 3*surveyEvery
	for _, id := range ids {
		c, err := p.timers.Call(ctx, id) // its present state, not the one of the survey
		if err == nil && (q.search != "" || q.filter.has(&c, v.Now)) {
			v.Calls = append(v.Calls, rowOf(&c, q.access, v.Now))
		}
	}
	v.More = max(0, many-len(ids))
	slices.SortStableFunc(v.Calls, bySlack)
	return v, nil
}

// bySlack sorts calls without a timer last.
func bySlack(a, b row) int {
	if a.LastChance.IsZero() || b.LastChance.IsZero() {
		return b.LastChance.Compare(a.LastChance)
	}
	return a.LastChance.Compare(b.LastChance)
}
