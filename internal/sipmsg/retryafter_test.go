package sipmsg

import (
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// F-11: the seconds count, whatever is behind them.
func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"10":                      10 * time.Second,
		" 120 (in a meeting)":     120 * time.Second,
		"18;duration=3600":        18 * time.Second,
		"99999999999999999999999": 0,
		"soon":                    0,
		"-5":                      0,
		"":                        0,
	} {
		res := sip.NewResponse(503, "Service Unavailable")
		res.AppendHeader(sip.NewHeader("Retry-After", value))
		if got := RetryAfter(res); got != want {
			t.Errorf("Retry-After %q is read as %v, want %v", value, got, want)
		}
	}
	if got := RetryAfter(sip.NewResponse(503, "")); got != 0 {
		t.Errorf("no Retry-After is read as %v, want 0", got)
	}
}
