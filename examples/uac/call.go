package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/phone"
)

const (
	// ringing is how long the callee may take to answer.
	ringing = 3 * time.Minute
	// patience is how long a peer may take to answer our BYE or CANCEL.
	patience = 2 * time.Second
)

// call is the one call of this program. This file is plain sipgo; it does not mention
// timers.
type call struct {
	cmd     *cli.Command
	target  sip.Uri
	contact sip.Uri
	sdp     []byte
	dialogs *sipgo.DialogClientCache

	once sync.Once
	over chan struct{} // closed when the peer, or the timers, hung up
}

func newCall(cmd *cli.Command, socket *phone.Socket, client *sipgo.Client, target sip.Uri) *call {
	peer := target.HostPort()
	c := &call{cmd: cmd, target: target, over: make(chan struct{})}
	c.contact = socket.URI(userName(cmd), peer)
	c.sdp = phone.SDP(socket.Host(peer))
	c.dialogs = sipgo.NewDialogClientCache(client, sip.ContactHeader{Address: c.contact})
	return c
}

// make calls, waits for the end of the call, and hangs up if the peer has not.
func (c *call) make(ctx context.Context) error {
	c.cmd.Say("calling %s; stop with Ctrl-C", c.target.String())
	dialog, err := c.invite(ctx)
	if ctx.Err() != nil && dialog == nil {
		c.cmd.Say("cancelled")
		return nil
	}
	if err != nil {
		return c.explain(err)
	}
	c.cmd.Say("the call is up")
	select {
	case <-c.over:
		c.cmd.Say("the call was ended")
		return nil
	case <-c.cmd.AfterDuration():
	case <-ctx.Done():
	}
	bye, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := dialog.Bye(bye); err != nil {
		c.cmd.Say("the BYE was not answered: %s", phone.Why(err))
	}
	c.cmd.Say("we hung up")
	return nil
}

// invite returns the dialog once the call is answered. If ctx ends before that, it sends
// CANCEL.
func (c *call) invite(ctx context.Context) (*sipgo.DialogClientSession, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, ringing, errNobody)
	defer cancel()
	dialog, err := c.dialogs.Invite(ctx, c.target, c.sdp, sip.NewHeader("Content-Type", "application/sdp"))
	if err != nil {
		return nil, err
	}
	answered := make(chan error, 1)
	go func() {
		answered <- dialog.WaitAnswer(ctx, sipgo.AnswerOptions{Username: c.cmd.User, Password: c.cmd.Password})
	}()
	select {
	case err = <-answered:
	case <-ctx.Done():
		// It sends CANCEL, but not before a provisional response (RFC 3261 §9.1).
		select {
		case err = <-answered:
		case <-time.After(patience):
			err = ctx.Err()
		}
	}
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, errNobody) {
			err = cause
		}
		return nil, err
	}
	return dialog, dialog.Ack(context.WithoutCancel(ctx))
}

var errNobody = fmt.Errorf("nobody answered within %v", ringing)

// explain turns an error into one clear line.
func (c *call) explain(err error) error {
	var refused *sipgo.ErrDialogResponse
	switch {
	case errors.As(err, &refused):
		status := fmt.Sprintf("%d %s", refused.Res.StatusCode, refused.Res.Reason)
		if refused.Res.StatusCode == sip.StatusUnauthorized || refused.Res.StatusCode == sip.StatusProxyAuthRequired {
			status += "; -user and -password are wrong or missing"
		}
		return fmt.Errorf("%s refused the call: %s", c.target.String(), status)
	case errors.Is(err, errNobody):
		return err
	}
	return fmt.Errorf("cannot call %s: %s", c.target.String(), phone.Why(err))
}

// onInvite handles what the timers do not answer: re-INVITEs with a changed session
// description, and calls from others.
func (c *call) onInvite(req *sip.Request, tx sip.ServerTransaction) {
	if !phone.InDialog(req) {
		phone.Respond(req, tx, sip.StatusBusyHere, "Busy Here")
		return
	}
	dialog, err := c.dialogs.MatchRequestDialog(req)
	if err != nil || dialog.ReadRequest(req, tx) != nil {
		phone.NoSuchCall(req, tx)
		return
	}
	phone.Accept(req, tx, c.contact, c.sdp)
}

func (c *call) onAck(*sip.Request, sip.ServerTransaction) {}

// onBye ends the call. The BYE is the peer's, or the timers' if the peer is gone.
func (c *call) onBye(req *sip.Request, tx sip.ServerTransaction) {
	if err := c.dialogs.ReadBye(req, tx); err != nil {
		phone.NoSuchCall(req, tx)
		return
	}
	c.once.Do(func() { close(c.over) })
}
