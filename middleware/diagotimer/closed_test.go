package diagotimer_test

import (
	"context"
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

// TestClosedWithoutHangup: a dialog that the application closed without hanging up,
// and that diago has dropped, is not kept alive by us: when its refresh is due it is
// ended. Since v0.42 diago keeps a call that it made, so that it goes on, and can still
// be hung up.
func TestClosedWithoutHangup(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := sipnet.New()
		p := newPhone(t, n, "udp", middleware.WithRefresher(sessiontimer.Local), middleware.WithSessionExpires(600*time.Second))
		u := sipua.New(t, n, "other", otherAddr, "udp", peerOptions(sessiontimer.Local)...)
		defer p.stop(u)
		c := connect(t, n, p, u, "caller")
		if err := c.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		want := []string{
			`300.000s phone->other BYE | Reason: SIP;cause=408;text="Dialog closed"`,
			`300.000s other->phone 200 OK (BYE)`,
		}
		kept := false
		_ = p.dg.DialogCacheClient().DialogRange(context.Background(), func(string, *diago.DialogClientSession) bool {
			kept = true
			want = []string{
				`300.000s phone->other UPDATE | Session-Expires: 600;refresher=uac`,
				`300.000s other->phone 200 OK (UPDATE) | Session-Expires: 600;refresher=uac`,
			}
			return true
		})
		before := len(n.Messages())
		time.Sleep(301 * time.Second)
		synctest.Wait()

		got := sipnet.Rows(map[string]string{phoneAddr: "phone", otherAddr: "other"}, n.Messages()[before:])
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("what follows on Close differs (-want +got):\n%s", diff)
		}
		if err := c.Hangup(context.Background()); kept && err != nil {
			t.Errorf("Hangup of a call that was closed: %v", err)
		}
		synctest.Wait()
		p.wantIdle()
		sipnet.CheckCSeq(t, n.Messages())
	})
}
