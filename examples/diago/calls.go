package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/phone"
)

// patience is how long the program waits for its calls to end when it stops.
const patience = 3 * time.Second

// calls are the calls that are up. This file is plain diago; it does not mention timers.
type calls struct {
	ctx   context.Context // ends when the program stops
	cmd   *cli.Command
	auth  *diago.DigestAuthServer
	board phone.Board
}

func newCalls(ctx context.Context, cmd *cli.Command) *calls {
	return &calls{ctx: ctx, cmd: cmd, auth: diago.NewDigestServer()}
}

// serve handles a call. diago hangs up when it returns.
func (c *calls) serve(d *diago.DialogServerSession) {
	if !c.board.Begin() {
		_ = d.Respond(sip.StatusServiceUnavailable, "Shutting Down", nil)
		return
	}
	defer c.board.Done()
	if !c.admit(d) {
		return
	}
	media, err := d.Answer(diago.AnswerOptions{})
	if err != nil {
		c.cmd.Say("call %s not answered: %v", d.InviteRequest.CallID().Value(), err)
		return
	}
	done := make(chan error, 1)
	go func() { done <- talk(media) }()
	select {
	case <-d.Context().Done(): // the caller hung up, or the timer ran out
	case <-c.cmd.AfterDuration():
	case <-c.ctx.Done():
	}
	bye, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = d.Hangup(bye) // does nothing if the call is over
	_ = media.Close()
	<-done
}

// admit challenges the caller if there are a user name and password.
func (c *calls) admit(d *diago.DialogServerSession) bool {
	if c.cmd.User == "" {
		return true
	}
	res, err := c.auth.AuthorizeRequest(d.InviteRequest, diago.DigestAuth{
		Username: c.cmd.User, Password: c.cmd.Password, Realm: "sessiontimer"})
	if err == nil && res.IsSuccess() {
		return true
	}
	_ = d.WriteResponse(res)
	return false
}

// talk plays a tone and echoes what it hears until the call's media is closed.
func talk(m *diago.DialogMedia) error {
	playback, err := m.PlaybackCreate()
	if err != nil {
		return err
	}
	if _, err := playback.Play(tone(playback.Codec().SampleRate), "audio/pcm"); err != nil {
		return err
	}
	return m.Echo()
}

// tone returns half a second of 440 Hz with 16 bits per sample.
func tone(rate uint32) io.Reader {
	samples := make([]int16, rate/2)
	for i := range samples {
		samples[i] = int16(8000 * math.Sin(2*math.Pi*440*float64(i)/float64(rate)))
	}
	var pcm bytes.Buffer
	_ = binary.Write(&pcm, binary.LittleEndian, samples) // a buffer does not fail
	return &pcm
}

// hangUpAll waits for the calls to end after ctx has.
func (c *calls) hangUpAll() {
	if !c.board.Close(patience + time.Second) {
		c.cmd.Say("gave up on calls that would not end")
	}
}

func (c *calls) close() { c.auth.Close() }
