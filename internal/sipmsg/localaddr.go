package sipmsg

import (
	"net"

	"github.com/emiago/sipgo/sip"
)

// LocalAddr returns our address of a connection as host:port; empty if unknown.
func LocalAddr(conn sip.Connection) string {
	if conn == nil {
		return ""
	}
	a := conn.LocalAddr()
	if a == nil {
		return ""
	}
	addr := a.String()
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return ""
	}
	return addr
}
