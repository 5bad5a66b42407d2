package middleware

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// errNoClient says that a stored dialog uses a transport that nothing sends on.
var errNoClient = errors.New("middleware: no client for the transport")

// errConnectionLost says that the stream closed on which an answer was to come.
var errConnectionLost = errors.New("middleware: connection lost")

// maxChallenges bounds the answers to 401 and 407 for one request: one each, and
// one more each for a stale nonce.
const maxChallenges = 4

// pipeline sends what the refresher decides on, the way the application's
// requests go.
type pipeline struct{ t *Timers }

// Refresh implements refresher.Pipeline.
func (p pipeline) Refresh(ctx context.Context, d dialogstore.Dialog, req *sip.Request) (*sip.Response, error) {
	l, m := p.t.legs.resume(d)
	if gone := p.t.host.Load().Gone; gone != nil && gone(d) {
		return nil, refresher.ErrGone
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := m.beginOwn(ctx, cancel, req.IsInvite()); err != nil {
		return nil, err
	}
	defer m.finishOwn()
	now, err := p.t.store.Load(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	if !now.Session.Equal(d.Session) {
		return nil, refresher.ErrSuperseded
	}
	x, err := p.t.ownExchange(l, m, now, req)
	if err != nil {
		return nil, err
	}
	x.proposal = x.policy.Propose(now.Session, now.MinSE, now.PeerTimer)
	x.silentSince = m.takeSilence(now.Session)
	return x.run(ctx)
}

// Hangup implements refresher.Pipeline.
func (p pipeline) Hangup(ctx context.Context, d dialogstore.Dialog, reason sessiontimer.Reason) error {
	l, m := p.t.legs.resume(d)
	m.Lock()
	busy := m.peerInProgress() || m.updating || len(m.offers) > 0
	unconfirmed := m.peerInProgress() && !m.peer.answered.IsZero()
	m.Unlock()
	// What is being answered, by us or by the peer, may renew the session; only
	// the end of the session itself ends that too.
	if busy && time.Now().Before(d.Session.ExpiresAt()) {
		return refresher.ErrBusy
	}
	// RFC 3261 §15: no BYE before the ACK of our 2xx, or the time for one is up.
	if unconfirmed {
		return refresher.ErrBusy
	}
	return p.t.hangup(ctx, l, d.RemoteTag, reason)
}

// ownExchange prepares a request of ours.
func (t *Timers) ownExchange(l *leg, m *member, d dialogstore.Dialog, req *sip.Request) (*exchange, error) {
	r := m.sentBy()
	if r == nil {
		r = t.requesterFor(d.Transport)
	}
	if r == nil {
		return nil, fmt.Errorf("%w: %s", errNoClient, d.Transport)
	}
	if err := sipgo.ClientRequestAddVia(r.client, req); err != nil {
		return nil, err
	}
	r.fallBack(req, d)
	return &exchange{r: r, leg: l, member: m, req: req, remoteTag: d.RemoteTag, policy: d.Policy, own: true, dialog: &d}, nil
}

// run sends a request of ours and waits for its final response.
func (x *exchange) run(ctx context.Context) (*sip.Response, error) {
	if err := x.send(ctx); err != nil {
		return nil, err
	}
	return x.await(ctx)
}

// await waits for the final response to a request of ours, over retries and
// challenges.
func (x *exchange) await(ctx context.Context) (*sip.Response, error) {
	challenges, answered := 0, make(map[int]bool)
	look, stop := x.lookEverySecond()
	defer stop()
	silence, stopWaiting := x.untilGone()
	defer stopWaiting()
	heard := false
	for {
		tx := x.transaction()
		select {
		case res := <-tx.Responses():
			heard, silence = true, nil
			if x.req.IsInvite() && res.IsSuccess() {
				x.acknowledge(res)
			}
			if x.handle(ctx, res) {
				clear(answered) // what was answered then was accepted
				continue
			}
			if res.IsProvisional() {
				continue
			}
			if challenges < maxChallenges && x.authorize(res, answered[res.StatusCode]) {
				challenges++
				answered[res.StatusCode] = true
				setBranch(x.req)
				if err := x.send(ctx); err != nil {
					return nil, err
				}
				continue
			}
			if !x.req.IsInvite() {
				tx.Terminate() // that of an INVITE stays, for responses that are sent again
			}
			return res, nil
		case <-tx.Done():
			if err := tx.Err(); err != nil {
				return nil, err
			}
			return nil, sip.ErrTransactionTerminated
		case <-look:
			if !x.r.connected(tx) {
				x.abandon(tx)
				return nil, errConnectionLost
			}
		case <-silence:
			x.abandon(tx)
			return nil, fmt.Errorf("middleware: neither UPDATE nor re-INVITE answered: %w", sip.ErrTransactionTimeout)
		case <-ctx.Done():
			if x.req.Method == sip.UPDATE && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				x.giveUp(tx, heard)
			} else {
				x.abandon(tx)
			}
			return nil, ctx.Err()
		}
	}
}

// untilGone ends when the peer has answered neither the UPDATE before this request
// nor this one for as long as a transaction lives (RFC 4028 §10).
func (x *exchange) untilGone() (<-chan time.Time, func()) {
	if x.silentSince.IsZero() {
		return nil, func() {}
	}
	gone := time.NewTimer(time.Until(x.silentSince.Add(64 * sip.T1)))
	return gone.C, func() { gone.Stop() }
}

// giveUp waits no longer for the answer to an UPDATE of ours; a 2xx that comes all
// the same still counts.
func (x *exchange) giveUp(tx *sip.ClientTx, heard bool) {
	if !heard {
		x.member.fallSilent(x.dialog.Session, x.sentAt)
	}
	go func() {
		defer tx.Terminate()
		for {
			select {
			case res := <-tx.Responses():
				if res.IsSuccess() {
					x.handle(x.r.t.ctx, res)
				}
				if !res.IsProvisional() {
					return
				}
			case <-tx.Done():
				return
			case <-x.r.t.ctx.Done():
				return
			}
		}
	}()
}

// lookEverySecond ticks where there is a connection to look at.
func (x *exchange) lookEverySecond() (<-chan time.Time, func()) {
	if !sip.IsReliable(x.dialog.Transport) {
		return nil, func() {}
	}
	look := time.NewTicker(time.Second)
	return look.C, look.Stop
}

// connected tells whether the answer to a request can still come: sipgo says
// nothing to a transaction whose stream was closed, and lets it time out as if
// the peer were gone.
func (r *requester) connected(tx *sip.ClientTx) bool {
	transport := sip.NetworkToLower(tx.Origin().Transport())
	conn, ok := tx.Connection().(interface{ RemoteAddr() net.Addr })
	if !ok || !sip.IsReliable(transport) {
		return true
	}
	return r.stream(transport, conn.RemoteAddr().String()) == tx.Connection()
}

// stream is the open connection to an address; nil if there is none.
func (r *requester) stream(transport, addr string) sip.Connection {
	conn, err := r.client.TransportLayer().GetConnection(transport, addr)
	if err != nil {
		return nil
	}
	_, _ = conn.TryClose() // the pool keeps it
	return conn
}

// fallBack sends a request to the Contact of a peer whose own connection is gone:
// it may listen there.
func (r *requester) fallBack(req *sip.Request, d dialogstore.Dialog) {
	if d.Destination != "" && sip.IsReliable(d.Transport) && r.stream(d.Transport, d.Destination) == nil {
		req.SetDestination("")
	}
}

// abandon gives up a request of ours. An INVITE still gets its ACK, whatever
// answers it (RFC 3261 §13.2.2.4, §17.1.1.3).
func (x *exchange) abandon(tx *sip.ClientTx) {
	if !x.req.IsInvite() {
		tx.Terminate()
		return
	}
	go func() {
		limit := time.NewTimer(64 * sip.T1)
		defer limit.Stop()
		for {
			select {
			case res := <-tx.Responses():
				if res.IsSuccess() {
					x.acknowledge(res)
				}
				if !res.IsProvisional() {
					return
				}
			case <-tx.Done():
				return
			case <-limit.C:
				tx.Terminate()
			}
		}
	}()
}

// acknowledge sends the ACK of a re-INVITE of ours (RFC 3261 §13.2.2.4), also
// if the dialog is over by now.
func (x *exchange) acknowledge(res *sip.Response) {
	d := *x.dialog
	retarget(&d, res.Contact())
	if err := x.sendAck(d); err != nil {
		x.r.t.log.Warn("refresh not acknowledged", "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag,
			"status", res.StatusCode, "error", err)
	}
}

func (x *exchange) sendAck(d dialogstore.Dialog) error {
	ack, err := refresher.NewRequest(d, sip.ACK)
	if err != nil {
		return err
	}
	setCSeq(ack, x.req.CSeq().SeqNo)
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		if h := firstField(x.req, name, ""); h != nil {
			ack.AppendHeader(sip.HeaderClone(h))
		}
	}
	if err := sipgo.ClientRequestAddVia(x.r.client, ack); err != nil {
		return err
	}
	x.r.fallBack(ack, d)
	return x.r.client.TransportLayer().WriteMsg(ack)
}

// authorize answers a digest challenge in a copy of the request (RFC 3261 §22).
// It returns false if there is none, or nothing to answer it with. One that
// rejects an answer is answered again only if that was merely stale (§22.1).
func (x *exchange) authorize(res *sip.Response, rejects bool) bool {
	auth := x.r.t.opts.credentials
	challenge, answer := "WWW-Authenticate", "Authorization"
	switch res.StatusCode {
	case sip.StatusUnauthorized:
	case sip.StatusProxyAuthRequired:
		challenge, answer = "Proxy-Authenticate", "Proxy-Authorization"
	default:
		return false
	}
	chal := topmostChallenge(res, challenge)
	if chal == nil || auth.Password == "" || rejects && !chal.Stale {
		return false
	}
	chal.Algorithm = sip.ASCIIToUpper(chal.Algorithm)
	cred, err := digest.Digest(chal, digest.Options{
		Method:   string(x.req.Method),
		URI:      x.req.Recipient.String(),
		GetBody:  func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(x.req.Body())), nil },
		Username: auth.Username,
		Password: auth.Password,
	})
	if err != nil {
		return false
	}
	req := x.req.Clone()
	setField(req, answer, "", cred.String())
	x.set(func() { x.req, x.done = req, false })
	return true
}

// topmostChallenge is the first that can be answered (RFC 8760 §2.4).
func topmostChallenge(res *sip.Response, name string) *digest.Challenge {
	for _, h := range res.GetHeaders(name) {
		if chal, err := digest.ParseChallenge(h.Value()); err == nil && digest.CanDigest(chal) {
			return chal
		}
	}
	return nil
}
