package ownership

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// mostAsked is how many registry calls may run at once, including those whose result
	// is no longer waited for.
	mostAsked = 16
	// mostConfirms is the same limit for the registry calls of confirms.
	mostConfirms = 256
)

var (
	errNoAnswer = errors.New("ownership: the registry did not answer in time")
	errTooMany  = errors.New("ownership: too many calls to the registry are unanswered")
	errShort    = errors.New("ownership: the registry returned the wrong number of results")
)

// places limits how many registry calls run at once.
type places chan struct{}

// patience returns how long to wait for an answer of the registry.
func (n *Node) patience() time.Duration { return n.cfg.Settings.Lease / 2 }

// ask calls the registry in a goroutine and waits up to d for the answer, since a registry
// may ignore its context. A later answer is dropped.
func ask[T any](ctx context.Context, n *Node, p places, d time.Duration, call func(context.Context) (T, error)) (T, error) {
	var none T
	select {
	case p <- struct{}{}:
	default:
		return none, errTooMany
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	answers := make(chan answer[T], 1)
	n.crew.Go(func() {
		defer func() { <-p }()
		answers <- contained(ctx, call)
	})
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-answers: // in time after all
		return a.value, a.err
	default:
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return none, errNoAnswer
	}
	return none, ctx.Err()
}

type answer[T any] struct {
	value T
	err   error
}

func contained[T any](ctx context.Context, call func(context.Context) (T, error)) (a answer[T]) {
	defer func() {
		if v := recover(); v != nil {
			a.err = fmt.Errorf("ownership: the registry panicked: %v", v)
		}
	}()
	a.value, a.err = call(ctx)
	return a
}

// askAll is ask for a batch. It returns an error unless the number of answers is many.
func askAll[T any](ctx context.Context, n *Node, many int, call func(context.Context) ([]T, error)) ([]T, error) {
	all, err := ask(ctx, n, n.places, n.patience(), call)
	if err == nil && len(all) != many {
		err = errShort
	}
	return all, err
}
