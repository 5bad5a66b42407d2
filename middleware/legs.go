package middleware

import (
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// legs finds the leg of a request.
type legs struct {
	mu     sync.RWMutex
	all    map[legKey]*leg
	closed bool // no leg lingers
}

func newLegs() *legs { return &legs{all: make(map[legKey]*leg)} }

func (ls *legs) find(callID, tag string) *leg {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	return ls.all[legKey{callID, tag}]
}

// open finds or makes a leg whose numbering starts after cseq.
func (ls *legs) open(callID, tag string, cseq uint32, policy sessiontimer.Policy) *leg {
	key := legKey{callID, tag}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.all[key]
	if l == nil {
		l = &leg{key: key, policy: policy, lastCSeq: cseq}
		ls.all[key] = l
	}
	if l.linger != nil {
		l.linger.Stop()
		l.linger = nil
	}
	return l
}

// resume finds the leg of a stored dialog, or makes it anew in a process that
// did not see the call begin.
func (ls *legs) resume(d dialogstore.Dialog) *leg {
	l := ls.find(d.CallID, d.LocalTag)
	if l == nil {
		l = ls.open(d.CallID, d.LocalTag, d.LocalCSeq, d.Policy)
	}
	l.join(d.RemoteTag)
	return l
}

func (ls *legs) drop(l *leg) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.all[l.key] == l {
		delete(ls.all, l.key)
	}
}

// dropLater keeps a leg for as long as transactions may still refer to it: a BYE
// that is challenged must be numbered, a BYE that crosses ours answered.
func (ls *legs) dropLater(l *leg) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.all[l.key] != l {
		return
	}
	if ls.closed {
		delete(ls.all, l.key)
		return
	}
	if l.linger != nil {
		l.linger.Stop()
	}
	var timer *time.Timer
	timer = time.AfterFunc(64*sip.T1, func() {
		ls.mu.Lock()
		defer ls.mu.Unlock()
		if l.linger == timer && ls.all[l.key] == l { // nobody took it up meanwhile
			delete(ls.all, l.key)
		}
	})
	l.linger = timer
}

// close drops the legs that linger. The others stay, so that what their calls
// still send is numbered on.
func (ls *legs) close() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.closed = true
	for _, l := range ls.all {
		if l.linger != nil {
			l.linger.Stop()
			delete(ls.all, l.key)
		}
	}
}

func (ls *legs) len() int {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	return len(ls.all)
}
