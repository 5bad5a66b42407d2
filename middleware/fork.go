package middleware

import (
	"context"
	"slices"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"

	"github.com/emiago/sipgo/sip"
)

// keptForks bounds how many more answers to one INVITE are remembered.
const keptForks = 8

// fork is a 2xx to an INVITE of ours from another party than the first one.
type fork struct {
	remoteTag string
	x         *exchange
	res       *sip.Response
	at        time.Time
	ended     bool // hung up without an ACK
}

// forked remembers such a 2xx. Each makes a dialog with a timer of its own
// (RFC 4028 §7.2), but only for an application that takes it: refreshing the
// others would keep calls up that nobody knows of.
func (x *exchange) forked(res *sip.Response) {
	l, tag := x.leg, sipmsg.ToTag(res)
	if x.remoteTag != "" || !x.req.IsInvite() || !res.IsSuccess() || tag == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.find(tag) != nil || slices.ContainsFunc(l.forks, func(f fork) bool { return f.remoteTag == tag })
	if known || len(l.forks) == keptForks || sipmsg.Keepable(res) != nil {
		return
	}
	l.forks = append(l.forks, fork{remoteTag: tag, x: x, res: res, at: time.Now()})
	if len(l.forks) == 1 {
		time.AfterFunc(64*sip.T1, l.forgetForks)
	}
}

// forgetForks forgets those that are not acknowledged by now: who sent a 2xx waits for
// 64*T1 (RFC 3261 §13.3.1.4).
func (l *leg) forgetForks() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forks = slices.DeleteFunc(l.forks, func(f fork) bool { return time.Since(f.at) >= 64*sip.T1 })
	if len(l.forks) > 0 {
		time.AfterFunc(64*sip.T1-time.Since(l.forks[0].at), l.forgetForks)
	}
}

// endFork keeps a fork that is hung up from becoming a dialog later. l.mu is held.
func (l *leg) endFork(remoteTag string) {
	for i := range l.forks {
		l.forks[i].ended = l.forks[i].ended || l.forks[i].remoteTag == remoteTag
	}
}

// joinFork makes the dialog of a fork that the application acknowledges.
func (t *Timers) joinFork(ctx context.Context, l *leg, remoteTag string) {
	l.mu.Lock()
	i := slices.IndexFunc(l.forks, func(f fork) bool { return f.remoteTag == remoteTag && !f.ended })
	if i < 0 {
		l.mu.Unlock()
		return
	}
	f := l.forks[i]
	l.forks = slices.Delete(l.forks, i, i+1)
	l.mu.Unlock()
	t.settleFirst(ctx, f.x, f.res, sipmsg.Fields(f.res, f.x.policy), f.at)
}
