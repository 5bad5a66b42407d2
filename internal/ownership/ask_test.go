package ownership

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A registry that panics, or answers with too few or too many results, has failed.
func TestWrongAnswers(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		for _, c := range []struct {
			name   string
			answer func() ([]int, error)
			want   string // of the error
		}{
			{"as many", func() ([]int, error) { return []int{1, 2}, nil }, ""},
			{"too few", func() ([]int, error) { return []int{1}, nil }, errShort.Error()},
			{"too many", func() ([]int, error) { return []int{1, 2, 3}, nil }, errShort.Error()},
			{"an error", func() ([]int, error) { return nil, errDown }, errDown.Error()},
			{"a panic", func() ([]int, error) { panic("torn") }, "ownership: the registry panicked: torn"},
		} {
			got, err := askAll(context.Background(), n.Node, 2, func(context.Context) ([]int, error) { return c.answer() })
			if text := errorText(err); text != c.want || err == nil && len(got) != 2 {
				t.Errorf("%s: %v, %q; want %q", c.name, got, text, c.want)
			}
		}
		if taken := len(n.places); taken != 0 {
			t.Errorf("%d places are still taken", taken)
		}
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// An answer is waited for as long as it is worth, no more than so many at once, and not
// after the context of the question has ended.
func TestAsk(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		answer := func(after time.Duration) func(context.Context) (int, error) {
			return func(context.Context) (int, error) { time.Sleep(after); return 1, nil }
		}
		ended, end := context.WithCancel(context.Background())
		time.AfterFunc(time.Millisecond, end)
		for _, c := range []struct {
			name  string
			ctx   context.Context
			after time.Duration
			want  error
		}{
			{"cancelled", ended, time.Second, context.Canceled},
			{"in time", context.Background(), time.Second - 1, nil},
			{"late", context.Background(), time.Second + 1, errNoAnswer},
		} {
			if _, err := ask(c.ctx, n.Node, n.places, time.Second, answer(c.after)); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
		}
		l.pass(time.Minute)
		one := make(places, 1)
		one <- struct{}{}
		if _, err := ask(context.Background(), n.Node, one, time.Second, answer(0)); !errors.Is(err, errTooMany) {
			t.Errorf("all places taken: %v", err)
		}
		<-one
		if v, err := ask(context.Background(), n.Node, one, time.Second, answer(0)); err != nil || v != 1 {
			t.Errorf("a place is free: %d, %v", v, err)
		}
	})
}
