package diagotimer_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/diago"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

var names = map[string]string{phoneAddr: "phone", otherAddr: "other"}

// rows are the messages from since on that tell of refreshes and the end.
func rows(n *sipnet.Network, from int) []string { return sipnet.Rows(names, n.Messages()[from:]) }

// connect brings a phone and a sipgo user agent into a call, which role says
// who begins: the caller or the callee is diago.
func connect(t *testing.T, n *sipnet.Network, p *phone, u *sipua.UA, role string) *session {
	t.Helper()
	if p.transport == "tcp" {
		n.ConnectTCP(phoneAddr, otherAddr)
		synctest.Wait()
	}
	if role == "caller" {
		d, err := p.invite(context.Background(), diago.InviteClientOptions{})
		if err != nil {
			t.Fatalf("diago's call failed: %v", err)
		}
		synctest.Wait()
		return d
	}
	uri := phoneURI(p.transport)
	if _, err := u.TryURI(context.Background(), uri); err != nil {
		t.Fatalf("the call to diago failed: %v", err)
	}
	synctest.Wait()
	return p.answered()
}

// TestCallOfHalfAnHour proves D-01, D-02, D-05 and C-03 through diago: in each
// role and over each transport the party that was agreed on refreshes, and the
// call outlives its interval.
func TestCallOfHalfAnHour_D01_D02(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		for _, role := range []string{"caller", "callee"} {
			for _, who := range []sessiontimer.Refresher{sessiontimer.Local, sessiontimer.Peer} {
				t.Run(fmt.Sprintf("%s/%s/%s", transport, role, who), func(t *testing.T) {
					bubble.Test(t, func(t *testing.T) { halfAnHour(t, transport, role, who) })
				})
			}
		}
	}
}

func halfAnHour(t *testing.T, transport, role string, who sessiontimer.Refresher) {
	n := sipnet.New()
	p := newPhone(t, n, transport, middleware.WithRefresher(who), middleware.WithSessionExpires(600*time.Second))
	u := sipua.New(t, n, "other", otherAddr, transport, peerOptions(who)...)
	defer p.stop(u)
	c := connect(t, n, p, u, role)
	before := len(n.Messages())

	time.Sleep(30*time.Minute - time.Second)

	from, to := "phone", "other"
	if who == sessiontimer.Peer {
		from, to = to, from
	}
	var wantRows []string
	for i := 1; i <= 5; i++ {
		wantRows = append(wantRows,
			fmt.Sprintf("%d.000s %s->%s UPDATE | Session-Expires: 600;refresher=uac", i*300, from, to),
			fmt.Sprintf("%d.000s %s->%s 200 OK (UPDATE) | Session-Expires: 600;refresher=uac", i*300, to, from))
	}
	if diff := cmp.Diff(wantRows, rows(n, before)); diff != "" {
		t.Errorf("half an hour of a call with 600 s, %s refreshing, differs (-want +got):\n%s", from, diff)
	}
	if err := c.Hangup(context.Background()); err != nil {
		t.Errorf("Hangup after refreshes: %v", err)
	}
	_ = c.Close()
	synctest.Wait()
	p.wantOver(c)
	sipnet.CheckCSeq(t, n.Messages())
}

// peerOptions make the other party wish 600 s and what the phone does.
func peerOptions(who sessiontimer.Refresher) []middleware.Option {
	opts := []middleware.Option{middleware.WithSessionExpires(600 * time.Second)}
	if who == sessiontimer.Peer {
		opts = append(opts, middleware.WithRefresher(sessiontimer.Local))
	}
	return opts
}

// TestCallOfADay: 48 refreshes and the call still stands (trap 23).
func TestCallOfADay_Trap23(t *testing.T) {
	for _, role := range []string{"caller", "callee"} {
		t.Run(role, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				n := sipnet.New()
				p := newPhone(t, n, "udp")
				u := sipua.New(t, n, "other", otherAddr, "udp")
				defer p.stop(u)
				c := connect(t, n, p, u, role)

				time.Sleep(24*time.Hour + time.Minute)

				if err := c.Context().Err(); err != nil {
					t.Errorf("the call ended within a day: %v", context.Cause(c.Context()))
				}
				updates := 0
				for _, m := range n.Messages() {
					if sipnet.Label(m.SIP) == "UPDATE" {
						updates++
					}
				}
				if updates != 96 {
					t.Errorf("%d UPDATEs in 24 h of 1800 s, want 96, one each 900 s", updates)
				}
				if err := c.Hangup(context.Background()); err != nil {
					t.Errorf("Hangup after a day: %v", err)
				}
				_ = c.Close()
				synctest.Wait()
				p.wantOver(c)
				sipnet.CheckCSeq(t, n.Messages())
			})
		})
	}
}
