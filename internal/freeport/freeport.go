// Package freeport finds ports of loopback for tests that must know a port before
// somebody listens on it.
package freeport

import (
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
)

// The ports have five digits, lie below those that the system picks by itself, and
// begin elsewhere in each process. A port stays its owner's, also while nobody listens
// on it.
const (
	first = 10000
	last  = 31990
)

var next = struct {
	sync.Mutex
	port int
}{port: first + os.Getpid()%250*80}

// Take returns a port that is free for UDP and TCP on loopback. The seven after it
// belong to its owner, too.
func Take(t testing.TB) int {
	t.Helper()
	next.Lock()
	defer next.Unlock()
	for range 2000 {
		port := next.port
		if next.port += 8; next.port > last {
			next.port = first
		}
		if free(port) && free(port+1) && free(port+2) {
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// Addr returns 127.0.0.1 with a port of Take.
func Addr(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(Take(t)))
}

func free(port int) bool {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	udp, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	defer func() { _ = udp.Close() }()
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	_ = tcp.Close()
	return true
}
