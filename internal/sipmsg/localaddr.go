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

// Addr returns the address of a socket that hostport names; ok is false if it is malformed.
func Addr(hostport string) (addr sip.Addr, ok bool) {
	host, port, err := sip.ParseAddr(hostport)
	if err != nil {
		return sip.Addr{}, false
	}
	return sip.Addr{IP: net.ParseIP(host), Port: port, Hostname: host}, true
}
