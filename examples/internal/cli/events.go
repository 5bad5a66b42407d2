package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
)

// Events prints events, one JSON object a line:
//
//	{"time":"2025-01-02T15:04:05.000Z","event":"negotiated","call_id":"…","interval":1800,"refresher":"local"}
//
// Besides, refreshed has a method, refresh_failed a method and a status or reason, expired
// and unreachable a reason, and taken_over and released the node that the call comes from
// or goes to. Its methods may be called concurrently.
type Events struct {
	mu sync.Mutex
	w  io.Writer
}

// NewEvents prints to w.
func NewEvents(w io.Writer) *Events { return &Events{w: w} }

type line struct {
	Time      string  `json:"time"`
	Event     string  `json:"event"`
	CallID    string  `json:"call_id"`
	Interval  float64 `json:"interval"` // seconds; 0 without a timer
	Refresher string  `json:"refresher"`
	Method    string  `json:"method,omitempty"`
	Status    int     `json:"status,omitempty"`
	Reason    string  `json:"reason,omitempty"`
	Node      string  `json:"node,omitempty"`
}

// Handle prints an event; pass it to middleware.WithEventHandler.
func (p *Events) Handle(e sessiontimer.Event) {
	call := e.Info()
	l := line{
		Time:      call.Time.UTC().Format("2006-01-02T15:04:05.000Z07:00"),
		CallID:    call.CallID,
		Interval:  call.Interval.Seconds(),
		Refresher: call.Refresher.String(),
	}
	switch e := e.(type) {
	case sessiontimer.Negotiated:
		l.Event = "negotiated"
	case sessiontimer.Refreshed:
		l.Event, l.Method = "refreshed", e.Method
	case sessiontimer.RefreshFailed:
		l.Event, l.Method, l.Status = "refresh_failed", e.Method, e.Status
		l.Reason = reason(e.Err)
	case sessiontimer.Expired:
		l.Event, l.Reason = "expired", e.Reason.String()
	case sessiontimer.Ended:
		l.Event = "ended"
	case sessiontimer.TakenOver:
		l.Event, l.Node = "taken_over", e.From
	case sessiontimer.Released:
		l.Event, l.Node = "released", e.To
	case sessiontimer.Unreachable:
		l.Event, l.Reason = "unreachable", reason(e.Err)
	default:
		return
	}
	p.print(l)
}

// reason returns why a request got no final response.
func reason(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, sip.ErrTransactionTimeout):
		return "no answer"
	}
	return err.Error()
}

func (p *Events) print(l line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	enc := json.NewEncoder(p.w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(l) // a reader that went away does not end the call
}
