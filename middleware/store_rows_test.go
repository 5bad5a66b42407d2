package middleware_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// A stored dialog may be damaged, or from another program: its call is refreshed as far as
// possible, and no other is affected.
func TestStoredRows(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(d *dialogstore.Dialog)
		want   []time.Duration // refreshes
		last   string          // Session-Expires of the last
	}{
		{"as it was", func(*dialogstore.Dialog) {}, []time.Duration{45 * time.Second, 115 * time.Second}, "90;refresher=uac"},
		{"no policy", func(d *dialogstore.Dialog) { d.Policy = sessiontimer.Policy{} }, []time.Duration{45 * time.Second, 115 * time.Second}, "90;refresher=uac"},
		{"a policy of another program", func(d *dialogstore.Dialog) { d.Policy.SessionExpires = -1 }, []time.Duration{45 * time.Second, 115 * time.Second}, "90;refresher=uac"},
		{"version 0", func(d *dialogstore.Dialog) { d.Version = 0 }, []time.Duration{45 * time.Second, 115 * time.Second}, "90;refresher=uac"},
		{"version 2^64-1", func(d *dialogstore.Dialog) { d.Version = math.MaxUint64 }, []time.Duration{45 * time.Second, 115 * time.Second}, "90;refresher=uac"},
		{"a line end in Contact", func(d *dialogstore.Dialog) { d.Contact += "\r\nX-Injected: 1" }, nil, ""},
		{"a line end in a route", func(d *dialogstore.Dialog) { d.RouteSet = []string{"<sip:10.0.0.9;lr>\nX-Injected: 1"} }, nil, ""},
		{"a line end in Call-ID", func(d *dialogstore.Dialog) { d.CallID += "\r\n" }, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				policy := middleware.WithSessionExpires(90 * time.Second)
				bob, p := l.bob(policy), l.peer()
				l.peerCalls(p, bob, timerHeader, allow, "Session-Expires: 90;refresher=uas")
				bob.Kill()
				l.uas = nil
				var rows []dialogstore.Dialog
				for d := range bob.Timers.Store().All(context.Background()) {
					c.damage(&d)
					rows = append(rows, d)
				}
				bob = l.bob(policy, on(leftBehind(l, rows...)))
				for l.net.Elapsed() < 115*time.Second {
					msg, ok := p.Recv(time.Second)
					if req, is := msg.(*sip.Request); ok && is && req.Method == sip.UPDATE {
						p.Reply(req, 200, "OK", timerHeader, "Session-Expires: 90;refresher=uac")
					}
					// Its own request comes in between, and ours waits.
					if now := l.net.Elapsed(); now >= 70*time.Second && now < 71*time.Second && c.want != nil {
						p.Request(sip.UPDATE, timerHeader, "Session-Expires: 90;refresher=uas")
						time.Sleep(time.Second)
					}
				}
				synctest.Wait()
				l.wantSent(bobAddr, sip.UPDATE, c.want...)
				var last string
				for _, m := range l.requests(bobAddr, "UPDATE") {
					last = field(m.SIP, "Session-Expires")
				}
				if last != c.last {
					l.Errorf("the last refresh has Session-Expires %q, want %q", last, c.last)
				}
				for d := range bob.Timers.Store().All(context.Background()) {
					if age := time.Since(d.Session.Since); c.want != nil && age > time.Minute {
						l.Errorf("the session of the row is %v old, want it as it is", age)
					}
				}
				for _, e := range events(bob) {
					if e != "Refreshed" && e != "TakenOver" {
						l.Errorf("%s is told: the call is not new, and lives", e)
					}
				}
			})
		})
	}
}
