package main

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// callIDs contain the number of the call, so that looking one up needs no map.
const callIDs = "load-"

// sdp is the session description of both sides, shared by all calls.
var sdp = []byte(sipnet.SDP)

// load is the calling side, the one that refreshes.
type load struct {
	plan
	cmd    *cli.Command
	target sip.Uri
	late   *lateness

	line   *line
	ua     *sipgo.UserAgent
	timers *middleware.Timers
	dialer *sipgo.DialogClientCache

	ctx    context.Context // of calls being set up
	giveUp context.CancelCauseFunc
	wg     sync.WaitGroup // of them, and of the goroutines that begin them

	began    time.Time
	begun    atomic.Int64 // calls, of all
	held     atomic.Int64
	lost     atomic.Int64 // calls that could not be set up
	failed   atomic.Int64 // refreshes
	dropped  atomic.Int64
	stopping atomic.Bool
}

// newLoad returns a load whose calls are given up when ctx ends.
func newLoad(ctx context.Context, cmd *cli.Command, p plan, target string) (*load, error) {
	l := &load{plan: p, cmd: cmd, late: newLateness(p.indexes()), began: time.Now()}
	host, port, err := sip.ParseAddr(target)
	if err != nil {
		return nil, err
	}
	l.target = sip.Uri{Scheme: "sip", User: "answer", Host: host, Port: port}
	socket, err := p.listen()
	if err != nil {
		return nil, err
	}
	l.line = &line{PacketConn: socket, sent: l.late.sent}
	u, err := newUserAgent("load", l.line)
	if err != nil {
		return nil, err
	}
	l.ua = u.ua
	l.timers, err = middleware.New(u.ua, append(p.timerOptions(), middleware.WithRefresher(sessiontimer.Local),
		middleware.WithEventHandler(l.event), middleware.WithLogger(cmd.Logger))...)
	if err != nil {
		return nil, err
	}
	srv, err := l.timers.Attach(u.server, u.client)
	if err != nil {
		return nil, err
	}
	l.dialer = sipgo.NewDialogClientCache(u.client, u.contact)
	srv.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { _ = l.dialer.ReadBye(req, tx) })
	u.serve()
	l.ownCalls(ctx)
	return l, nil
}

// close stops setting up calls, then the timers, and leaves the calls up. When it returns
// nothing is in progress.
func (l *load) close() {
	l.stopping.Store(true)
	l.giveUp(sipgo.WaitAnswerForceCancelErr)
	l.wg.Wait()
	_ = l.timers.Close()
	_ = l.ua.Close()
	_ = l.line.Close()
}

// event counts the events of the timers.
func (l *load) event(e sessiontimer.Event) {
	call := e.Info()
	switch e.(type) {
	case sessiontimer.Negotiated, sessiontimer.Refreshed:
		id := dialogstore.ID{CallID: call.CallID, LocalTag: call.LocalTag, RemoteTag: call.RemoteTag}
		if d, err := l.timers.Call(context.Background(), id); err == nil {
			l.late.expect(indexOf(call.CallID), d.Session.RefreshAt())
		}
	case sessiontimer.RefreshFailed:
		l.failed.Add(1)
	case sessiontimer.Ended:
		l.late.forget(indexOf(call.CallID))
		if !l.stopping.Load() {
			l.dropped.Add(1)
			l.held.Add(-1)
		}
	}
}

// indexOf returns the number of a call; -1 if it is not ours.
func indexOf(callID string) int {
	digits, ours := strings.CutPrefix(callID, callIDs)
	i, err := strconv.Atoi(digits)
	if !ours || err != nil {
		return -1
	}
	return i
}
