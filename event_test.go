package sessiontimer

import (
	"errors"
	"testing"
)

// A handler can get the call of any event.
func TestEventInfo(t *testing.T) {
	call := Call{Time: start, CallID: "a84b4c76e66710", LocalTag: "1928301774", RemoteTag: "9as888nd", Interval: seconds(4000), Refresher: Local}
	for name, event := range map[string]Event{
		"Negotiated":    Negotiated{call},
		"Refreshed":     Refreshed{Call: call, Method: "UPDATE"},
		"RefreshFailed": RefreshFailed{Call: call, Method: "UPDATE", Status: 500},
		"MediaChanged":  MediaChanged{Call: call, Description: "v=0", Type: "application/sdp"},
		"Expired":       Expired{Call: call, Reason: Reason{Cause: CauseExpired}},
		"Ended":         Ended{Call: call, Reason: Reason{Cause: CauseExpired}},
		"TakenOver":     TakenOver{Call: call, From: "a"},
		"Released":      Released{Call: call, To: "b"},
		"Unreachable":   Unreachable{Call: call, Err: errors.New("connection refused")},
	} {
		if got := event.Info(); got != call {
			t.Errorf("%s is about %+v, should be about %+v", name, got, call)
		}
	}
}
