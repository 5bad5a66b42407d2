package timerpage

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// A row has what is known of a call: from the caller to the callee, whoever is here.
func TestRow(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	since := began.Add(15 * time.Minute)
	now := since.Add(time.Minute)
	c := middleware.Call{From: "a", Plan: refresher.Plan{Action: sessiontimer.Refresh, At: since.Add(14 * time.Minute), Attempts: 2, Status: 503},
		Dialog: dialogstore.Dialog{
			Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: "c", LocalTag: "l", RemoteTag: "r"}, OwnsCallID: true, Began: began,
				LocalURI: "<sip:us@here>;tag=l", RemoteURI: "<sip:them@there>;tag=r"},
			State: dialogstore.State{LastMethod: "INVITE", PeerUpdate: true, SDP: []byte("v=0"),
				Session: sessiontimer.Session{Interval: 30 * time.Minute, Refresher: sessiontimer.Local, Since: since}},
		}}
	want := row{CallID: "c", LocalTag: "l", RemoteTag: "r", From: "sip:us@here", To: "sip:them@there", Outgoing: true, Condition: condition{"failed, 503", "bad"},
		Began: began, Interval: span(30 * time.Minute), Refresher: "local", Method: "UPDATE", Refreshed: since, Next: "try again", NextAt: since.Add(14 * time.Minute),
		LastChance: c.Session.LastChance(), Slack: span(c.Session.LastChance().Sub(now)), Expires: since.Add(30 * time.Minute), Tries: 2, Status: 503, TakenOver: "a"}
	if diff := cmp.Diff(want, rowOf(&c, Everything, now)); diff != "" {
		t.Errorf("a call of ours that we refresh (-want +got):\n%s", diff)
	}

	c.OwnsCallID, c.Plan, c.Session.Refresher = false, refresher.Plan{Action: sessiontimer.Hangup, At: since.Add(29 * time.Minute)}, sessiontimer.Peer
	want.From, want.To, want.Outgoing, want.Condition, want.Refresher, want.Method = "sip:them@there", "sip:us@here", false, condition{"healthy", "good"}, "peer", "INVITE"
	want.Next, want.NextAt, want.Tries, want.Status = "hang up, unless refreshed", since.Add(29*time.Minute), 0, 0
	want.LastChance = since.Add(30*time.Minute - 32*time.Second)
	want.Slack = span(want.LastChance.Sub(now))
	if diff := cmp.Diff(want, rowOf(&c, Everything, now)); diff != "" {
		t.Errorf("a call of the peer, which refreshes (-want +got):\n%s", diff)
	}
	c.Session.Since = began
	if got := rowOf(&c, Everything, began).Method; got != "" {
		t.Errorf("the peer has refreshed by %q, want not yet", got)
	}

	c.Session, c.Plan = sessiontimer.Session{}, refresher.Plan{}
	got := rowOf(&c, Everything, now)
	if got.Refresher != "none" || got.Method != "" || got.Next != "nothing" || got.Slack != 0 || !got.LastChance.IsZero() || !got.Expires.IsZero() || !got.Refreshed.IsZero() {
		t.Errorf("a call without a timer: %+v", got)
	}
	if got, want := string(got.Link()), "call_id=c&local_tag=l&remote_tag=r"; got != want {
		t.Errorf("it is at %s, want %s", got, want)
	}
}

// The list has the least slack first, and calls without a timer last.
func TestRowsBySlack(t *testing.T) {
	now := time.Now()
	rows := []row{{CallID: "none"}, {CallID: "late", LastChance: now.Add(time.Minute)}, {CallID: "soon", LastChance: now}, {CallID: "none too"}}
	slices.SortStableFunc(rows, bySlack)
	var got []string
	for _, r := range rows {
		got = append(got, r.CallID)
	}
	if want := []string{"soon", "late", "none", "none too"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Which calls a filter selects.
func TestFilterHas(t *testing.T) {
	now := time.Now()
	timed := func(c middleware.Call) middleware.Call {
		c.Session = sessiontimer.Session{Interval: 30 * time.Minute, Refresher: sessiontimer.Local, Since: now}
		return c
	}
	plan := func(p refresher.Plan) middleware.Call { return timed(middleware.Call{Plan: p}) }
	const refresh = sessiontimer.Refresh
	for _, c := range []struct {
		name string
		call middleware.Call
		want []filter // besides all
	}{
		{"no timer", middleware.Call{}, nil},
		{"due in a minute", plan(refresher.Plan{Action: refresh, At: now.Add(time.Minute)}), []filter{due}},
		{"due later", plan(refresher.Plan{Action: refresh, At: now.Add(time.Minute + 1)}), nil},
		{"overdue", plan(refresher.Plan{Action: sessiontimer.Hangup, At: now.Add(-time.Hour)}), []filter{due}},
		{"the first refresh is under way", plan(refresher.Plan{Action: refresh, At: now.Add(time.Hour), Attempts: 1, UnderWay: true}), nil},
		{"not answered", plan(refresher.Plan{Action: refresh, At: now.Add(time.Hour), Attempts: 1}), []filter{failed, silent}},
		{"the second is under way", plan(refresher.Plan{Action: refresh, At: now.Add(time.Hour), Attempts: 2, UnderWay: true, Status: 500}), []filter{failed}},
		{"refused", plan(refresher.Plan{Action: refresh, At: now.Add(time.Hour), Attempts: 1, Status: 500}), []filter{failed}},
		{"unreachable", timed(middleware.Call{Unreachable: true}), []filter{silent}},
		{"taken over", timed(middleware.Call{From: "a"}), []filter{takenOver}},
	} {
		var got []filter
		for _, f := range filters[1:] {
			if f.has(&c.call, now) {
				got = append(got, f)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if !all.has(&c.call, now) || filter("other").has(&c.call, now) {
			t.Errorf("%s: not among all, or under an unknown name", c.name)
		}
	}
}
