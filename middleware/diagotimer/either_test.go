package diagotimer_test

import (
	"context"
	"fmt"

	"github.com/emiago/diago"
	"github.com/emiago/diago/media"
)

// These tests pass with diago v0.31.0 and with v0.42.1; what the two call by
// different names is in this file. Before v0.42 a dialog is its own media, and
// takes some that are on the in-memory network. Since then media are on real
// sockets. A goroutine that waits for one of these keeps virtual time from
// passing, so nobody listens for RTCP in these tests.

// onePiece is a dialog before v0.42.
type onePiece interface {
	Media() *diago.DialogMedia
	InitMediaSession(*media.MediaSession, *media.RTPPacketReader, *media.RTPPacketWriter)
}

// ring sends 183 with a session description.
func ring(d *diago.DialogServerSession, m *media.MediaSession) (*diago.DialogMedia, error) {
	switch d := any(d).(type) {
	case interface {
		onePiece
		ProgressMedia() error
	}:
		d.InitMediaSession(m, nil, nil)
		return d.Media(), d.ProgressMedia()
	case interface {
		ProgressMedia(diago.ProgressMediaOptions) (*diago.DialogMedia, error)
	}:
		early, err := d.ProgressMedia(diago.ProgressMediaOptions{})
		deaf(early)
		return early, err
	}
	return nil, unknown(d)
}

// accept sends the 200 that follows the 183.
func accept(d *diago.DialogServerSession, early *diago.DialogMedia, opts diago.AnswerOptions) error {
	switch d := any(d).(type) {
	case interface {
		AnswerOptions(diago.AnswerOptions) error
	}:
		return d.AnswerOptions(opts)
	case interface {
		AnswerEarlyMedia(*diago.DialogMedia, diago.AnswerOptions) error
	}:
		opts.OnMediaUpdate = deafen(opts.OnMediaUpdate)
		return d.AnswerEarlyMedia(early, opts)
	}
	return unknown(d)
}

// answer sends 200, with media of the dialog's own.
func answer(d *diago.DialogServerSession) (*diago.DialogMedia, error) {
	switch d := any(d).(type) {
	case interface {
		onePiece
		Answer() error
	}:
		return d.Media(), d.Answer()
	case interface {
		Answer(diago.AnswerOptions) (*diago.DialogMedia, error)
	}:
		return d.Answer(diago.AnswerOptions{})
	}
	return nil, unknown(d)
}

// invite sends the INVITE and waits for its answer.
func invite(ctx context.Context, d *diago.DialogClientSession, m *media.MediaSession, opts diago.InviteClientOptions) (*diago.DialogMedia, error) {
	switch d := any(d).(type) {
	case interface {
		onePiece
		Invite(context.Context, diago.InviteClientOptions) error
	}:
		if m != nil {
			d.InitMediaSession(m, nil, nil)
		}
		return d.Media(), d.Invite(ctx, opts)
	case interface {
		Invite(context.Context, diago.InviteClientOptions) (*diago.DialogMedia, error)
	}:
		if m != nil {
			opts.OnMediaUpdate = deafen(opts.OnMediaUpdate)
		}
		answered, err := d.Invite(ctx, opts)
		if m != nil {
			deaf(answered)
		}
		return answered, err
	}
	return nil, unknown(d)
}

// call makes a call and acknowledges the answer.
func call(ctx context.Context, d *diago.DialogClientSession) error {
	if _, err := invite(ctx, d, nil, diago.InviteClientOptions{}); err != nil {
		return err
	}
	return d.Ack(ctx)
}

// deaf has media listen for RTCP no more.
func deaf(m *diago.DialogMedia) {
	if m != nil && m.RTPSession() != nil {
		_ = m.RTPSession().MonitorClose()
	}
}

// deafen does so after each change, too: diago listens again then.
func deafen(then func(*diago.DialogMedia)) func(*diago.DialogMedia) {
	return func(m *diago.DialogMedia) {
		deaf(m)
		if then != nil {
			then(m)
		}
	}
}

func unknown(d any) error { return fmt.Errorf("diago's %T has other methods than these tests know", d) }
