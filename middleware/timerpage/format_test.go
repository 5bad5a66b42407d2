package timerpage

import (
	"encoding/json"
	"testing"
	"time"
)

// A duration is exact and short in text, and in seconds as JSON.
func TestSpan(t *testing.T) {
	for _, c := range []struct {
		d          time.Duration
		text, json string
	}{
		{0, "0 s", "0"},
		{90 * time.Second, "90 s", "90"},
		{2 * time.Minute, "120 s", "120"},
		{3 * time.Minute, "3 min", "180"},
		{30 * time.Minute, "30 min", "1800"},
		{time.Hour, "1 h", "3600"},
		{2 * time.Hour, "2 h", "7200"},
		{90 * time.Minute, "90 min", "5400"},
		{1801 * time.Second, "1801 s", "1801"},
		{1234567 * time.Nanosecond, "1 ms", "0.001234567"},
		{1500 * time.Millisecond, "1.5 s", "1.5"},
		{1504 * time.Millisecond, "1.5 s", "1.504"},
	} {
		if got := span(c.d).String(); got != c.text {
			t.Errorf("%v is %q, want %q", c.d, got, c.text)
		}
		if got, err := json.Marshal(span(c.d)); err != nil || string(got) != c.json {
			t.Errorf("%v is %s as JSON, %v; want %s", c.d, got, err, c.json)
		}
	}
}

// A time is shown as the viewer's, and without scripts as ours.
func TestClock(t *testing.T) {
	at := time.Date(2026, 3, 4, 15, 6, 7, 8e6, time.FixedZone("", 3600))
	const want = `<time datetime="2026-03-04T14:06:07Z" data-in="1772633167008">15:06:07</time>`
	if got := clock("in", at); string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := clock("in", time.Time{}); string(got) != `<span class="none">–</span>` {
		t.Errorf("no time is %s", got)
	}
}
