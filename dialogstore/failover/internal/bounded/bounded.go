// Package bounded calls database clients that may ignore their context, without waiting
// longer than the caller wants to.
package bounded

import (
	"context"
	"fmt"
	"time"
)

// Calls bounds calls in number and time. Any number of goroutines may use it.
type Calls struct {
	places  chan struct{}
	timeout time.Duration
}

// New returns Calls that run at most so many functions at once, including those whose caller
// no longer waits, and whose callers wait no longer than timeout.
func New(most int, timeout time.Duration) *Calls {
	return &Calls{make(chan struct{}, most), timeout}
}

// Do calls f in a goroutine and returns its result, or an error when ctx ends: that of
// ctx. f then goes on by itself, and its result is lost. So f must not use what belongs
// to the caller. The goroutine ends with f. A panic of f is returned as an error.
func Do[T any](ctx context.Context, c *Calls, f func(context.Context) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	within, cancel := context.WithTimeout(ctx, c.timeout)
	select {
	case c.places <- struct{}{}:
	case <-within.Done():
		cancel()
		return none, c.late(ctx)
	}
	answers := make(chan answer[T], 1)
	go func() {
		defer func() { <-c.places }()
		defer cancel() // when the answer is there
		answers <- contained(within, f)
	}()
	<-within.Done()
	select {
	case a := <-answers:
		if a.err != nil && ctx.Err() != nil {
			return none, ctx.Err() // clients have their own errors for that
		}
		return a.value, a.err
	default:
		return none, c.late(ctx)
	}
}

func (c *Calls) late(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return fmt.Errorf("no answer within %v: %w", c.timeout, context.DeadlineExceeded)
}

type answer[T any] struct {
	value T
	err   error
}

func contained[T any](ctx context.Context, f func(context.Context) (T, error)) (a answer[T]) {
	defer func() {
		if v := recover(); v != nil {
			a.err = fmt.Errorf("panic: %v", v)
		}
	}()
	a.value, a.err = f(ctx)
	return a
}
