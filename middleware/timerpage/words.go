package timerpage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// methodName returns a method as operators call it.
func methodName(method string) string {
	if method == "INVITE" {
		return "re-INVITE"
	}
	return method
}

// partyName returns a refresher as operators call it.
func partyName(refresher string) string {
	switch refresher {
	case "local":
		return "us"
	case "peer":
		return "the peer"
	case "none":
		return "nobody"
	}
	return "either" // auto
}

// nextMethod returns the method of our next refresh, and the reason for it.
func nextMethod(d *dialogstore.Dialog) (name, because string) {
	m := indialog.Method(d)
	switch {
	case m == sessiontimer.MethodUpdate && len(d.SDP) == 0:
		return "UPDATE", "there is no agreed session description for a re-INVITE"
	case m == d.Policy.Method && m == sessiontimer.MethodUpdate:
		return "UPDATE", "the application chose it"
	case m == sessiontimer.MethodUpdate:
		return "UPDATE", "the peer's Allow lists it"
	case d.NoUpdate:
		return "INVITE", "UPDATE has failed with this peer"
	case m == d.Policy.Method:
		return "INVITE", "the application chose it"
	}
	return "INVITE", "the peer's Allow lacks UPDATE"
}

// nextStep describes what is due next.
func nextStep(c *middleware.Call) string {
	method, _ := nextMethod(&c.Dialog)
	switch p := c.Plan; {
	case p.UnderWay:
		return "hang up, unless answered"
	case p.Waiting:
		return "waiting for its turn"
	case p.Action == sessiontimer.Refresh && p.Attempts > 0:
		return "try again"
	case p.Action == sessiontimer.Refresh:
		return methodName(method)
	case p.Action == sessiontimer.Hangup && c.Session.Refresher == sessiontimer.Peer:
		return "hang up, unless refreshed"
	case p.Action == sessiontimer.Hangup:
		return "hang up"
	}
	return "nothing"
}

// condition is the state of a call in a word or two, and its severity.
type condition struct {
	Word string `json:"word"`
	Tone string `json:"tone"` // good, busy, bad or none
}

func conditionOf(c *middleware.Call, now time.Time) condition {
	switch p := c.Plan; {
	case !c.Session.Active():
		return condition{"no timer", "none"}
	case now.After(lastChance(c)):
		return condition{"too late", "bad"}
	case hasFailed(c) && p.Status == 0:
		return condition{"peer silent", "bad"}
	case hasFailed(c):
		return condition{fmt.Sprintf("failed, %d", p.Status), "bad"}
	case c.Unreachable:
		return condition{"unreachable", "bad"}
	case isSilent(c, now):
		return condition{"peer late", "bad"}
	case p.UnderWay:
		return condition{"refreshing", "busy"}
	case p.Waiting:
		return condition{"waiting", "busy"}
	}
	return condition{"healthy", "good"}
}

// happening is an event as text.
type happening struct {
	Time    time.Time `json:"time"`
	CallID  string    `json:"call_id,omitempty"`
	Local   string    `json:"local_tag,omitempty"`
	Remote  string    `json:"remote_tag,omitempty"`
	Event   string    `json:"event"`
	Text    string    `json:"text"`
	Trouble bool      `json:"trouble,omitempty"`
}

// ID returns the ID of the call; empty for a gap.
func (h happening) ID() dialogstore.ID {
	return dialogstore.ID{CallID: h.CallID, LocalTag: h.Local, RemoteTag: h.Remote}
}

// tell describes events. d is the call that they are about, or nil.
func tell(events []sessiontimer.Event, a Access, d *dialogstore.Dialog) []happening {
	told := make([]happening, 0, len(events))
	for _, e := range events {
		c := e.Info()
		name, text := words(e, a, d)
		told = append(told, happening{c.Time, c.CallID, c.LocalTag, c.RemoteTag, name, text, isTrouble(e)})
	}
	return told
}

func words(e sessiontimer.Event, a Access, d *dialogstore.Dialog) (name, text string) {
	switch e := e.(type) {
	case sessiontimer.Negotiated:
		return "negotiated", "The call began, " + timerText(e.Call) + "."
	case sessiontimer.Refreshed:
		return "refreshed", "Refreshed by " + methodName(e.Method) + because(e, d) + "."
	case sessiontimer.RefreshFailed:
		return "refresh failed", methodName(e.Method) + failure(e, a)
	case sessiontimer.MediaChanged:
		return "media changed", "The peer changed its session description in a message that the application did not see."
	case sessiontimer.Expired:
		return "expired", "We hang up: " + endText(e.Reason) + "."
	case sessiontimer.Ended:
		return "ended", "The call ended: " + endText(e.Reason) + "."
	case sessiontimer.TakenOver:
		return "taken over", "Taken over from node " + e.From + "."
	case sessiontimer.Released:
		if e.To == "" {
			return "released", "Ended by another node."
		}
		return "released", "Node " + e.To + " owns it now."
	case sessiontimer.Unreachable:
		return "unreachable", "The peer cannot be reached from this node. The call is kept until it expires."
	case gap:
		return "gap", e.String()
	}
	return fmt.Sprintf("%T", e), ""
}

func timerText(c sessiontimer.Call) string {
	switch c.Refresher {
	case sessiontimer.Local:
		return fmt.Sprintf("with a timer of %s that we refresh", span(c.Interval))
	case sessiontimer.Peer:
		return fmt.Sprintf("with a timer of %s that the peer refreshes", span(c.Interval))
	}
	return "without a timer"
}

// because explains why our refresh was a re-INVITE.
func because(e sessiontimer.Refreshed, d *dialogstore.Dialog) string {
	if d == nil || e.Refresher != sessiontimer.Local || e.Method != "INVITE" {
		return ""
	}
	if method, why := nextMethod(d); method == e.Method {
		return ", because " + why
	}
	return ""
}

// failure describes how a refresh failed.
func failure(e sessiontimer.RefreshFailed, a Access) string {
	switch {
	case e.Status != 0:
		return fmt.Sprintf(" was answered %d%s.", e.Status, meaning(e.Status))
	case errors.Is(e.Err, refresher.ErrUnanswered), errors.Is(e.Err, refresher.ErrGivenUp), errors.Is(e.Err, context.DeadlineExceeded):
		return " was not answered in time."
	case errors.Is(e.Err, refresher.ErrTooLong):
		return " was not sent: it is too long for a datagram."
	case a == Everything && e.Err != nil: // the error may contain an address
		return " failed: " + e.Err.Error() + "."
	}
	return " could not be sent."
}

// meaning explains a status in response to a refresh (RFC 4028 §7.4, RFC 5057 §5.1).
func meaning(status int) string {
	switch status {
	case 401, 407:
		return ": the peer wants credentials, see WithCredentials"
	case 404, 410, 481:
		return ": the peer does not have this call"
	case 405, 501:
		return ": the peer does not know the method"
	case 408:
		return ": the peer was not reached"
	case 420:
		return ": the peer does not support an extension"
	case 422:
		return ": the interval is too short for the peer"
	case 488, 606:
		return ": the peer does not accept the session description"
	case 491:
		return ": a request of the peer crossed it"
	case 503:
		return ": the peer is overloaded"
	}
	return ""
}

// endText explains why a call ended.
func endText(r sessiontimer.Reason) string {
	if r.Cause == sessiontimer.CauseRefreshAnswered && r.Status != 0 {
		return fmt.Sprintf("its refresh was answered %d%s", r.Status, meaning(r.Status))
	}
	return causeText(r.Cause)
}

// causeText describes a cause in plain words.
func causeText(c sessiontimer.Cause) string {
	switch c {
	case sessiontimer.CauseExpired:
		return "nobody refreshed it in time"
	case sessiontimer.CauseRefreshAnswered:
		return "its refresh was answered 481 or 408"
	case sessiontimer.CauseRefreshUnanswered:
		return "its refresh was not answered"
	case sessiontimer.CauseNoACK:
		return "the peer sent no ACK"
	case sessiontimer.CauseDialogClosed:
		return "the application dropped it without a BYE"
	case sessiontimer.CauseHungUp:
		return "the application hung up"
	case sessiontimer.CausePeerHungUp:
		return "the peer hung up"
	case sessiontimer.CauseTakenOver:
		return "the node that served it died"
	}
	return c.String()
}
