package middleware_test

import (
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// A taker sends from the socket that it listens on, whether it has the address of the
// dead node or, behind a common one, its own. A socket opened for the request would not
// be let through by whoever filters by source.
func TestTakerSendsFromItsSocket(t *testing.T) {
	for _, c := range []struct {
		name string
		opts []failover.Option
		at   time.Duration // of the taker's first refresh
	}{
		{"its own address", []failover.Option{failover.WithAddress(bobAddr)}, 66 * time.Second},
		{"a common address", nil, 90 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				registry := failover.NewMemory()
				node := func(name string, opts ...failover.Option) middleware.Option {
					return middleware.WithFailover(registry, append(opts, failover.WithName(name))...)
				}
				alice, p := l.alice(node("a")), l.peer()
				l.bob(node("b", c.opts...))
				ours := "Session-Expires: 90;refresher=uac"
				l.callPeer(alice, p, allow, timerHeader, ours)
				l.at(45 * time.Second)
				last := p.ExpectRequest(l, sip.UPDATE)
				p.Reply(last, 200, "OK", timerHeader, ours)
				l.at(60 * time.Second)
				alice.Kill()
				l.at(c.at)
				req := p.ExpectRequest(l, sip.UPDATE)
				p.Reply(req, 200, "OK", timerHeader, ours)
				if got, want := req.CSeq().SeqNo, last.CSeq().SeqNo+1001; got != want {
					l.Errorf("CSeq is %d, want %d", got, want)
				}
				if at := l.net.Elapsed(); at < c.at || at > c.at+time.Second {
					l.Errorf("the taker refreshes at %v, want %v or soon after", at, c.at)
				}
			})
		})
	}
}
