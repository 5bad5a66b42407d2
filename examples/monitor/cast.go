package main

import (
	"context"
	"time"
)

// part is how a peer behaves.
type part struct {
	name     string
	interval time.Duration
	calls    bool              // it calls the switchboard, and refreshes; else the switchboard does both
	noUpdate bool              // its Allow lacks UPDATE
	noTimer  bool              // it does not support session timers
	vanishes time.Duration     // after this long its socket is dead; 0 for never
	refusal  func(nth int) int // the status of its answer to the nth refresh; nil for 200
	lasts    time.Duration     // then it is hung up, if it is still up
}

var cast = []part{
	{name: "anna", interval: 20 * time.Second, lasts: 5 * time.Minute},
	{name: "bruno", interval: 90 * time.Second, lasts: 10 * time.Minute},
	{name: "clara", interval: 30 * time.Second, noUpdate: true, lasts: 4 * time.Minute},
	{name: "david", interval: 30 * time.Minute, lasts: time.Hour},
	{name: "elena", interval: 40 * time.Second, calls: true, lasts: 6 * time.Minute},
	{name: "fritz", interval: time.Minute, calls: true, lasts: 3 * time.Minute},
	{name: "grace", noTimer: true, interval: time.Minute, lasts: 2 * time.Minute},
	{name: "overloaded", interval: 24 * time.Second, lasts: 2 * time.Minute, refusal: func(nth int) int {
		if nth%3 == 0 {
			return 200
		}
		return 503
	}},
	{name: "restarted", interval: 36 * time.Second, lasts: time.Minute, refusal: func(nth int) int {
		if nth < 2 {
			return 200
		}
		return 481
	}},
	{name: "unplugged", interval: 30 * time.Second, vanishes: 8 * time.Second, lasts: 40 * time.Second},
	{name: "lost-signal", interval: 45 * time.Second, calls: true, vanishes: 5 * time.Second, lasts: 50 * time.Second},
}

// annexed are the peers of the annex.
var annexed = []part{
	{name: "hanna", interval: 50 * time.Second, lasts: 2 * time.Minute},
	{name: "ivan", interval: 40 * time.Second, noUpdate: true, lasts: 3 * time.Minute},
}

func partOf(name string) part {
	for _, p := range append(annexed, cast...) {
		if p.name == name {
			return p
		}
	}
	return part{interval: 30 * time.Minute}
}

// play makes or takes one call after the other until ctx ends.
func (p part) play(ctx context.Context, board *switchboard, nth int, failed func(error)) {
	pause := time.Duration(nth) * 700 * time.Millisecond // not all at once
	for {
		if wait(ctx, pause); ctx.Err() != nil {
			return
		}
		if err := p.scene(ctx, board); err != nil && ctx.Err() == nil {
			failed(err)
		}
		pause = 3 * time.Second
	}
}

// scene is one call.
func (p part) scene(ctx context.Context, board *switchboard) error {
	peer, err := newPeer(p)
	if err != nil {
		return err
	}
	defer peer.close()
	ctx, cancel := context.WithTimeout(ctx, p.lasts)
	defer cancel()
	var call interface {
		Context() context.Context
		Bye(context.Context) error
	}
	if p.calls {
		call, err = peer.call(ctx, board.uri())
	} else {
		call, err = board.call(ctx, peer.uri())
	}
	if err != nil {
		return err
	}
	if p.vanishes > 0 {
		defer time.AfterFunc(p.vanishes, peer.tap.Silence).Stop()
	}
	select {
	case <-call.Context().Done():
	case <-ctx.Done():
	}
	bye, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = call.Bye(bye) // does nothing if the call is over
	return nil
}
