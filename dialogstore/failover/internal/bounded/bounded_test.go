package bounded

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// The result is there as soon as the call returns, not at the timeout.
func TestResult(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c, start := New(1, time.Second), time.Now()
		for range 3 { // the place is free again
			if got, err := Do(t.Context(), c, func(context.Context) (int, error) { return 7, nil }); got != 7 || err != nil {
				t.Errorf("Do = %d, %v, want 7 and no error", got, err)
			}
			if _, err := Do(t.Context(), c, func(context.Context) (int, error) { return 0, errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("Do = %v, want the error of the call", err)
			}
			if _, err := Do(t.Context(), c, func(context.Context) (int, error) { panic("hook") }); err == nil || err.Error() != "panic: hook" {
				t.Errorf("Do = %v, want the panic as an error", err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("calls that return at once take %v", took)
		}
	})
}

func TestContextEnds(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c, end := New(1, time.Second), make(chan struct{})
		deaf := func(context.Context) (int, error) { <-end; return 7, nil }
		for _, want := range []time.Duration{300 * time.Millisecond, 600 * time.Millisecond} { // the second finds no place
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), want)
			_, err := Do(ctx, c, deaf)
			cancel()
			if took := time.Since(start); took != want || err != context.DeadlineExceeded {
				t.Errorf("Do returns %v after %v, want the error of the context after %v", err, took, want)
			}
		}
		start := time.Now()
		_, err := Do(t.Context(), c, deaf)
		if took := time.Since(start); took != time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a deadline Do returns %v after %v, want one after a second", err, took)
		}
		close(end)
		synctest.Wait()
		if got, err := Do(t.Context(), c, deaf); got != 7 || err != nil {
			t.Errorf("when the call has ended, Do = %d, %v, want 7 and no error", got, err)
		}
	})
}

func TestEndedContextCallsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Do(ctx, New(1, time.Second), func(context.Context) (int, error) { t.Error("called"); return 0, nil })
	if err != context.Canceled {
		t.Errorf("Do = %v, want the error of the context", err)
	}
}

// A call learns when nobody waits for it any more.
func TestCallHasTheDeadline(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		left := func(ctx context.Context) (time.Duration, error) {
			end, _ := ctx.Deadline()
			return time.Until(end), nil
		}
		if got, err := Do(t.Context(), New(1, time.Second), left); got != time.Second || err != nil {
			t.Errorf("the context of a call ends in %v, %v, want in a second", got, err)
		}
	})
}

// Clients have errors of their own for a context that ends.
func TestErrorOfContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Do(ctx, New(1, time.Second), func(context.Context) (int, error) { cancel(); return 0, errors.New("i/o timeout") })
	if err != context.Canceled {
		t.Errorf("Do = %v, want the error of the context", err)
	}
}
