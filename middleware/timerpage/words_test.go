package timerpage

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// What each event says, to one who may see everything.
func TestWords(t *testing.T) {
	const local, peer = sessiontimer.Local, sessiontimer.Peer
	type call = sessiontimer.Call
	type refreshFailed = sessiontimer.RefreshFailed
	ended := func(c sessiontimer.Cause, status int) sessiontimer.Event {
		return sessiontimer.Ended{Reason: sessiontimer.Reason{Cause: c, Status: status}}
	}
	byInvite := &dialogstore.Dialog{State: dialogstore.State{SDP: []byte("v=0")}}
	byUpdate := &dialogstore.Dialog{}
	for _, c := range []struct {
		event      sessiontimer.Event
		dialog     *dialogstore.Dialog
		name, text string
	}{
		{sessiontimer.Negotiated{Call: call{Interval: 30 * time.Minute, Refresher: local}}, nil, "negotiated", "The call began, with a timer of 30 min that we refresh."},
		{sessiontimer.Negotiated{Call: call{Interval: 90 * time.Second, Refresher: peer}}, nil, "negotiated", "The call began, with a timer of 90 s that the peer refreshes."},
		{sessiontimer.Negotiated{}, nil, "negotiated", "The call began, without a timer."},
		{sessiontimer.Refreshed{Call: call{Refresher: local}, Method: "UPDATE"}, byUpdate, "refreshed", "Refreshed by UPDATE."},
		{sessiontimer.Refreshed{Call: call{Refresher: local}, Method: "INVITE"}, byInvite, "refreshed", "Refreshed by re-INVITE, because the peer's Allow lacks UPDATE."},
		{sessiontimer.Refreshed{Call: call{Refresher: local}, Method: "INVITE"}, byUpdate, "refreshed", "Refreshed by re-INVITE."},
		{sessiontimer.Refreshed{Call: call{Refresher: local}, Method: "INVITE"}, nil, "refreshed", "Refreshed by re-INVITE."},
		{sessiontimer.Refreshed{Call: call{Refresher: peer}, Method: "INVITE"}, byInvite, "refreshed", "Refreshed by re-INVITE."},
		{refreshFailed{Method: "INVITE", Status: 500}, nil, "refresh failed", "re-INVITE was answered 500."},
		{refreshFailed{Method: "UPDATE", Err: refresher.ErrUnanswered}, nil, "refresh failed", "UPDATE was not answered in time."},
		{refreshFailed{Method: "UPDATE", Err: refresher.ErrGivenUp}, nil, "refresh failed", "UPDATE was not answered in time."},
		{refreshFailed{Method: "UPDATE", Err: context.DeadlineExceeded}, nil, "refresh failed", "UPDATE was not answered in time."},
		{refreshFailed{Method: "INVITE", Err: refresher.ErrTooLong}, nil, "refresh failed", "re-INVITE was not sent: it is too long for a datagram."},
		{refreshFailed{Method: "UPDATE", Err: errors.New("no route")}, nil, "refresh failed", "UPDATE failed: no route."},
		{refreshFailed{Method: "UPDATE"}, nil, "refresh failed", "UPDATE could not be sent."},
		{sessiontimer.MediaChanged{}, nil, "media changed", "The peer changed its session description in a message that the application did not see."},
		{sessiontimer.Expired{Reason: sessiontimer.Reason{Cause: sessiontimer.CauseExpired}}, nil, "expired", "We hang up: nobody refreshed it in time."},
		{ended(sessiontimer.CauseExpired, 0), nil, "ended", "The call ended: nobody refreshed it in time."},
		{ended(sessiontimer.CauseRefreshAnswered, 481), nil, "ended", "The call ended: its refresh was answered 481: the peer does not have this call."},
		{ended(sessiontimer.CauseRefreshAnswered, 0), nil, "ended", "The call ended: its refresh was answered 481 or 408."},
		{ended(sessiontimer.CauseRefreshUnanswered, 0), nil, "ended", "The call ended: its refresh was not answered."},
		{ended(sessiontimer.CauseNoACK, 0), nil, "ended", "The call ended: the peer sent no ACK."},
		{ended(sessiontimer.CauseDialogClosed, 0), nil, "ended", "The call ended: the application dropped it without a BYE."},
		{ended(sessiontimer.CauseHungUp, 0), nil, "ended", "The call ended: the application hung up."},
		{ended(sessiontimer.CausePeerHungUp, 0), nil, "ended", "The call ended: the peer hung up."},
		{ended(sessiontimer.CauseTakenOver, 0), nil, "ended", "The call ended: the node that served it died."},
		{sessiontimer.TakenOver{From: "a"}, nil, "taken over", "Taken over from node a."},
		{sessiontimer.Released{To: "b"}, nil, "released", "Node b owns it now."},
		{sessiontimer.Released{}, nil, "released", "Ended by another node."},
		{sessiontimer.Unreachable{}, nil, "unreachable", "The peer cannot be reached from this node. The call is kept until it expires."},
	} {
		if name, text := words(c.event, Everything, c.dialog); name != c.name || text != c.text {
			t.Errorf("%T: %s: %q, want %s: %q", c.event, name, text, c.name, c.text)
		}
	}
	unsent := refreshFailed{Method: "UPDATE", Err: errors.New("no route to 10.0.0.9")}
	if _, text := words(unsent, WithoutNumbers, nil); text != "UPDATE could not be sent." {
		t.Errorf("without numbers: %q, want no address", text)
	}
}

// What a status means is told where it has one meaning for a refresh.
func TestMeaning(t *testing.T) {
	for want, statuses := range map[string][]int{
		"": {200, 400, 403, 406, 409, 411, 421, 423, 480, 482, 487, 489, 490, 492, 500, 502, 504, 603},
		": the peer wants credentials, see WithCredentials":  {401, 407},
		": the peer does not have this call":                 {404, 410, 481},
		": the peer does not know the method":                {405, 501},
		": the peer was not reached":                         {408},
		": the peer does not support an extension":           {420},
		": the interval is too short for the peer":           {422},
		": the peer does not accept the session description": {488, 606},
		": a request of the peer crossed it":                 {491},
		": the peer is overloaded":                           {503},
	} {
		for _, status := range statuses {
			if got := meaning(status); got != want {
				t.Errorf("%d%s, want %q", status, got, want)
			}
		}
	}
}

// The words of JSON as operators say them.
func TestNames(t *testing.T) {
	for name, want := range map[string]string{"local": "us", "peer": "the peer", "none": "nobody", "auto": "either"} {
		if got := partyName(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for name, want := range map[string]string{"INVITE": "re-INVITE", "UPDATE": "UPDATE"} {
		if got := methodName(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

// The method of our next refresh has a reason.
func TestNextMethod(t *testing.T) {
	const auto, update, invite = sessiontimer.MethodAuto, sessiontimer.MethodUpdate, sessiontimer.MethodReInvite
	for _, c := range []struct {
		wanted           sessiontimer.Method
		sdp              string
		allowed, refused bool
		want             string
	}{
		{auto, "", false, false, "UPDATE: there is no agreed session description for a re-INVITE"},
		{auto, "v=0", true, false, "UPDATE: the peer's Allow lists it"},
		{auto, "v=0", false, false, "INVITE: the peer's Allow lacks UPDATE"},
		{auto, "v=0", true, true, "INVITE: UPDATE has failed with this peer"},
		{update, "v=0", true, false, "UPDATE: the application chose it"},
		{invite, "v=0", true, false, "INVITE: the application chose it"},
	} {
		d := &dialogstore.Dialog{State: dialogstore.State{SDP: []byte(c.sdp), PeerUpdate: c.allowed, NoUpdate: c.refused}}
		d.Policy.Method = c.wanted
		if name, because := nextMethod(d); name+": "+because != c.want {
			t.Errorf("%v wanted, allowed %v, refused %v: %s: %s, want %s", c.wanted, c.allowed, c.refused, name, because, c.want)
		}
	}
}

// What is due next with a call, and its condition.
func TestNextStepAndCondition(t *testing.T) {
	const local, peer = sessiontimer.Local, sessiontimer.Peer
	type plan = refresher.Plan
	refresh, hangup := sessiontimer.Refresh, sessiontimer.Hangup
	for _, c := range []struct {
		who         sessiontimer.Refresher
		age         time.Duration // of a session of 30 min
		plan        plan
		unreachable bool
		next        string
		condition   condition
	}{
		{who: sessiontimer.Nobody, next: "nothing", condition: condition{"no timer", "none"}},
		{who: local, plan: plan{Action: refresh}, next: "UPDATE", condition: condition{"healthy", "good"}},
		{who: local, plan: plan{Action: refresh, Attempts: 1, UnderWay: true}, next: "hang up, unless answered", condition: condition{"refreshing", "busy"}},
		{who: local, plan: plan{Action: refresh, Waiting: true}, next: "waiting for its turn", condition: condition{"waiting", "busy"}},
		{who: local, plan: plan{Action: refresh, Attempts: 1}, next: "try again", condition: condition{"peer silent", "bad"}},
		{who: local, plan: plan{Action: refresh, Attempts: 1, Status: 503}, next: "try again", condition: condition{"failed, 503", "bad"}},
		{who: local, plan: plan{Action: refresh, Attempts: 2, UnderWay: true, Status: 500}, next: "hang up, unless answered", condition: condition{"failed, 500", "bad"}},
		{who: local, plan: plan{Action: refresh, Attempts: 2, UnderWay: true}, next: "hang up, unless answered", condition: condition{"peer silent", "bad"}},
		{who: local, plan: plan{Action: hangup}, next: "hang up", condition: condition{"healthy", "good"}},
		{who: local, plan: plan{Action: refresh}, unreachable: true, next: "UPDATE", condition: condition{"unreachable", "bad"}},
		{who: local, age: 30*time.Minute - 35*time.Second, plan: plan{Action: hangup}, next: "hang up", condition: condition{"too late", "bad"}},
		{who: peer, plan: plan{Action: hangup}, next: "hang up, unless refreshed", condition: condition{"healthy", "good"}},
		{who: peer, age: 18 * time.Minute, plan: plan{Action: hangup}, next: "hang up, unless refreshed", condition: condition{"healthy", "good"}},
		{who: peer, age: 18*time.Minute + 1, plan: plan{Action: hangup}, next: "hang up, unless refreshed", condition: condition{"peer late", "bad"}},
	} {
		now := time.Now()
		call := middleware.Call{Plan: c.plan, Unreachable: c.unreachable}
		if c.who != sessiontimer.Nobody {
			call.Session = sessiontimer.Session{Interval: 30 * time.Minute, Refresher: c.who, Since: now.Add(-c.age)}
		}
		what := fmt.Sprintf("%v refreshes, %v old, %+v", c.who, c.age, c.plan)
		if got := nextStep(&call); got != c.next {
			t.Errorf("%s: %q is next, want %q", what, got, c.next)
		}
		if got := conditionOf(&call, now); got != c.condition {
			t.Errorf("%s: %+v, want %+v", what, got, c.condition)
		}
	}
}
