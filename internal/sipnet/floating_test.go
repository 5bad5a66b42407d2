package sipnet

import (
	"net"
	"testing"
	"testing/synctest"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// One process at a time has a floating address: it receives, and what the other one sends is
// lost. Closing gives it up.
func TestFloatingAddress(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New()
		defer n.Close()
		n.Float("10.0.0.1:5060")
		a, b, peer := n.PacketConn("10.0.0.1:5060"), n.PacketConn("10.0.0.1:5060"), n.PacketConn("10.0.0.2:5060")
		got := make(chan string, 100)
		for name, c := range map[string]net.PacketConn{"a": a, "b": b, "peer": peer} {
			go func() {
				buf := make([]byte, 100)
				for {
					m, _, err := c.ReadFrom(buf)
					if err != nil {
						return
					}
					got <- name + " got " + string(buf[:m])
				}
			}()
		}
		write := func(from, to net.PacketConn, text, want string) {
			t.Helper()
			if _, err := from.WriteTo([]byte(text), to.LocalAddr()); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			is := ""
			if len(got) > 0 {
				is = <-got
			}
			if is != want {
				t.Errorf("%q: %q, want %q", text, is, want)
			}
		}
		write(peer, a, "before anybody has it", "")
		n.Move(a)
		write(peer, a, "1", "a got 1")
		write(a, peer, "2", "peer got 2")
		write(b, peer, "3", "")
		n.Move(b)
		write(peer, a, "4", "b got 4")
		write(a, peer, "5", "")
		write(b, peer, "6", "peer got 6")
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		write(peer, a, "7", "")
		n.Move(b)
		write(peer, a, "8", "")
		n.Move(a)
		write(peer, a, "9", "a got 9")
	})
}
