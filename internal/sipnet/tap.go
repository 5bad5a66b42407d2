package sipnet

import (
	"net"
	"sync/atomic"
)

// Tap is a packet connection that shows what is written to it and can fall
// silent. TapPacketConn makes one.
type Tap struct {
	net.PacketConn
	seen   func(from, to string, data []byte, dropped bool)
	silent atomic.Bool
}

// TapPacketConn wraps c, a real socket for example, and calls seen before each
// WriteTo, from the writing goroutine. It must not keep data.
func TapPacketConn(c net.PacketConn, seen func(from, to string, data []byte, dropped bool)) *Tap {
	return &Tap{PacketConn: c, seen: seen}
}

// Silence makes the connection discard everything read and written from now on.
// Writes are still seen, as dropped.
func (t *Tap) Silence() { t.silent.Store(true) }

// ReadFrom reads from the wrapped connection; once silent, it only returns errors.
func (t *Tap) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := t.PacketConn.ReadFrom(b)
		if err != nil || !t.silent.Load() {
			return n, from, err
		}
	}
}

// WriteTo writes to the wrapped connection; once silent, it only pretends to.
func (t *Tap) WriteTo(b []byte, to net.Addr) (int, error) {
	dropped := t.silent.Load()
	t.seen(t.LocalAddr().String(), to.String(), b, dropped)
	if dropped {
		return len(b), nil
	}
	return t.PacketConn.WriteTo(b, to)
}
