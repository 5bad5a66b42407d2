package middleware_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// nameServer is a DNS server in memory that knows the peer by every name, until it falls
// silent.
type nameServer struct{ silent atomic.Bool }

// dial is the Dial of a net.Resolver.
func (s *nameServer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if s.silent.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	client, server := net.Pipe()
	go serveNames(server)
	return client, nil
}

// serveNames answers queries on a stream (RFC 1035 §4.2.2) until it closes.
func serveNames(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for {
		length := make([]byte, 2)
		if _, err := io.ReadFull(conn, length); err != nil {
			return
		}
		msg := make([]byte, binary.BigEndian.Uint16(length))
		if _, err := io.ReadFull(conn, msg); err != nil {
			return
		}
		end := 12 // of the header; the question follows
		for msg[end] != 0 {
			end += 1 + int(msg[end])
		}
		end += 5
		isA := msg[end-3] == 1
		reply := append([]byte{msg[0], msg[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, msg[12:end]...)
		if isA {
			reply[7] = 1
			reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 10, 0, 0, 9)
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}

// A DNS server that falls silent: the ACK of our re-INVITE and the next refresh reach the
// peer where its messages come from, and Close waits for neither.
func TestSilentNameServer(t *testing.T) {
	for _, closed := range []time.Duration{0, 900*time.Second + sip.T1/2, 1801 * time.Second} { // not, during the ACK, during the refresh
		inLab(t, func(l *lab) {
			names := new(nameServer)
			alice, p := l.alice(middleware.WithMethod(sessiontimer.MethodReInvite)), l.peer()
			alice.Names.Dial = names.dial
			const contact = "Contact: <sip:peer@peer.example>"
			d := l.callPeer(alice, p, ours, contact)
			l.at(900 * time.Second)
			invite := p.ExpectRequest(l, sip.INVITE)
			names.silent.Store(true)
			p.Reply(invite, 200, "OK", ours, contact)
			stop := func() {
				begun := time.Now()
				if err := alice.Timers.Close(); err != nil || time.Since(begun) > 0 {
					l.Errorf("Close takes %v: %v", time.Since(begun), err)
				}
			}
			if closed > 0 && closed < 901*time.Second {
				l.at(closed)
				stop()
				return
			}
			l.at(900*time.Second + sip.T1)
			p.ExpectRequest(l, sip.ACK)
			if since := time.Since(stored(alice)[0].Session.Since); since > sip.T1 {
				l.Errorf("T1 after its 2xx the session counts from %v ago", since)
			}
			if closed > 0 {
				l.at(closed)
				stop()
				return
			}
			l.at(1800*time.Second + 64*sip.T1 + time.Second)
			l.refreshedBy(p, sip.INVITE, contact)
			l.wantAlive("alice", d)
			if got, want := stored(alice)[0].Answered, peerAddr; got != want {
				l.Errorf("the place that answered is %q, want %q", got, want)
			}
		})
	}
}
