package timerpage_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/inside"
	"github.com/sipgo-contrib/sessiontimer/middleware/timerpage"
)

// A stream sends the view at once and then when it changes; when nothing does, a sign of
// life every 15 s.
func TestStream(t *testing.T) {
	inLab(t, func(l *lab) {
		page := timerpage.New(l.alice.Timers)
		v := look(page, "/calls.events")
		synctest.Wait()
		if text := v.seen(); strings.Count(text, "data: ") != 1 || !strings.Contains(text, "There are no calls.") {
			l.Errorf("at first: %s, want the view", text)
		}
		d := l.call(ours, allow)
		l.at(5 * time.Second)
		if text := v.seen(); strings.Count(text, "data: ") != 1 || !strings.Contains(text, "healthy") {
			l.Errorf("after a call began: %s, want the view, once", text)
		}
		l.at(65 * time.Second)
		if text := v.seen(); text != strings.Repeat(":\n\n", 4) {
			l.Errorf("a minute in which nothing happened: %q, want four signs of life", text)
		}
		go func() { _ = d.Bye(l.Context()) }()
		l.at(68 * time.Second)
		if text := v.seen(); !strings.Contains(text, "There are no calls.") {
			l.Errorf("after the call ended: %s", text)
		}
		v.leave()
		synctest.Wait()
		if !v.over() {
			l.Error("the stream goes on after its client has left")
		}
		if h := v.Header(); h.Get("Content-Type") != "text/event-stream" || h.Get("X-Accel-Buffering") != "no" {
			l.Errorf("the header is %v, want a stream of events that nginx passes on at once", h)
		}
	})
}

// Access is asked again after ten minutes: the stream ends, and the browser opens another.
func TestStreamEnds(t *testing.T) {
	inLab(t, func(l *lab) {
		page := timerpage.New(l.alice.Timers)
		v := look(page, "/totals.events")
		l.at(9 * time.Minute)
		if v.over() {
			l.Error("a stream has ended after nine minutes")
		}
		l.at(11 * time.Minute)
		if !v.over() {
			l.Error("a stream goes on after eleven minutes")
		}
		v = look(page, "/totals.events")
		synctest.Wait()
		_ = l.alice.Timers.Close()
		synctest.Wait()
		if !v.over() {
			l.Error("a stream goes on after the timers are closed")
		}
		v = look(page, "/totals.events")
		synctest.Wait()
		if !v.over() {
			l.Error("a stream of timers that are closed goes on")
		}
	})
}

// While nobody looks there is no goroutine; a hundred who look take one each, that of
// their request, and two in all, with any number of calls.
func TestGoroutines(t *testing.T) {
	inLab(t, func(l *lab) {
		for range 20 {
			l.call(ours, allow)
		}
		page := timerpage.New(l.alice.Timers)
		for _, path := range []string{"/", "/totals", "/calls.json"} {
			get(page, path)
		}
		if n := goroutines(); n != 0 {
			l.Errorf("%d goroutines while nobody looks, want 0", n)
		}
		var viewers []*viewer
		for i := range 256 {
			viewers = append(viewers, look(page, []string{"/calls.events", "/totals.events"}[i%2]))
		}
		if n := goroutines(); n != 256+2 {
			l.Errorf("%d goroutines for 256 viewers, want 258", n)
		}
		refused := look(page, "/calls.events")
		synctest.Wait()
		if !refused.over() || !strings.Contains(refused.seen(), "Too many") {
			l.Error("a viewer too many is served")
		}
		l.at(2 * time.Minute)
		for _, v := range viewers {
			v.leave()
		}
		l.at(3 * time.Minute)
		if n := goroutines(); n != 0 {
			l.Errorf("%d goroutines after all have left, want 0", n)
		}
	})
}

// While nobody looks, a change of a call costs what it costs without a page: nothing is
// told to the page, and nothing kept.
func TestUnseen(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		timers := timersWith(t, 1)
		store := inside.StoreOf(timers)
		var d dialogstore.Dialog
		for d = range store.All(t.Context()) {
			break
		}
		d.CallID = "another"
		cost := func() float64 {
			return testing.AllocsPerRun(200, func() {
				_ = store.Create(t.Context(), d)
				_, _ = store.Delete(t.Context(), d.ID)
			})
		}
		without := cost()
		page := timerpage.New(timers)
		get(page, "/")
		before := cost()
		viewer := look(page, "/calls.events")
		synctest.Wait()
		during := cost()
		viewer.leave()
		synctest.Wait()
		if after := cost(); before != without || after != without || during <= without {
			t.Errorf("%v allocations before somebody looks, %v meanwhile, %v after; want %v, more, %v", before, during, after, without, without)
		}
	})
}

// goroutines returns how many are at work for pages.
func goroutines() (n int) {
	synctest.Wait()
	buf := make([]byte, 8<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for one := range strings.SplitSeq(string(buf), "\n\n") {
		if strings.Contains(one, "/middleware/timerpage.(") {
			n++
		}
	}
	return n
}

// What happened while nobody looked is not known, and the page says so.
func TestGap(t *testing.T) {
	inLab(t, func(l *lab) {
		page := timerpage.New(l.alice.Timers)
		watch := func() {
			v := look(page, "/totals.events")
			time.Sleep(time.Second)
			v.leave()
			synctest.Wait()
		}
		watch()
		time.Sleep(2 * time.Second) // the page is loaded again
		watch()
		if v := read[list](l, page, "/calls.json"); len(v.Trouble) != 0 {
			l.Errorf("trouble %+v, want none", v.Trouble)
		}
		time.Sleep(time.Minute)
		watch()
		if v := read[list](l, page, "/calls.json"); len(v.Trouble) != 1 || v.Trouble[0].Event != "gap" || v.Trouble[0].CallID != "" {
			l.Errorf("trouble %+v, want one gap", v.Trouble)
		}
	})
}
