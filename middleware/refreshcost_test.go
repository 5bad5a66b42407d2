package middleware_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
)

// A refresh reads its dialog twice at most and writes it twice at most, whether the
// process has anything of the call at hand or only the store has, and whichever of its
// attempts it is. After two refusals the third one also says that UPDATE is refused.
func TestRefreshReadsAndWrites(t *testing.T) {
	for _, c := range []struct {
		name    string
		allow   string
		answers []int
		methods []sip.RequestMethod
		last    time.Duration // in seconds: wait until then for the last one
	}{
		{"UPDATE", "Allow: UPDATE", []int{200}, []sip.RequestMethod{sip.UPDATE}, 899},
		{"re-INVITE", "Allow: INVITE", []int{200}, []sip.RequestMethod{sip.INVITE}, 899},
		{"UPDATE not known", "Allow: UPDATE", []int{501, 200}, []sip.RequestMethod{sip.UPDATE, sip.INVITE}, 900},
		{"UPDATE refused twice", "Allow: UPDATE", []int{503, 503, 200}, []sip.RequestMethod{sip.UPDATE, sip.UPDATE, sip.INVITE}, 1334},
	} {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			counts := alice.Timers.Count() // before the first message, which sees it then
			l.callPeer(alice, p, ours, c.allow)
			l.at(899 * time.Second) // half of the session, but for a second
			loaded, committed := counts.Loads.Load(), counts.Commits.Load()
			for i, status := range c.answers {
				if i > 0 && i == len(c.answers)-1 {
					l.at(c.last * time.Second)
				}
				req := p.ExpectRequest(l, c.methods[i])
				p.Reply(req, status, "", ours)
				if req.IsInvite() {
					p.ExpectRequest(l, sip.ACK)
				}
			}
			synctest.Wait()
			n := int32(len(c.answers))
			if loads, commits := counts.Loads.Load()-loaded, counts.Commits.Load()-committed; loads < n || loads > 2*n || commits < n || commits > 2*n {
				l.Errorf("%s: %d loads and %d commits of %d attempts, want 2 of each at most for each of them", c.name, loads, commits, n)
			}
		})
	}
}
