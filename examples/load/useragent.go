package main

import (
	"log/slog"
	"net"
	"runtime"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// userAgent is a sipgo user agent on a UDP socket.
type userAgent struct {
	ua      *sipgo.UserAgent
	server  *sipgo.Server
	client  *sipgo.Client
	contact sip.ContactHeader
	conn    net.PacketConn
}

// quiet is for sipgo, which warns about the normal effects of a load.
var quiet = slog.New(slog.DiscardHandler)

// socketBuffer holds datagrams that arrive while the process is busy.
const socketBuffer = 8 << 20

// listen opens a socket on loopback.
func listen() (net.PacketConn, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(socketBuffer) // as much as the system allows
	_ = conn.SetWriteBuffer(socketBuffer)
	return conn, nil
}

func newUserAgent(name string, conn net.PacketConn) (*userAgent, error) {
	addr := conn.LocalAddr().String()
	host, port, err := sip.ParseAddr(addr)
	if err != nil {
		return nil, err
	}
	u := &userAgent{conn: conn, contact: sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: name, Host: host, Port: port}}}
	u.ua, err = sipgo.NewUA(sipgo.WithUserAgent(name), sipgo.WithUserAgentHostname(host),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(quiet)))
	if err != nil {
		return nil, err
	}
	if u.server, err = sipgo.NewServer(u.ua, sipgo.WithServerLogger(quiet)); err != nil {
		return nil, err
	}
	u.client, err = sipgo.NewClient(u.ua, sipgo.WithClientLogger(quiet), sipgo.WithClientAddr(addr), sipgo.WithClientConnectionAddr(addr))
	return u, err
}

// serve reads the socket until it is closed.
func (u *userAgent) serve() {
	go func() { _ = u.server.ServeUDP(u.conn) }()
	for u.ua.TransportLayer().Pool("udp").Size() == 0 {
		runtime.Gosched()
	}
}
