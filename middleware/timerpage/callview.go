package timerpage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// callView is one call.
type callView struct {
	Now    time.Time   `json:"now"`
	CallID string      `json:"call_id"`
	Call   *row        `json:"call,omitempty"` // absent if there is no such call, or no longer
	Bar    []milestone `json:"bar,omitempty"`
	Asked  *asked      `json:"asked,omitempty"`
	Agreed *agreed     `json:"agreed,omitempty"`
	Wire   *wire       `json:"wire,omitempty"`
	Events []happening `json:"events"`           // the newest first
	Ladder []message   `json:"ladder,omitempty"` // the oldest first

	Recording bool `json:"-"`
	Always    bool `json:"-"` // events are kept while no page is open
}

// milestone is a time in the life of a session.
type milestone struct {
	Name  string    `json:"name"`
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"`
	Place int       `json:"-"` // on the bar
}

// barWidth is the width of the bar without a mark.
const barWidth = 997

// asked is the timer that we asked for.
type asked struct {
	Mode      string `json:"mode"`
	Interval  span   `json:"interval"`
	MinSE     span   `json:"min_se"`
	Refresher string `json:"refresher"`
	Method    string `json:"method"`
}

// agreed is the timer that was agreed on.
type agreed struct {
	Interval   span   `json:"interval"`
	Refresher  string `json:"refresher"`
	SettledBy  string `json:"settled_by"`
	MinSE      span   `json:"peer_min_se"`
	PeerTimer  bool   `json:"peer_timer"`  // the peer has listed timer
	PeerUpdate bool   `json:"peer_update"` // the peer's Allow lists UPDATE
	NoUpdate   bool   `json:"refused_update"`
	Method     string `json:"method,omitempty"` // of our refreshes
	Because    string `json:"because,omitempty"`
}

// wire has the addresses and CSeq numbers of the dialog.
type wire struct {
	Transport  string   `json:"transport"`
	LocalAddr  string   `json:"local_addr,omitempty"`
	Target     string   `json:"target"`
	Contact    string   `json:"contact"`
	RouteSet   []string `json:"route_set"`
	Source     string   `json:"source,omitempty"`
	Behind     bool     `json:"behind_nat"`
	Answered   string   `json:"answered,omitempty"`
	LocalCSeq  uint32   `json:"local_cseq"`
	RemoteCSeq uint32   `json:"remote_cseq"`
	OurSDP     string   `json:"our_sdp,omitempty"`
	PeerSDP    string   `json:"peer_sdp,omitempty"`
}

func (p *Page) callView(ctx context.Context, q query) (callView, error) {
	v := callView{CallID: q.id.CallID, Now: time.Now(), Recording: p.recorder != nil, Always: p.history.always}
	events := p.history.of(q.id)
	c, err := p.timers.Call(ctx, q.id)
	if p.recorder != nil {
		v.Ladder = p.recorder.ladder(q.id.CallID, c.LocalAddr)
	}
	switch {
	case errors.Is(err, dialogstore.ErrNotFound):
		v.Events = tell(events, q.access, nil)
		return v, nil
	case err != nil:
		return v, err
	}
	r := rowOf(&c, q.access, v.Now)
	v.Call, v.Bar, v.Events = &r, barOf(&c), tell(events, q.access, &c.Dialog)
	v.Asked, v.Agreed, v.Wire = askedOf(&c), agreedOf(&c), wireOf(&c, q.access)
	return v, nil
}

// barOf draws the session, from its last 2xx to its expiry.
func barOf(c *middleware.Call) []milestone {
	s := c.Session
	if !s.Active() {
		return nil
	}
	refreshAt, who := s.RefreshAt(), "half of the interval"
	switch {
	case s.Refresher == sessiontimer.Peer:
		who = "the peer’s refresh is due"
	case c.Plan.Action == sessiontimer.Refresh && c.Plan.Attempts == 0:
		refreshAt, who = c.Plan.At, "our refresh is due" // with the jitter
	}
	bar := []milestone{
		{Name: "the last refresh, or the answer", At: s.Since, Kind: "start"},
		{Name: who, At: refreshAt, Kind: "half"},
	}
	if s.Refresher == sessiontimer.Local {
		bar = append(bar, milestone{Name: "last chance for a refresh", At: s.LastChance(), Kind: "last"})
	}
	gives := "the peer gives up"
	if s.Refresher == sessiontimer.Peer {
		gives = "we give up"
	}
	bar = append(bar,
		milestone{Name: gives, At: s.ExpiresAt().Add(-sessiontimer.Margin(s.Interval)), Kind: "gives-up"},
		milestone{Name: "expiry", At: s.ExpiresAt(), Kind: "expiry"})
	for i, m := range bar {
		bar[i].Place = int(barWidth * min(s.Interval, max(0, m.At.Sub(s.Since))) / s.Interval)
	}
	return bar
}

func askedOf(c *middleware.Call) *asked {
	p := c.Policy
	a := &asked{p.Mode.String(), span(p.SessionExpires), span(p.MinSE), p.Refresher.String(), p.Method.String()}
	if p.Refresher == sessiontimer.Auto {
		a.Refresher = "auto"
	}
	return a
}

func agreedOf(c *middleware.Call) *agreed {
	a := &agreed{
		Interval: span(c.Session.Interval), Refresher: c.Session.Refresher.String(), SettledBy: c.LastMethod, MinSE: span(c.MinSE),
		PeerTimer: c.PeerTimer, PeerUpdate: c.PeerUpdate, NoUpdate: c.NoUpdate,
	}
	if c.Session.Refresher == sessiontimer.Local {
		a.Method, a.Because = nextMethod(&c.Dialog)
	}
	return a
}

func wireOf(c *middleware.Call, a Access) *wire {
	w := &wire{
		Transport: c.Transport, LocalAddr: c.LocalAddr, Target: a.shown(c.RemoteTarget), Contact: a.shown(c.Contact), RouteSet: []string{},
		Source: c.Source, Behind: c.Behind, Answered: c.Answered, LocalCSeq: c.LocalCSeq, RemoteCSeq: c.RemoteCSeq,
		OurSDP: a.text(string(c.SDP)), PeerSDP: a.text(string(c.PeerSDP)),
	}
	for _, route := range c.RouteSet {
		w.RouteSet = append(w.RouteSet, a.shown(route))
	}
	return w
}

// MethodText explains the method of our refreshes.
func (a agreed) MethodText() string {
	if a.Method == "" {
		return ""
	}
	return fmt.Sprintf("%s, because %s", methodName(a.Method), a.Because)
}

// Lines returns a session description in lines.
func (w wire) Lines(sdp string) string { return strings.ReplaceAll(sdp, "\r\n", "\n") }
