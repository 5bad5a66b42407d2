package diagotimer_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// TestClosedWithoutHangup: a dialog that the application closed without hanging
// up is not kept alive by us. When its refresh is due it is ended.
func TestClosedWithoutHangup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := sipnet.New()
		p := newPhone(t, n, "udp", middleware.WithRefresher(sessiontimer.Local), middleware.WithSessionExpires(600*time.Second))
		u := sipua.New(t, n, "other", otherAddr, "udp", peerOptions(sessiontimer.Local)...)
		defer p.stop(u)
		c := connect(t, n, p, u, "caller")
		if err := c.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		before := len(n.Messages())
		time.Sleep(301 * time.Second)
		synctest.Wait()

		want := []string{
			`300.000s phone->other BYE | Reason: SIP;cause=408;text="Dialog closed"`,
			`300.000s other->phone 200 OK (BYE)`,
		}
		got := sipnet.Rows(map[string]string{phoneAddr: "phone", otherAddr: "other"}, n.Messages()[before:])
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("a closed call is ended when its refresh is due (-want +got):\n%s", diff)
		}
		sipnet.CheckCSeq(t, n.Messages())
	})
}
