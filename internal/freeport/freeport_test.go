package freeport

import (
	"net"
	"testing"
)

func TestTake(t *testing.T) {
	taken := make(map[int]bool)
	for range 3 {
		port := Take(t)
		if port < first || port > last+7 || taken[port] {
			t.Errorf("port %d, after %v", port, taken)
		}
		taken[port] = true
	}
}

// A port where somebody listens is passed over.
func TestTakenByAnother(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		addr := Addr(t)
		tcp, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		port := tcp.Addr().(*net.TCPAddr).Port
		if network == "udp" {
			_ = tcp.Close()
		} else {
			_ = udp.Close()
		}
		if free(port) {
			t.Errorf("a port that is taken for %s counts as free", network)
		}
		_ = tcp.Close()
		_ = udp.Close()
		if !free(port) {
			t.Error("a port that was closed does not count as free")
		}
	}
}
