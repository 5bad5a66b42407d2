package diagotimer_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// TestPeerVanishes: a call whose peer is gone ends for diago as one that was
// hung up, a margin before expiry if the peer was to refresh (F-01), after a
// refresh that nobody answered if we were (F-03).
func TestPeerVanishes_F01_F03_F22(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		for _, role := range []string{"caller", "callee"} {
			for who, end := range map[sessiontimer.Refresher]time.Duration{
				sessiontimer.Local: 300*time.Second + 64*sip.T1,
				sessiontimer.Peer:  600*time.Second - 32*time.Second,
			} {
				t.Run(fmt.Sprintf("%s/%s/%s", transport, role, who), func(t *testing.T) {
					bubble.Test(t, func(t *testing.T) { vanish(t, transport, role, who, end) })
				})
			}
		}
	}
}

func vanish(t *testing.T, transport, role string, who sessiontimer.Refresher, end time.Duration) {
	n := sipnet.New()
	p := newPhone(t, n, transport, middleware.WithRefresher(who), middleware.WithSessionExpires(600*time.Second))
	u := sipua.New(t, n, "other", otherAddr, transport, peerOptions(who)...)
	defer p.stop(u)
	c := connect(t, n, p, u, role)
	over := watch(n, c)
	n.Silence(otherAddr)

	time.Sleep(end - time.Nanosecond)
	if len(over) > 0 {
		t.Errorf("diago's call ended %v after the answer, want it to live until %v", <-over, end)
	}
	time.Sleep(time.Nanosecond)
	synctest.Wait()
	if len(over) != 1 || <-over != end {
		t.Errorf("the context of diago's call is not cancelled %v after the answer", end)
	}
	wantSilent(t, c)
	wantHangupAtOnce(t, c)
	_ = c.Close()
	p.wantOver(c)
	byes := 0
	for _, row := range rows(n, 0) {
		if strings.Contains(row, "phone->other BYE") {
			byes++
			wantRow := fmt.Sprintf("%.3fs phone->other BYE (lost) | Reason: SIP;cause=408;text=", end.Seconds())
			if byes == 1 && !strings.HasPrefix(row, wantRow) {
				t.Errorf("the BYE is %q, want %q…", row, wantRow)
			}
		}
	}
	if byes == 0 {
		t.Error("no BYE was sent to the peer that vanished")
	}
	time.Sleep(64 * sip.T1)
	last := p.told()
	wantEvents := []string{
		fmt.Sprintf("%.3fs Expired 10m0s %s", end.Seconds(), who),
		fmt.Sprintf("%.3fs Ended 10m0s %s", end.Seconds(), who),
	}
	if diff := cmp.Diff(wantEvents, last[max(len(last)-2, 0):]); diff != "" {
		t.Errorf("the last events differ (-want +got):\n%s", diff)
	}
	sipnet.CheckCSeq(t, n.Messages())
}

// watch tells when the context of a call ends.
func watch(n *sipnet.Network, c *session) (over chan time.Duration) {
	over = make(chan time.Duration, 1)
	start := n.Elapsed()
	go func() {
		<-c.Context().Done()
		over <- n.Elapsed() - start
	}()
	synctest.Wait()
	return over
}
