package main

import (
	"context"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/phone"
)

// patience is how long a peer may take to answer our BYE.
const patience = 2 * time.Second

// calls are the calls that are up. This file is plain sipgo; it does not mention timers.
type calls struct {
	ctx     context.Context // ends when the program stops
	cmd     *cli.Command
	socket  *phone.Socket
	dialogs *sipgo.DialogServerCache
	guard   phone.Guard
	board   phone.Board
}

func newCalls(ctx context.Context, cmd *cli.Command, socket *phone.Socket, client *sipgo.Client) *calls {
	contact := sip.ContactHeader{Address: socket.URI("uas", phone.Anywhere)}
	return &calls{
		ctx:     ctx,
		cmd:     cmd,
		socket:  socket,
		dialogs: sipgo.NewDialogServerCache(client, contact),
		guard:   phone.Guard{User: cmd.User, Password: cmd.Password, Realm: "sessiontimer"},
	}
}

// onInvite answers a call and returns when it is over.
func (c *calls) onInvite(req *sip.Request, tx sip.ServerTransaction) {
	if phone.InDialog(req) {
		c.onReInvite(req, tx)
		return
	}
	if !c.guard.Admit(req, tx) {
		return
	}
	if !c.board.Begin() {
		phone.Respond(req, tx, sip.StatusServiceUnavailable, "Shutting Down")
		return
	}
	defer c.board.Done()
	call, err := c.dialogs.ReadInvite(req, tx)
	if err != nil {
		phone.Respond(req, tx, sip.StatusBadRequest, "Bad Request")
		return
	}
	peer := req.Source()
	err = call.Respond(sip.StatusOK, "OK", phone.SDP(c.socket.Host(peer)),
		&sip.ContactHeader{Address: c.socket.URI("uas", peer)}, sip.NewHeader("Content-Type", "application/sdp"))
	if err != nil {
		return // cancelled, or never acknowledged
	}
	select {
	case <-call.Context().Done(): // the other side hung up, or the timer ran out
	case <-c.cmd.AfterDuration():
	case <-c.ctx.Done():
	}
	bye, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = call.Bye(bye) // does nothing if the call is over
}

// onReInvite handles what the timers do not answer: changed session descriptions.
func (c *calls) onReInvite(req *sip.Request, tx sip.ServerTransaction) {
	call, err := c.dialogs.MatchDialogRequest(req)
	if err != nil || call.ReadRequest(req, tx) != nil {
		phone.NoSuchCall(req, tx)
		return
	}
	peer := req.Source()
	phone.Accept(req, tx, c.socket.URI("uas", peer), phone.SDP(c.socket.Host(peer)))
}

func (c *calls) onAck(req *sip.Request, tx sip.ServerTransaction) {
	_ = c.dialogs.ReadAck(req, tx)
}

// onBye ends a call. The BYE is the peer's, or the timers' if the peer is gone.
func (c *calls) onBye(req *sip.Request, tx sip.ServerTransaction) {
	if err := c.dialogs.ReadBye(req, tx); err != nil {
		phone.NoSuchCall(req, tx)
	}
}

// hangUpAll waits for the calls to end after ctx has.
func (c *calls) hangUpAll() {
	if !c.board.Close(patience + time.Second) {
		c.cmd.Say("gave up on calls that would not end")
	}
}
