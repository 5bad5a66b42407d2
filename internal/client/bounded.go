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

// Some steps of sipgo ignore the caller's deadline. A dial is shared by all requests to
// its address and has the deadline of the first. A write blocks for as long as the peer
// does not read. So each such step runs in its own goroutine, and the caller waits only
// until its own deadline. The goroutine ends with the connection or, for a dial, after
// stepLife.

// stepLife limits a dial for a request of the timers, and a hang-up as a whole. It is the
// lifetime of a transaction (RFC 3261 §17.1.2.2).
func stepLife() time.Duration { return 64 * sip.T1 }

// within runs a step that may block, and returns its error, or the error of ctx if ctx ends
// first.
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

// blocks reports whether sending req may block: on a stream, which is dialled and written
// to, or on a DNS lookup.
func blocks(req *sip.Request) bool {
	if sip.IsReliable(req.Transport()) {
		return true
	}
	_, err := netip.ParseAddr(strings.Trim(firstHop(req), "[]"))
	return err != nil
}

// firstHop returns the host that req is sent to.
func firstHop(req *sip.Request) string {
	if pinned := req.MessageData.Destination(); pinned != "" {
		host, _, _ := sip.ParseAddr(pinned)
		return host
	}
	if r := req.Route(); r != nil {
		return r.Address.Host
	}
	return req.Recipient.Host
}

// openWithin is open for a request of the timers: it returns when ctx ends. The dial goes
// on without it, since other requests may share it.
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

// deliver writes a request without a transaction, as the WriteMsg of sipgo's transport
// layer does, but takes no longer than T1.
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

// notOurs hides the context.Canceled of a shared dial that another request has cancelled,
// while ctx, the context of this request, has not ended.
func notOurs(ctx context.Context, err error) error {
	if ctx.Err() == nil && errors.Is(err, context.Canceled) {
		return fmt.Errorf("middleware: the shared dial was cancelled by another request: %v", err)
	}
	return err
}
