//go:build interop

package interop

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/freeport"
)

// freePort returns the first of eight ports: several peers take the next for TLS, and
// others are for media.
func freePort(t *testing.T) int { return freeport.Take(t) }

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
