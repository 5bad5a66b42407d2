package main

import (
	"context"
	"fmt"
	"net"
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

// callIDs names calls by number, so that what is seen of one needs no map.
const callIDs = "load-"

// sdp is what both sides say, and one copy of it for all calls.
var sdp = []byte(sipnet.SDP)

// load is the calling side, the one that refreshes.
type load struct {
	plan
	cmd    *cli.Command
	target sip.Uri
	late   *lateness

	conn   net.PacketConn
	ua     *sipgo.UserAgent
	timers *middleware.Timers
	dialer *sipgo.DialogClientCache

	wg       sync.WaitGroup // of calls being set up
	begun    atomic.Int64   // calls, of all
	held     atomic.Int64
	failed   atomic.Int64 // refreshes
	dropped  atomic.Int64
	stopping atomic.Bool
}

func newLoad(cmd *cli.Command, p plan, target string) (*load, error) {
	l := &load{plan: p, cmd: cmd, late: newLateness(p.indexes())}
	host, port, err := sip.ParseAddr(target)
	if err != nil {
		return nil, err
	}
	l.target = sip.Uri{Scheme: "sip", User: "answer", Host: host, Port: port}
	socket, err := listen()
	if err != nil {
		return nil, err
	}
	l.conn = sipnet.TapPacketConn(socket, func(_, _ string, data []byte, _ bool) { l.late.sent(data) })
	u, err := newUserAgent("load", l.conn)
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
	return l, nil
}

// close stops the timers and leaves the calls as they are.
func (l *load) close() {
	l.stopping.Store(true)
	_ = l.timers.Close()
	_ = l.ua.Close()
	_ = l.conn.Close()
}

// event keeps account of the timers.
func (l *load) event(e sessiontimer.Event) {
	call := e.Info()
	switch e.(type) {
	case sessiontimer.Negotiated, sessiontimer.Refreshed:
		id := dialogstore.ID{CallID: call.CallID, LocalTag: call.LocalTag, RemoteTag: call.RemoteTag}
		if d, err := l.timers.Store().Load(context.Background(), id); err == nil {
			l.late.expect(indexOf(call.CallID), d.Session.RefreshAt())
		}
	case sessiontimer.RefreshFailed:
		l.failed.Add(1)
	case sessiontimer.Ended:
		if !l.stopping.Load() {
			l.dropped.Add(1)
			l.held.Add(-1)
		}
	}
}

// indexOf is the number of a call; -1 if it is none of ours.
func indexOf(callID string) int {
	digits, ours := strings.CutPrefix(callID, callIDs)
	i, err := strconv.Atoi(digits)
	if !ours || err != nil {
		return -1
	}
	return i
}

// setUp returns when all calls are there.
func (l *load) setUp(ctx context.Context) error {
	if l.stubbed {
		return l.setUpStubs(ctx)
	}
	if err := l.callAtRate(ctx, l.setUpRate(), l.calls); err != nil {
		return err
	}
	l.wg.Wait()
	if held := int(l.held.Load()); held < l.calls {
		return fmt.Errorf("%s of %s calls could be set up; try a lower -rate", number(held), number(l.calls))
	}
	return nil
}

// callAtRate sets n calls up, perSecond each second; fewer if ctx ends.
func (l *load) callAtRate(ctx context.Context, perSecond float64, n int) error {
	places := make(chan struct{}, 500)
	start := time.Now()
	for i := range n {
		due := start.Add(time.Duration(float64(i) / perSecond * float64(time.Second)))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(due)):
		}
		places <- struct{}{}
		l.wg.Add(1)
		go func() {
			defer l.wg.Done()
			defer func() { <-places }()
			l.call(ctx)
		}()
	}
	return nil
}

// call sets one call up.
func (l *load) call(ctx context.Context) {
	id := sip.CallIDHeader(callIDs + strconv.FormatInt(l.begun.Add(1)-1, 10))
	d, err := l.dialer.Invite(ctx, l.target, sdp, sip.NewHeader("Content-Type", "application/sdp"), &id)
	if err == nil {
		err = d.WaitAnswer(ctx, sipgo.AnswerOptions{})
	}
	if err == nil {
		err = d.Ack(ctx)
	}
	if err == nil {
		l.held.Add(1)
	} else if ctx.Err() == nil {
		l.cmd.Say("call not set up: %v", err)
	}
}

// hold measures for as long as the flags say.
func (l *load) hold(ctx context.Context, r *report) error {
	meanwhile, stop := context.WithTimeout(ctx, l.plan.hold)
	defer stop()
	l.late.begin()
	before := usage()
	if l.arrivals > 0 {
		go func() { _ = l.callAtRate(meanwhile, float64(l.arrivals), l.indexes()) }()
	}
	<-meanwhile.Done()
	r.spent = usage().since(before)
	r.lateness = l.late.all()
	r.held, r.failed, r.dropped = int(l.held.Load()), int(l.failed.Load()), int(l.dropped.Load())
	l.stopping.Store(true)
	return ctx.Err()
}
