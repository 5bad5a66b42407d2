package timerpage_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/middleware/timerpage"
)

// Each view has its title and its place in the menu, and knows where its news come from. A
// search has none: it would look at all calls each time.
func TestFrame(t *testing.T) {
	inLab(t, func(l *lab) {
		page := timerpage.New(l.alice.Timers)
		for _, c := range []struct {
			path, title, live, current string
		}{
			{"/", "Calls", "calls.events?", "./"},
			{"/calls?filter=due", "Calls", "calls.events?filter=due", "./"},
			{"/calls?search=x", "Calls", "", "./"},
			{"/call?call_id=x", "Call", "call.events?call_id=x", ""},
			{"/totals", "Totals", "totals.events?", "totals"},
		} {
			w := get(page, c.path)
			html := w.Body.String()
			if got := w.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
				l.Errorf("%s is %s", c.path, got)
			}
			if !strings.Contains(html, "<title>"+c.title+" · session timers</title>") {
				l.Errorf("%s lacks the title %s", c.path, c.title)
			}
			if live := `data-live="` + c.live + `"`; c.live != "" && !strings.Contains(html, live) || c.live == "" && strings.Contains(html, "data-live") {
				l.Errorf("%s lacks %s, or has news", c.path, live)
			}
			if got := strings.Count(html, "aria-current"); c.current != "" && !strings.Contains(html, `<a href="`+c.current+`" aria-current="page">`) || got > 1 {
				l.Errorf("%s is not at %q in the menu, or at %d places", c.path, c.current, got)
			}
		}
		for _, path := range []string{"/calls.events?search=x", "/calls.events?filter=other", "/other.events"} {
			if w := get(page, path); w.Code != http.StatusNotFound {
				l.Errorf("%s: %d, want 404", path, w.Code)
			}
		}
		if html := get(page, "/calls?search=%20%20").Body.String(); !strings.Contains(html, "data-live") {
			l.Error("blanks are a search")
		}
	})
}
