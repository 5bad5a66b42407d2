package timerpage

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// A call that the peer refreshes has time until we hang up, one that we refresh until our
// last chance, and one without a timer all the time.
func TestSlack(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		who  sessiontimer.Refresher
		want time.Duration
	}{
		{sessiontimer.Nobody, math.MaxInt64},
		{sessiontimer.Peer, 30*time.Minute - 32*time.Second},
		{sessiontimer.Local, sessiontimer.Session{Interval: 30 * time.Minute, Refresher: sessiontimer.Local, Since: now}.LastChance().Sub(now)},
	} {
		call := middleware.Call{}
		if c.who != sessiontimer.Nobody {
			call.Session = sessiontimer.Session{Interval: 30 * time.Minute, Refresher: c.who, Since: now}
		}
		if got := slack(&call, now); got != c.want {
			t.Errorf("%v refreshes: %v left, want %v", c.who, got, c.want)
		}
	}
}

// One looks at all calls at a time. Whoever waits for another takes what that one found, or
// leaves.
func TestSurveyTurns(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s := newSurveyor(nil) // whoever looked at the calls would panic
		if err := s.begin(context.Background()); err != nil {
			t.Fatal(err)
		}
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		if v, err := s.latest(gone); v != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("a viewer who left gets %v, %v", v, err)
		}
		if ids, many, err := s.search(gone, all, "x", Everything); ids != nil || many != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("a search of one who left finds %v, %d, %v", ids, many, err)
		}
		got := make(chan *survey, 1)
		go func() {
			v, err := s.latest(context.Background())
			if err != nil {
				t.Error(err)
			}
			got <- v
		}()
		synctest.Wait()
		made := &survey{at: time.Now()}
		s.last.Store(made)
		s.end()
		if v := <-got; v != made {
			t.Error("whoever waited looks once more")
		}
	})
}

// A survey serves for a second, or, where it took long, for as long as keeps it rare.
func TestRecentSurvey(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			took, serves time.Duration
		}{{0, surveyEvery}, {time.Millisecond, max(surveyEvery, restFactor*time.Millisecond)}, {time.Minute, restFactor * time.Minute}} {
			s := newSurveyor(nil)
			if s.recent() != nil {
				t.Error("there is a survey before the first")
			}
			s.last.Store(&survey{at: time.Now(), took: c.took})
			if time.Sleep(c.serves - 1); s.recent() == nil {
				t.Errorf("one that took %v does not serve for %v", c.took, c.serves)
			}
			if time.Sleep(time.Nanosecond); s.recent() != nil {
				t.Errorf("one that took %v serves for more than %v", c.took, c.serves)
			}
		}
	})
}

// What one look found serves whoever asks next, and one that took long for longer. A look
// that was given up serves nobody.
func TestSurveyServesEverybody(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const took = time.Second
		looks := 0
		s := newSurveyor(func(context.Context) iter.Seq[middleware.Call] {
			return func(yield func(middleware.Call) bool) {
				looks++
				time.Sleep(took)
				yield(middleware.Call{})
			}
		})
		want := func(ctx context.Context, when string, n int, want error) {
			t.Helper()
			v, err := s.latest(ctx)
			if looks != n || !errors.Is(err, want) || (v == nil) != (want != nil) || v != nil && (v.took != took || v.counts[string(all)] != 1) {
				t.Errorf("%s: %+v, %v, %d looks; want %v, %d", when, v, err, looks, want, n)
			}
		}
		brief, cancel := context.WithTimeout(t.Context(), took/2)
		defer cancel()
		want(brief, "given up", 1, context.DeadlineExceeded)
		want(t.Context(), "after that", 2, nil)
		time.Sleep((restFactor-1)*took - 1)
		want(t.Context(), "while it serves", 2, nil)
		time.Sleep(time.Nanosecond)
		want(t.Context(), "when it is old", 3, nil)
	})
}

// What becomes of an error.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{nil, http.StatusOK},
		{errNoView, http.StatusNotFound},
		{fmt.Errorf("x: %w", errNoView), http.StatusNotFound},
		{errors.New("of the test"), http.StatusInternalServerError},
	} {
		w := httptest.NewRecorder()
		if got := refused(w, httptest.NewRequest(http.MethodGet, "/calls", nil), c.err); got != (c.err != nil) || w.Code != c.status {
			t.Errorf("%v: refused %t with %d, want %d", c.err, got, w.Code, c.status)
		}
	}
}

// An event or cause that the page does not know is still shown.
func TestUnknownWords(t *testing.T) {
	type other struct{ sessiontimer.Ended }
	if name, text := words(other{}, Everything, nil); name != "timerpage.other" || text != "" {
		t.Errorf("%s: %q", name, text)
	}
	const unknown = sessiontimer.Cause(200)
	if got := causeText(unknown); got != unknown.String() || got == "" {
		t.Errorf("a cause is %q, want %q", got, unknown)
	}
}
