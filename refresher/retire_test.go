package refresher_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// A scheduler that retires gives up the refresh under way at once, and nothing follows: no
// refresh, no end, no event, for old calls and new ones.
func TestRetire(t *testing.T) {
	inLab(t, func(l *lab) {
		l.answer = always(0)
		l.create(call("under way", 1800*time.Second))
		l.run(100 * time.Second)
		l.create(call("due", 1800*time.Second))
		l.run(801 * time.Second)
		if n := l.r.Stats().Unanswered; n != 1 {
			t.Fatalf("%d refreshes are under way, want one", n)
		}
		l.r.Retire()
		synctest.Wait()
		if s := l.r.Stats(); s.Unanswered != 0 || s.Due != 0 || l.r.Len() != 0 {
			t.Errorf("%d refreshes are under way, %d due, of %d calls; want none", s.Unanswered, s.Due, l.r.Len())
		}
		l.create(call("new", 1800*time.Second))
		attempts, hangups := l.run(2 * time.Hour)
		if len(attempts) != 1 || len(hangups) != 0 || len(l.ends) != 0 || len(l.failed) != 0 {
			t.Errorf("refreshes at %v, ends at %v, BYEs at %v, failures %v; want no more than the one given up", attempts, l.ends, hangups, l.failed)
		}
	})
}
