package sessiontimer

import (
	"encoding/json"
	"testing"
)

// F-23: the texts in logs, metrics and the Reason of a BYE are fixed: others read them.
func TestReasonText(t *testing.T) {
	for want, reason := range map[string]Reason{
		"Deleted from the store":       {},
		"Session timer expired":        {Cause: CauseExpired},
		"Session refresh answered 481": {Cause: CauseRefreshAnswered, Status: 481},
		"Session refresh failed":       {Cause: CauseRefreshUnanswered},
		"No ACK received":              {Cause: CauseNoACK},
		"Dialog closed":                {Cause: CauseDialogClosed},
		"Hung up":                      {Cause: CauseHungUp},
		"Peer hung up":                 {Cause: CausePeerHungUp},
		"unknown(200)":                 {Cause: 200},
	} {
		if got := reason.String(); got != want {
			t.Errorf("reason %d reads %q, want %q", reason.Cause, got, want)
		}
		if got, err := json.Marshal(reason); err != nil || string(got) != `"`+want+`"` {
			t.Errorf("reason %d is %s in JSON (%v), want %q", reason.Cause, got, err, want)
		}
	}
}
