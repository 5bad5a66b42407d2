package main

import (
	"context"
	"sync"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// How long the annex is alive, and then dead, in turns.
const (
	annexLives = 30 * time.Second
	annexRests = 30 * time.Second
)

// playAnnex plays the other node, until ctx ends. Each time it dies it leaves its calls
// to the switchboard; the peers go on.
func playAnnex(ctx context.Context, registry failover.Registry, failed func(error)) {
	var peers sync.WaitGroup
	defer peers.Wait()
	for ctx.Err() == nil {
		if err := annexScene(ctx, registry, &peers); err != nil && ctx.Err() == nil {
			failed(err)
		}
		wait(ctx, annexRests)
	}
}

// annexScene is one life of the annex.
func annexScene(ctx context.Context, registry failover.Registry, peers *sync.WaitGroup) error {
	annex, err := newSwitchboard(registry, "annex")
	if err != nil {
		return err
	}
	defer annex.close() // without a BYE, and without Timers.Leave
	for _, part := range annexed {
		peer, err := newPeer(part)
		if err != nil {
			return err
		}
		peers.Go(func() {
			defer peer.close() // the peer sends no BYE either
			wait(ctx, part.lasts)
		})
		if _, err := annex.call(ctx, peer.uri()); err != nil {
			return err
		}
	}
	wait(ctx, annexLives)
	return nil
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
