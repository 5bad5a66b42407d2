package providers

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// refusedByRequire are the providers whose INVITE does not list timer.
func refusedByRequire() (names []string) {
	for _, g := range groups {
		for _, p := range g.profiles {
			if p.calls != nil && !listsTimer(p.calls) {
				names = append(names, p.name)
			}
		}
	}
	return names
}

// TestRequire has each provider call a user agent that requires timers: 421 for those
// that docs/providers.md names, 200 for the others.
func TestRequire(t *testing.T) {
	refused := refusedByRequire()
	for _, g := range groups {
		for _, p := range g.profiles {
			if p.calls == nil {
				continue
			}
			t.Run(p.name, func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					s := newStage(t, p, false, []middleware.Option{middleware.WithMode(sessiontimer.Require)})
					defer sipua.Stop(s.net, s.us)
					want := 200
					if slices.Contains(refused, p.name) {
						want = 421
					}
					s.peer.Invite(s.uri(), s.lines...)
					s.peer.Ack(s.peer.ExpectResponse(t, want))
					synctest.Wait()
				})
			})
		}
	}
}
