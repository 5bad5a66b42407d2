package sipnet

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

func TestPacketConnDeadlines(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New()
		defer n.Close()
		a, b := n.PacketConn(alice), n.PacketConn(bob)
		start := time.Now()
		_ = a.SetReadDeadline(start.Add(2 * time.Second))

		_, _, err := a.ReadFrom(make([]byte, 10))
		var timeout net.Error
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("read returned %v, want a timeout", err)
		}
		if got := time.Since(start); got != 2*time.Second {
			t.Errorf("read returned after %s, want 2s", got)
		}

		write(t, b, alice, "hello")
		if _, _, err := a.ReadFrom(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read returned %v, want the passed deadline to win over the datagram", err)
		}
		_ = a.SetDeadline(time.Time{})
		if got, want := read(a), bob+" hello"; got != want {
			t.Errorf("read %q without deadline, want %q", got, want)
		}

		// A deadline set while a read waits holds for that read.
		time.AfterFunc(time.Second, func() { _ = a.SetReadDeadline(time.Now()) })
		if _, _, err := a.ReadFrom(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("waiting read returned %v, want a timeout", err)
		}
	})
}

func TestClosedEndpoints(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New()
		a, b, l := n.PacketConn(alice), n.PacketConn(bob), n.Listener(alice)
		errs := make(chan error, 2)
		go func() { _, _, err := a.ReadFrom(make([]byte, 10)); errs <- err }()
		go func() { _, err := l.Accept(); errs <- err }()
		synctest.Wait()
		if err := b.Close(); err != nil {
			t.Errorf("Close = %v, want nil", err)
		}
		n.PacketConn(bob) // the address is free again
		n.Close()
		n.Close()
		_, errWrite := a.WriteTo([]byte("x"), b.LocalAddr())
		_, errLate := n.Listener(bob).Accept()
		_, _, errOpen := n.PacketConn(bob).ReadFrom(nil)
		for i, err := range []error{<-errs, <-errs, b.Close(), errWrite, errLate, errOpen, a.SetReadDeadline(time.Now())} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("error %d is %v, want net.ErrClosed", i, err)
			}
		}
	})
}

// Equal delays keep the order; a shorter delay overtakes on UDP.
func TestDatagramOrder(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New()
		defer n.Close()
		a, b := n.PacketConn(alice), n.PacketConn(bob)
		n.SetFilter(func(p Packet) Verdict {
			if string(p.Data) == "quick" {
				return Verdict{}
			}
			return Verdict{Delay: time.Second}
		})
		want := []string{bob + " quick"}
		for i := range 20 {
			text := string(rune('a' + i))
			write(t, b, alice, text)
			want = append(want, bob+" "+text)
		}
		write(t, b, alice, "quick")
		var got []string
		for range want {
			got = append(got, read(a))
		}
		if !slices.Equal(got, want) {
			t.Errorf("read %q, want %q", got, want)
		}
	})
}

func TestDuplicate(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New()
		defer n.Close()
		a, b := n.PacketConn(alice), n.PacketConn(bob)
		n.SetFilter(func(Packet) Verdict { return Verdict{Duplicate: true} })
		write(t, b, alice, "one")
		write(t, b, alice, "two")
		for _, want := range []string{"one", "one", "two", "two"} {
			if got := read(a); got != bob+" "+want {
				t.Errorf("read %q, want %q", got, want)
			}
		}
		near, far := connect(t, n)
		_, _ = near.Write([]byte("twice "))
		_ = near.Close()
		if got, err := io.ReadAll(far); string(got) != "twice twice " || err != nil {
			t.Errorf("read %q, %v from the stream", got, err)
		}
	})
}

// A closed listener frees its address and closes what nobody accepted.
func TestListenerClose(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New()
		defer n.Close()
		la, lb := n.Listener(alice), n.Listener(bob)
		n.ConnectTCP(alice, bob)
		far, err := lb.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if err := la.Close(); err != nil {
			t.Errorf("Close = %v, want nil", err)
		}
		if err := la.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second Close = %v, want net.ErrClosed", err)
		}
		if _, err := far.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("Read = %v, want io.EOF", err)
		}
		n.Listener(alice)
	})
}

// What cannot mean anything is refused loudly.
func TestMisuse(t *testing.T) {
	n := New()
	defer n.Close()
	n.Listener(alice)
	peer := n.Peer(alice)
	for name, f := range map[string]func(){
		"udp address in use":        func() { n.PacketConn(alice) },
		"tcp address in use":        func() { n.Listener(alice) },
		"malformed address":         func() { n.PacketConn("alice") },
		"no listener":               func() { n.ConnectTCP(alice, bob) },
		"request without dialog":    func() { peer.Request("BYE") },
		"cancel without invite":     func() { peer.Cancel() },
		"peer sends to a host name": func() { peer.Send("example.com:5060", optionsRaw(1)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func connect(t *testing.T, n *Network) (near, far net.Conn) {
	t.Helper()
	la, lb := n.Listener(alice), n.Listener(bob)
	n.ConnectTCP(alice, bob)
	near, errA := la.Accept()
	far, errB := lb.Accept()
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	return near, far
}

func TestStream(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New()
		defer n.Close()
		near, far := connect(t, n)
		if near.LocalAddr().String() != alice || near.RemoteAddr().String() != bob ||
			far.LocalAddr().String() != bob || far.RemoteAddr().String() != alice {
			t.Errorf("ends are %s-%s and %s-%s", near.LocalAddr(), near.RemoteAddr(), far.LocalAddr(), far.RemoteAddr())
		}
		_ = near.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v, want a timeout", err)
		}

		// The first write is delayed: neither the second nor the end overtakes it.
		delay := 3 * time.Second
		n.SetFilter(func(Packet) Verdict { d := delay; delay = 0; return Verdict{Delay: d} })
		start := time.Now()
		_, _ = near.Write([]byte("one "))
		_, _ = near.Write([]byte("two"))
		_ = near.Close()
		buf := make([]byte, 3)
		k, err := io.ReadFull(far, buf)
		if string(buf[:k]) != "one" || err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("read %q, %v after %s", buf[:k], err, time.Since(start))
		}
		rest, err := io.ReadAll(far)
		if string(rest) != " two" || err != nil {
			t.Errorf("the rest is %q, %v; want %q to the end", rest, err, " two")
		}
		if _, err := near.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after Close = %v, want net.ErrClosed", err)
		}
	})
}

// A silent end closes without the other being told.
func TestSilentStream(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New()
		defer n.Close()
		near, far := connect(t, n)
		n.Silence(alice)
		_, _ = near.Write([]byte("x"))
		_ = near.Close()
		_ = far.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v, want a timeout", err)
		}
	})
}

func TestTap(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New()
		defer n.Close()
		b := n.PacketConn(bob)
		var seen []string
		tap := TapPacketConn(n.PacketConn(alice), func(from, to string, data []byte, dropped bool) {
			verb := " sends "
			if dropped {
				verb = " loses "
			}
			seen = append(seen, names[from]+verb+string(data)+" to "+names[to])
		})
		write(t, tap, bob, "one")
		write(t, b, alice, "answer")
		if got, want := read(tap), bob+" answer"; got != want {
			t.Errorf("read %q, want %q", got, want)
		}
		tap.Silence()
		write(t, tap, bob, "two")
		write(t, b, alice, "unheard")
		_ = tap.SetReadDeadline(time.Now().Add(time.Second))
		if _, _, err := tap.ReadFrom(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("silent tap read %v, want a timeout", err)
		}
		_ = b.SetReadDeadline(time.Now().Add(time.Second))
		if got, want := read(b), alice+" one"; got != want {
			t.Errorf("bob read %q, want %q", got, want)
		}
		if _, _, err := b.ReadFrom(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("bob read %v, want nothing from the silent tap", err)
		}
		want := []string{"alice sends one to bob", "alice loses two to bob"}
		if !slices.Equal(seen, want) {
			t.Errorf("seen %q, want %q", seen, want)
		}
	})
}
