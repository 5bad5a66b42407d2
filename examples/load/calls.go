package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// mostAtOnce bounds the calls being set up at the same time.
const mostAtOnce = 500

// ownCalls returns the context of the calls being set up, which close also ends. Its cause
// makes sipgo give up a call without waiting for an answer.
func (l *load) ownCalls(ctx context.Context) {
	own, giveUp := context.WithCancelCause(context.WithoutCancel(ctx))
	forget := context.AfterFunc(ctx, func() { giveUp(sipgo.WaitAnswerForceCancelErr) })
	l.ctx, l.giveUp = own, func(cause error) { forget(); giveUp(cause) }
}

// setUp returns when all calls are up.
func (l *load) setUp(ctx context.Context) error {
	if l.stubbed {
		return l.setUpStubs(ctx)
	}
	if err := l.callAtRate(ctx, l.setUpRate(), l.calls); err != nil {
		return err
	}
	l.wg.Wait()
	if held := int(l.held.Load()); held < l.calls {
		return fmt.Errorf("%s of %s calls could be set up; try a lower -rate", number(held), number(l.calls))
	}
	return nil
}

// callAtRate begins n calls at the given rate. It stops early if ctx ends, which does not
// end the calls that have begun.
func (l *load) callAtRate(ctx context.Context, perSecond float64, n int) error {
	places := make(chan struct{}, mostAtOnce)
	start := time.Now()
	for i := range n {
		due := start.Add(time.Duration(float64(i) / perSecond * float64(time.Second)))
		if err := sleepUntil(ctx, due); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case places <- struct{}{}:
		}
		l.wg.Go(func() {
			defer func() { <-places }()
			l.call(l.ctx)
		})
	}
	return nil
}

// call sets one call up.
func (l *load) call(ctx context.Context) {
	id := sip.CallIDHeader(callIDs + strconv.FormatInt(l.begun.Add(1)-1, 10))
	d, err := l.dialer.Invite(ctx, l.target, sdp, sip.NewHeader("Content-Type", "application/sdp"), &id)
	if err == nil {
		err = d.WaitAnswer(ctx, sipgo.AnswerOptions{})
	}
	if err == nil {
		err = d.Ack(ctx)
	}
	switch {
	case err == nil:
		l.held.Add(1)
	case ctx.Err() != nil: // given up
	case l.lost.Add(1) == 1:
		l.cmd.Say("a call could not be set up: %v; further ones are only counted", err)
	}
}

// sleepUntil waits until then. It returns an error as soon as ctx ends.
func sleepUntil(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
