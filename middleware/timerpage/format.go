package timerpage

import (
	"fmt"
	"html/template"
	"strconv"
	"time"
)

// span is a duration: in seconds as JSON, and short in text.
type span time.Duration

// MarshalJSON implements json.Marshaler.
func (s span) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(s).Seconds(), 'f', -1, 64), nil
}

// String returns "90 s", "30 min" or "2 h"; other times in seconds or milliseconds.
func (s span) String() string {
	switch d := time.Duration(s); {
	case d != 0 && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0 && d > 2*time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond)/time.Millisecond)
	default:
		return fmt.Sprintf("%g s", d.Round(10*time.Millisecond).Seconds())
	}
}

func clockText(t time.Time) string { return t.Format("15:04:05") }

// clock is a time for the browser to show: as a countdown ("in"), an age ("age"), or in the
// viewer's time zone ("at"). Without scripts it is shown in our time zone.
func clock(kind string, t time.Time) template.HTML {
	if t.IsZero() {
		return `<span class="none">–</span>`
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-%s="%d">%s</time>`,
		t.UTC().Format(time.RFC3339), kind, t.UnixMilli(), clockText(t)))
}

// Milliseconds returns s in whole ones.
func (s span) Milliseconds() int64 { return time.Duration(s).Milliseconds() }
