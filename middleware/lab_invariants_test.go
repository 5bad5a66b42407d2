package middleware_test

import (
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// inForce is the session of the latest 2xx on the wire.
type inForce struct {
	sessiontimer.Session
	refresher string // address
	tries     int    // refreshes sent since
}

// timer reports whether the call has had a session timer; without one nothing detects a
// silent peer.
func (f *findings) timer(msgs []sipnet.Message) bool {
	for _, m := range msgs {
		if res, ok := m.SIP.(*sip.Response); ok && res.IsSuccess() && fieldsOf(res).HasSessionExpires || sipnet.Label(m.SIP) == "BYE" {
			return true
		}
	}
	return false
}

// check checks the messages on the wire.
func (f *findings) check() {
	sipnet.CheckCSeq(f, f.wire)
	var now inForce
	asked := make(map[string]sessiontimer.Fields) // by branch
	seen := make(map[string]bool)
	roles := make(map[string]bool)
	for _, m := range f.wire {
		branch := m.SIP.Via().Params.GetOr("branch", "")
		f.checkFields(m, asked[branch])
		key := m.From + sipnet.Label(m.SIP) + branch
		if seen[key] {
			continue
		}
		seen[key] = true
		switch msg := m.SIP.(type) {
		case *sip.Request:
			if now.Interval > 0 && m.At < f.ended && m.At >= now.givesUp() {
				f.Errorf("%v: the session should have been refreshed by %v", m.At, now.givesUp())
			}
			asked[branch] = fieldsOf(msg)
			f.checkRequest(m, msg, &now)
		case *sip.Response:
			if fields := fieldsOf(msg); msg.IsSuccess() && (msg.CSeq().MethodName == sip.INVITE || msg.CSeq().MethodName == sip.UPDATE) {
				now = settled(m, fields)
				if now.refresher != "" {
					roles[now.refresher] = true
				}
			}
		}
	}
	if len(roles) > 1 {
		f.Errorf("the refresher changed, want it to stay who it was at first")
	}
}

// checkRequest checks the refresher, the rate of refreshes, and the time of the hang-up.
func (f *findings) checkRequest(m sipnet.Message, req *sip.Request, now *inForce) {
	refresh := (req.Method == sip.INVITE || req.Method == sip.UPDATE) && req.To().Params.Has("tag") && req.GetHeader(fromApplication) == nil
	switch reason := field(req, "Reason"); {
	case refresh && m.From != now.refresher:
		f.Errorf("%v: %s refreshes, but %s should", m.At, names[m.From], names[now.refresher])
	case refresh:
		if now.tries++; now.tries > 3 && m.At < f.ended {
			f.Errorf("%v: attempt %d within one interval, want 3 at most", m.At, now.tries)
		}
	case strings.Contains(reason, "expired") && m.At < now.givesUp():
		f.Errorf("%v: BYE before the session expires, want none before %v", m.At, now.givesUp())
	case reason != "" && m.At < f.ended:
		f.Errorf("%v: BYE for %s while both sides live", m.At, reason)
	}
}

// checkFields checks Session-Expires and Min-SE.
func (f *findings) checkFields(m sipnet.Message, asked sessiontimer.Fields) {
	fields := fieldsOf(m.SIP)
	got := fields.SessionExpires.Interval
	if fields.HasSessionExpires && got < sessiontimer.Floor || fields.MinSE > 0 && fields.MinSE < sessiontimer.Floor {
		f.Errorf("%v: below the floor: %s", m.At, sipnet.Timers(m.SIP))
	}
	if !fields.HasSessionExpires {
		return
	}
	if _, ok := m.SIP.(*sip.Request); ok {
		if got < fields.MinSE {
			f.Errorf("%v: Session-Expires below the request's own Min-SE: %s", m.At, sipnet.Timers(m.SIP))
		}
		return
	}
	if asked.HasSessionExpires && got > asked.SessionExpires.Interval || got < asked.MinSE {
		f.Errorf("%v: asked for %v, at least %v, answered %v", m.At, asked.SessionExpires.Interval, asked.MinSE, got)
	}
}

// settled returns the session of a 2xx first sent at m.At.
func settled(m sipnet.Message, fields sessiontimer.Fields) inForce {
	if !fields.HasSessionExpires {
		return inForce{}
	}
	now := inForce{Session: sessiontimer.Session{
		Interval: fields.SessionExpires.Interval, Refresher: sessiontimer.Peer, Since: time.Time{}.Add(m.At),
	}, refresher: m.From}
	if fields.SessionExpires.Refresher == sessiontimer.UAC {
		now.refresher = m.To
	}
	return now
}

// givesUp returns the earliest time at which the waiting party gives up.
func (i inForce) givesUp() time.Duration { return i.HangupAt().Sub(time.Time{}) }

func fieldsOf(m sip.Message) sessiontimer.Fields {
	var f sessiontimer.Fields
	for _, name := range []string{"Session-Expires", "Min-SE"} {
		for _, v := range values(m, name) {
			f.Add(name, v)
		}
	}
	return f
}
