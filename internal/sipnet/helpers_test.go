package sipnet

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

const (
	alice = "10.0.0.1:5060"
	bob   = "10.0.0.2:5060"
)

var names = map[string]string{alice: "alice", bob: "bob"}

// pair is a sipgo user agent at alice and one at bob, who answers OPTIONS.
type pair struct {
	net    *Network
	client *sipgo.Client
	uas    [2]*sipgo.UserAgent
	tp     string
}

func newPair(t *testing.T, transport string) *pair {
	t.Helper()
	n := New()
	p := &pair{net: n, tp: transport}
	for i, addr := range []string{alice, bob} {
		quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
		ua, err := sipgo.NewUA(
			sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(quiet)),
			sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(quiet)))
		if err != nil {
			t.Fatal(err)
		}
		srv, err := sipgo.NewServer(ua, sipgo.WithServerLogger(quiet))
		if err != nil {
			t.Fatal(err)
		}
		srv.OnOptions(func(req *sip.Request, tx sip.ServerTransaction) {
			_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
		})
		if transport == "tcp" {
			l := n.Listener(addr)
			go func() { _ = srv.ServeTCP(l) }()
		} else {
			c := n.PacketConn(addr)
			go func() { _ = srv.ServeUDP(c) }()
		}
		if i == 0 {
			p.client, err = sipgo.NewClient(ua, sipgo.WithClientConnectionAddr(addr), sipgo.WithClientHostname("10.0.0.1"))
			if err != nil {
				t.Fatal(err)
			}
		}
		p.uas[i] = ua
	}
	if transport == "tcp" {
		n.ConnectTCP(alice, bob)
	}
	synctest.Wait()
	return p
}

// close follows the order without which a bubble hangs.
func (p *pair) close() {
	synctest.Wait()
	p.net.Close()
	synctest.Wait()
	for _, ua := range p.uas {
		_ = ua.Close()
	}
	synctest.Wait()
}

// options sends OPTIONS from alice to bob and returns the status, or the error.
func (p *pair) options() string {
	var uri sip.Uri
	_ = sip.ParseUri("sip:bob@"+bob+";transport="+p.tp, &uri)
	req := sip.NewRequest(sip.OPTIONS, uri)
	req.SetTransport(strings.ToUpper(p.tp))
	res, err := p.client.Do(context.Background(), req)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(res.StatusCode)
}

// faults collects what a check reports.
type faults []string

func (f *faults) Helper()                      {}
func (f *faults) Errorf(s string, args ...any) { *f = append(*f, fmt.Sprintf(s, args...)) }
func (f *faults) Fatalf(s string, args ...any) { f.Errorf(s, args...) }
func (f *faults) text() string                 { return strings.Join(*f, "\n") }

// read reads one datagram and returns it, or the error.
func read(c net.PacketConn) string {
	buf := make([]byte, 100)
	n, from, err := c.ReadFrom(buf)
	if err != nil {
		return err.Error()
	}
	return from.String() + " " + string(buf[:n])
}

func write(t *testing.T, c net.PacketConn, to, text string) {
	t.Helper()
	addr, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.WriteTo([]byte(text), addr); n != len(text) || err != nil {
		t.Errorf("WriteTo = %d, %v; want all written", n, err)
	}
}
