package middleware_test

import (
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// H-03: if a peer answers each UPDATE late, refreshes go out that much earlier, but not
// earlier each time, even if its answers have no Session-Expires.
func TestSlowAnswersDoNotAddUp(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer []string // to the INVITE and each UPDATE
		delay  time.Duration
		want   time.Duration
	}{
		{"silent", []string{allow}, 4 * time.Second, 45 * time.Second},
		{"silent and in time", []string{allow}, 0, 45 * time.Second},
		{"says it", []string{allow, "Session-Expires: 90;refresher=uac"}, 4 * time.Second, 45 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(middleware.WithMode(sessiontimer.Always), middleware.WithSessionExpires(90*time.Second)), l.peer()
				d := l.callPeer(alice, p, c.answer...)
				l.plays(p, 1800*time.Second, func(*sip.Request) []string {
					time.Sleep(c.delay)
					return append([]string{"200 OK"}, c.answer...)
				})
				l.wantAlive("alice", d)
				sent := make(map[string]bool)
				var gaps []time.Duration
				last := time.Duration(0)
				for _, m := range l.requests(aliceAddr, "UPDATE") {
					if branch := m.SIP.Via().Params.GetOr("branch", ""); !sent[branch] {
						sent[branch] = true
						gaps, last = append(gaps, m.At-last), m.At
					}
				}
				for i, gap := range gaps {
					if gap != c.want {
						l.Fatalf("refresh %d of %d is sent %v after the one before, want %v", i+1, len(gaps), gap, c.want)
					}
				}
				if len(gaps) < 30 {
					l.Errorf("%d refreshes in half an hour of 90 s, want one each %v", len(gaps), c.want)
				}
			})
		})
	}
}
