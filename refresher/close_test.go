package refresher_test

import (
	"context"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// Who holds no place leaves none.
func TestLeaveNoPlace(*testing.T) { refresher.LeavePlace(context.Background()) }

// A pipeline that never returns keeps CloseWithin no longer than it is told. What is closed
// refreshes nothing and can be closed again.
func TestCloseWithin(t *testing.T) {
	inLab(t, func(l *lab) {
		stuck := make(chan struct{})
		l.answer = func(*lab, int, dialogstore.Dialog, sessiontimer.Method) (int, error) {
			<-stuck
			return 500, nil
		}
		l.create(call("stuck", 70*time.Second))
		l.run(34 * time.Second)
		l.create(call("later", 70*time.Second))
		l.run(2 * time.Second)
		begun := time.Now()
		if left := l.r.CloseWithin(time.Second); left == 0 || time.Since(begun) != time.Second {
			t.Errorf("%d goroutines are left after %v, want some after 1 s", left, time.Since(begun))
		}
		attempts, hangups := l.run(2 * time.Minute)
		if len(attempts) != 1 || len(hangups) != 0 {
			t.Errorf("refreshed at %v, hung up at %v; want one refresh, before it was closed", attempts, hangups)
		}
		close(stuck)
		if left := l.r.CloseWithin(time.Second); left != 0 {
			t.Errorf("%d goroutines are left in the end", left)
		}
	})
}
