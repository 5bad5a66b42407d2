package timerpage_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/timerpage"
)

// Each view has its title and its place in the menu, and knows where its news come from. A
// search has none: it would look at all calls each time.
func TestFrame(t *testing.T) {
	inLab(t, func(l *lab) {
		page := timerpage.New(l.alice.Timers)
		wantFrames(l, page, []framed{
			{"/", "Calls", "calls.events?", "./"},
			{"/calls?filter=due", "Calls", "calls.events?filter=due", "./"},
			{"/calls?search=x", "Calls", "", "./"},
			{"/call?call_id=x", "Call", "call.events?call_id=x", ""},
			{"/totals", "Totals", "totals.events?", "totals"},
		})
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

// framed is a page around a view.
type framed struct {
	path, title, live, current string
}

func wantFrames(l *lab, page http.Handler, frames []framed) {
	l.Helper()
	for _, c := range frames {
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
}

// The view of the nodes, too.
func TestFrameOfNodes(t *testing.T) {
	inLab(t, func(l *lab) {
		wantFrames(l, timerpage.New(l.alice.Timers), []framed{{"/nodes", "Nodes", "nodes.events?", "nodes"}})
	}, middleware.WithFailover(failover.NewMemory()))
}

// What a page has only with failover, with a recorder, or with a history, and what it says
// without.
func TestPartsByOption(t *testing.T) {
	parts := func(l *lab, opts ...timerpage.Option) (got []string) {
		page := timerpage.New(l.alice.Timers, opts...)
		html := get(page, "/").Body.String() + get(page, "/call?call_id=x").Body.String() + get(page, "/totals").Body.String()
		for part, times := range map[string]int{
			`href="nodes"`: 3, "taken over": 1,
			"The last messages": 1, "None were recorded.": 1,
			"None since recording began.": 2, "None since someone opened this page.": 2, "Graphs are drawn only while a page is open.": 1,
		} {
			switch n := strings.Count(html, part); n {
			case 0:
			case times:
				got = append(got, part)
			default:
				l.Errorf("%s is there %d times, want %d or none", part, n, times)
			}
		}
		slices.Sort(got)
		return got
	}
	want := func(l *lab, got []string, want ...string) {
		l.Helper()
		if !slices.Equal(got, want) {
			l.Errorf("the page has %q, want %q", got, want)
		}
	}
	const glances, lines = "None since someone opened this page.", "Graphs are drawn only while a page is open."
	inLab(t, func(l *lab) {
		l.call(ours, allow)
		want(l, parts(l), lines, glances)
		want(l, parts(l, timerpage.WithRecorder(timerpage.NewRecorder(1))), lines, glances, "None were recorded.", "The last messages")
		want(l, parts(l, timerpage.WithHistory()), "None since recording began.")
	})
	inLab(t, func(l *lab) {
		l.call(ours, allow)
		want(l, parts(l), lines, glances, `href="nodes"`, "taken over")
	}, middleware.WithFailover(failover.NewMemory()))
}
