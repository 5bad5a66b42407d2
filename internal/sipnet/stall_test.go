package sipnet_test

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// A write to a process that hangs waits, for its deadline, for the end of its
// stream, or until it is read again; the other way round nothing changes.
func TestStall(t *testing.T) {
	const a, b = "10.0.0.1:5060", "10.0.0.2:5060"
	for _, c := range []struct {
		name string
		end  func(n *sipnet.Network, near net.Conn)
		want error
	}{
		{"resumed", func(n *sipnet.Network, _ net.Conn) { n.Resume(b) }, nil},
		{"closed", func(_ *sipnet.Network, near net.Conn) { _ = near.Close() }, net.ErrClosed},
		{"deadline", func(_ *sipnet.Network, near net.Conn) { _ = near.SetWriteDeadline(time.Now()) }, os.ErrDeadlineExceeded},
		{"the network is closed", func(n *sipnet.Network, _ net.Conn) { n.Close() }, net.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				n := sipnet.New()
				defer n.Close()
				la, lb := n.Listener(a), n.Listener(b)
				n.ConnectTCP(a, b)
				near, _ := la.Accept()
				far, _ := lb.Accept()
				n.Stall(b)
				n.Stall(b)
				start := time.Now()
				written := make(chan error, 2)
				for range 2 {
					go func() {
						_, err := near.Write([]byte("x"))
						written <- err
					}()
				}
				if _, err := far.Write([]byte("y")); err != nil {
					t.Errorf("the process that hangs cannot write: %v", err)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if len(written) != 0 {
					t.Fatal("a write passes")
				}
				c.end(n, near)
				for range 2 {
					if err := <-written; !errors.Is(err, c.want) || time.Since(start) != time.Hour {
						t.Errorf("after %v the write says %v, want %v after an hour", time.Since(start), err, c.want)
					}
				}
				if b := make([]byte, 1); c.want == nil {
					for range 2 {
						if _, err := far.Read(b); err != nil || b[0] != 'x' {
							t.Errorf("read %q, %v", b, err)
						}
					}
				}
			})
		})
	}
}

// A dial is refused, but for a process that hangs not before it goes on.
func TestStalledDial(t *testing.T) {
	const addr = "10.0.0.2:5060"
	bubble.Test(t, func(t *testing.T) {
		n := sipnet.New()
		defer n.Close()
		if err := n.Dial(addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial: %v", err)
		}
		n.Stall(addr)
		refused := make(chan error)
		go func() { refused <- n.Dial(addr) }()
		synctest.Wait()
		select {
		case err := <-refused:
			t.Fatalf("answered: %v", err)
		default:
		}
		n.Resume(addr)
		if err := <-refused; !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial: %v", err)
		}
	})
}
