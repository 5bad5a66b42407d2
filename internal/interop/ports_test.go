//go:build interop

package interop

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// ports hands out port numbers of five digits, which the relay can write in place
// of others of its own. They lie below those that the system picks by itself, and
// begin elsewhere in each run.
var ports = struct {
	sync.Mutex
	next int
}{next: 10000 + os.Getpid()%250*80}

const lastPort = 31990

// freePort is free for UDP and TCP on loopback. The seven after it belong to its
// owner, too: several peers take the next for TLS, and others are for media.
func freePort(t *testing.T) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range 2000 {
		port := ports.next
		if ports.next += 8; ports.next > lastPort {
			ports.next = 10000
		}
		if isFree(port) && isFree(port+1) && isFree(port+2) {
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func isFree(port int) bool {
	addr := net.JoinHostPort("127.0.0.1", itoa(port))
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

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", itoa(port)) }

func itoa(n int) string { return strconv.Itoa(n) }

// awaitListener waits until somebody has the port. It asks the system, since to
// try the port would take it away.
func awaitListener(t *testing.T, transport string, port int) {
	t.Helper()
	want := fmt.Sprintf(":%04X ", port)
	for range 200 {
		for _, table := range []string{transport, transport + "6"} {
			text, _ := os.ReadFile("/proc/net/" + table)
			for line := range strings.Lines(string(text)) {
				fields := strings.Fields(line)
				listens := len(fields) > 3 && (transport == "udp" || fields[3] == "0A")
				if listens && strings.HasSuffix(fields[1]+" ", want) {
					return
				}
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("nobody listens on port %d", port)
}
