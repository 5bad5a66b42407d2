package timerpage_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/middleware/timerpage"
)

// deaf is a viewer to whom nothing can be written.
type deaf struct{ *httptest.ResponseRecorder }

func (deaf) Write([]byte) (int, error) { return 0, errors.New("of the test") }

// A stream ends with the first write that fails.
func TestStreamToNobody(t *testing.T) {
	inLab(t, func(l *lab) {
		page, begun := timerpage.New(l.alice.Timers), time.Now()
		if page.ServeHTTP(deaf{httptest.NewRecorder()}, local("/calls.events")); time.Since(begun) != 0 {
			l.Errorf("it ended after %v, want at once", time.Since(begun))
		}
	})
}

// A viewer who left gets no half of a list.
func TestViewerLeft(t *testing.T) {
	inLab(t, func(l *lab) {
		page := timerpage.New(l.alice.Timers)
		l.call(ours, allow)
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		for _, path := range []string{"/calls", "/calls.json", "/calls?search=x", "/calls.json?search=x"} {
			w := httptest.NewRecorder()
			page.ServeHTTP(w, local(path).WithContext(gone))
			if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "cannot be shown") {
				l.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	})
}

// Trouble leads to the call that has it.
func TestTroubleLinks(t *testing.T) {
	inLab(t, func(l *lab) {
		page := timerpage.New(l.alice.Timers, timerpage.WithHistory())
		l.call(ours, allow)
		l.at(2 * time.Second)
		c := read[list](l, page, "/calls.json").Calls[0]
		l.at(time.Hour) // nobody answers
		html := get(page, "/calls").Body.String()
		link := `<a href="call?` + strings.ReplaceAll(c.query(), "&", "&amp;") + `">`
		if !strings.Contains(html, link) {
			l.Errorf("no %s in\n%s", link, html)
		}
	})
}
