//go:build interop

// Subject answers calls over TLS or WebSocket and keeps their session timers. It
// takes the flags of the examples, which speak UDP and TCP, as far as the tests
// use them, and prints the same events.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/interop/selfsigned"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "`HOST:PORT`")
	transport := flag.String("transport", "tls", "tls or ws")
	interval := flag.Duration("session-expires", 30*time.Minute, "interval")
	refresher := flag.String("refresher", "auto", "auto, local or peer")
	method := flag.String("method", "auto", "auto, update or invite")
	unsafe := flag.Bool("unsafe-intervals", false, "allow less than 90s")
	flag.Parse()

	opts := []middleware.Option{
		middleware.WithSessionExpires(*interval),
		middleware.WithRefresher(map[string]sessiontimer.Refresher{"local": sessiontimer.Local, "peer": sessiontimer.Peer}[*refresher]),
		middleware.WithMethod(map[string]sessiontimer.Method{"update": sessiontimer.MethodUpdate, "invite": sessiontimer.MethodReInvite}[*method]),
		middleware.WithEventHandler(printEvent),
	}
	if *unsafe {
		opts = append(opts, middleware.WithUnsafeIntervals())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *transport, *listen, opts); err != nil {
		fmt.Fprintln(os.Stderr, "subject:", err)
		os.Exit(1)
	}
}

// run takes calls until ctx ends.
func run(ctx context.Context, transport, addr string, opts []middleware.Option) error {
	security, err := selfsigned.Config()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	ua, err := sipgo.NewUA(sipgo.WithUserAgent("subject"), sipgo.WithUserAgenTLSConfig(security))
	if err != nil {
		return err
	}
	defer func() { _ = ua.Close() }()
	server, err := sipgo.NewServer(ua)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	client, err := sipgo.NewClient(ua, sipgo.WithClientHostname(host), sipgo.WithClientPort(number), sipgo.WithClientNAT())
	if err != nil {
		return err
	}
	timers, err := middleware.New(ua, append(opts, middleware.WithJitter(0))...)
	if err != nil {
		return err
	}
	defer func() { _ = timers.Close() }()
	srv, err := timers.Attach(server, client)
	if err != nil {
		return err
	}
	contact := sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "subject", Host: host, Port: number,
		UriParams: sip.HeaderParams{{K: "transport", V: transport}}}}
	c := &calls{ctx: ctx, host: host, contact: contact, up: make(map[string]*sipgo.DialogServerSession),
		ua: sipgo.DialogUA{Client: client, ContactHDR: contact, RewriteContact: true}}
	srv.OnInvite(c.onInvite)
	srv.OnAck(c.onAck)
	srv.OnBye(c.onBye)

	go func() {
		switch transport {
		case "ws":
			_ = srv.ServeWS(listener)
		default:
			_ = srv.ServeTLS(tls.NewListener(listener, security))
		}
	}()
	fmt.Fprintf(os.Stderr, "subject: listening on %s %s\n", transport, listener.Addr())
	<-ctx.Done()
	c.mu.Lock()
	c.stopping = true
	c.mu.Unlock()
	c.wg.Wait()
	return nil
}

// calls are plain sipgo.
type calls struct {
	ctx     context.Context
	host    string
	contact sip.ContactHeader
	ua      sipgo.DialogUA
	wg      sync.WaitGroup

	mu       sync.Mutex
	stopping bool
	up       map[string]*sipgo.DialogServerSession
}

func (c *calls) find(req *sip.Request) *sipgo.DialogServerSession {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up[req.CallID().Value()]
}

func (c *calls) sdp() []byte {
	return fmt.Appendf(nil, "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n", c.host, c.host)
}

func (c *calls) onInvite(req *sip.Request, tx sip.ServerTransaction) {
	if c.find(req) != nil { // a changed session description
		res := sip.NewSDPResponseFromRequest(req, c.sdp())
		res.AppendHeader(&c.contact)
		_ = tx.Respond(res)
		return
	}
	call, err := c.ua.ReadInvite(req, tx)
	if err != nil {
		_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusBadRequest, "Bad Request", nil))
		return
	}
	c.mu.Lock()
	if c.stopping {
		c.mu.Unlock()
		_ = call.Respond(sip.StatusServiceUnavailable, "Shutting Down", nil)
		return
	}
	c.wg.Add(1)
	defer c.wg.Done()
	c.up[req.CallID().Value()] = call
	c.mu.Unlock()
	if call.RespondSDP(c.sdp()) != nil {
		return
	}
	select {
	case <-call.Context().Done():
	case <-c.ctx.Done():
	}
	bye, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = call.Bye(bye) // does nothing if the call is over
}

func (c *calls) onAck(req *sip.Request, tx sip.ServerTransaction) {
	if call := c.find(req); call != nil {
		_ = call.ReadAck(req, tx)
	}
}

func (c *calls) onBye(req *sip.Request, tx sip.ServerTransaction) {
	if call := c.find(req); call == nil || call.ReadBye(req, tx) != nil {
		_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist", nil))
	}
}

var printing sync.Mutex

// printEvent prints what the tests read.
func printEvent(e sessiontimer.Event) {
	call := e.Info()
	line := map[string]any{"time": call.Time, "call_id": call.CallID, "interval": call.Interval.Seconds(), "refresher": call.Refresher.String()}
	switch e := e.(type) {
	case sessiontimer.Negotiated:
		line["event"] = "negotiated"
	case sessiontimer.Refreshed:
		line["event"], line["method"] = "refreshed", e.Method
	case sessiontimer.RefreshFailed:
		line["event"], line["status"] = "refresh_failed", e.Status
		line["reason"] = fmt.Sprint(e.Err)
	case sessiontimer.Expired:
		line["event"], line["reason"] = "expired", e.Reason.String()
	case sessiontimer.Ended:
		line["event"] = "ended"
	}
	printing.Lock()
	defer printing.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(line)
}
