package cli

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
)

func TestEvents(t *testing.T) {
	call := sessiontimer.Call{
		Time:      time.Date(2025, 1, 2, 15, 4, 5, 6e6, time.FixedZone("", 3600)),
		CallID:    "c1",
		Interval:  1800 * time.Second,
		Refresher: sessiontimer.Local,
	}
	plain := sessiontimer.Call{Time: call.Time, CallID: "c2"}
	var b strings.Builder
	p := NewEvents(&b)
	for _, e := range []sessiontimer.Event{
		sessiontimer.MediaChanged{Description: "v=0"}, // is none of those that scripts know
		sessiontimer.Negotiated{Call: call},
		sessiontimer.Negotiated{Call: plain},
		sessiontimer.Refreshed{Call: call, Method: "UPDATE"},
		sessiontimer.RefreshFailed{Call: call, Method: "INVITE", Status: 503},
		sessiontimer.RefreshFailed{Call: call, Method: "UPDATE", Err: errors.New("<TCP> is down")},
		sessiontimer.RefreshFailed{Call: call, Method: "UPDATE", Err: context.DeadlineExceeded},
		sessiontimer.Expired{Call: call, Reason: sessiontimer.Reason{Cause: sessiontimer.CauseExpired}},
		sessiontimer.Ended{Call: call},
	} {
		p.Handle(e)
	}
	const head = `{"time":"2025-01-02T14:04:05.006Z",`
	want := strings.Join([]string{
		head + `"event":"negotiated","call_id":"c1","interval":1800,"refresher":"local"}`,
		head + `"event":"negotiated","call_id":"c2","interval":0,"refresher":"none"}`,
		head + `"event":"refreshed","call_id":"c1","interval":1800,"refresher":"local","method":"UPDATE"}`,
		head + `"event":"refresh_failed","call_id":"c1","interval":1800,"refresher":"local","method":"INVITE","status":503}`,
		head + `"event":"refresh_failed","call_id":"c1","interval":1800,"refresher":"local","method":"UPDATE","reason":"<TCP> is down"}`,
		head + `"event":"refresh_failed","call_id":"c1","interval":1800,"refresher":"local","method":"UPDATE","reason":"no answer"}`,
		head + `"event":"expired","call_id":"c1","interval":1800,"refresher":"local","reason":"Session timer expired"}`,
		head + `"event":"ended","call_id":"c1","interval":1800,"refresher":"local"}`,
		"",
	}, "\n")
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestEventsConcurrently(t *testing.T) {
	var b strings.Builder
	p := NewEvents(&b)
	var wg sync.WaitGroup
	for range 50 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			p.Handle(sessiontimer.Ended{})
		}()
	}
	wg.Wait()
	lines := 0
	for text := range strings.Lines(b.String()) {
		lines++
		if !json.Valid([]byte(text)) {
			t.Errorf("not JSON: %s", text)
		}
	}
	if lines != 50 {
		t.Errorf("%d lines, want 50", lines)
	}
}
