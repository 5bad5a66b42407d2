package client

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// sipgo has steps that no deadline ends: a dial is shared by all that want its
// address, and the first of them decides how long it takes; a write waits for as
// long as the peer does not read. So each such step of ours has a goroutine of its
// own, and whoever waits for it does so until its own deadline. What is left behind
// ends with its connection or, a dial, after stepLife.

// stepLife bounds what is begun for a request of ours, and a hang-up as a whole: a
// transaction that takes longer is over (RFC 3261 §17.1.2.2).
func stepLife() time.Duration { return 64 * sip.T1 }

// within runs a step that may block, and returns its error, or that of ctx if it
// ends first.
func (c *Client) within(ctx context.Context, step func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := make(chan error, 1)
	c.Steps.Go(func() { done <- step() })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// blocks reports whether sipgo may wait for the network before req is sent: it
// dials and writes streams, and looks names up.
func blocks(req *sip.Request) bool {
	if sip.IsReliable(req.Transport()) {
		return true
	}
	host := req.Recipient.Host
	if r := req.Route(); r != nil {
		host = r.Address.Host
	}
	if pinned := req.MessageData.Destination(); pinned != "" {
		host, _, _ = sip.ParseAddr(pinned)
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err != nil
}

// openWithin is open for a request of ours. A dial is not called off with the call
// that it was begun for, since others may have joined it.
func (r *Requester) openWithin(ctx context.Context, req *sip.Request) (*sip.ClientTx, error) {
	if !blocks(req) {
		return r.open(ctx, req)
	}
	type opening struct {
		tx  *sip.ClientTx
		err error
	}
	opened := make(chan opening)
	r.c.Steps.Go(func() {
		dialling, cancel := context.WithTimeout(r.c.calls.Context, stepLife())
		defer cancel()
		tx, err := r.open(dialling, req)
		select {
		case opened <- opening{tx, err}:
		case <-ctx.Done():
			if err == nil {
				tx.Terminate()
			}
		}
	})
	select {
	case o := <-opened:
		return o.tx, notOurs(ctx, o.err)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// deliver is the WriteMsg of sipgo's transport layer, and returns after T1.
func (r *Requester) deliver(req *sip.Request) error {
	if !blocks(req) {
		return r.client.TransportLayer().WriteMsg(req)
	}
	ctx, cancel := context.WithTimeout(context.Background(), sip.T1)
	defer cancel()
	return r.c.within(ctx, func() error {
		dialling, cancel := context.WithTimeout(r.c.calls.Context, stepLife())
		defer cancel()
		conn, err := r.client.TransportLayer().ClientRequestConnection(dialling, req)
		if err != nil {
			return err
		}
		defer func() { _, _ = conn.TryClose() }()
		return conn.WriteMsg(req)
	})
}

// notOurs hides that a dial which was joined has been called off: a context that
// ended elsewhere says nothing of the request that waited.
func notOurs(ctx context.Context, err error) error {
	if ctx.Err() == nil && errors.Is(err, context.Canceled) {
		return fmt.Errorf("client: somebody else's dial was called off: %v", err)
	}
	return err
}
