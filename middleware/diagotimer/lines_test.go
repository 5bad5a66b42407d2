package diagotimer_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/freeport"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/diagotimer"
)

// TestSendsAsDiago: what diago sends leaves from the socket and says where it is
// from as without timers, over each of its transports.
func TestSendsAsDiago(t *testing.T) {
	t.Parallel()
	const public = "198.51.100.7"
	local := diago.Transport{Transport: "udp", BindHost: "127.0.0.1"}
	behindNAT, behindPort := local, local
	behindNAT.ExternalHost = public
	behindPort.ExternalHost, behindPort.ExternalPort = public, 5099
	named := func(t diago.Transport) diago.Transport { t.ID = "named"; return t }
	for name, c := range map[string]struct {
		transports []diago.Transport
		fixed      bool // else the system chooses the port
		id         string
	}{
		"port 0":                     {transports: []diago.Transport{local}},
		"port":                       {transports: []diago.Transport{local}, fixed: true},
		"port 0, public address":     {transports: []diago.Transport{behindNAT}},
		"port 0, public port":        {transports: []diago.Transport{behindPort}},
		"port, public address":       {transports: []diago.Transport{behindNAT}, fixed: true},
		"port, public port":          {transports: []diago.Transport{behindPort}, fixed: true},
		"first of two":               {transports: []diago.Transport{local, named(behindNAT)}},
		"second of two":              {transports: []diago.Transport{local, named(local)}, id: "named"},
		"second of two, public":      {transports: []diago.Transport{local, named(behindNAT)}, id: "named"},
		"second of two, both public": {transports: []diago.Transport{behindNAT, named(behindNAT)}, id: "named"},
		"public second of two, port": {transports: []diago.Transport{local, named(behindNAT)}, fixed: true, id: "named"},
		"both public, with ports":    {transports: []diago.Transport{behindNAT, named(behindNAT)}, fixed: true, id: "named"},
		"second of two with ports":   {transports: []diago.Transport{behindNAT, named(behindPort)}, fixed: true, id: "named"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := sends(t, c.transports, c.fixed, c.id, func(ua *sipgo.UserAgent, opts []diago.DiagoOption) *diago.Diago {
				return diago.NewDiago(ua, opts...)
			})
			timed := sends(t, c.transports, c.fixed, c.id, func(ua *sipgo.UserAgent, opts []diago.DiagoOption) *diago.Diago {
				timers := must(middleware.New(ua, middleware.WithLogger(sipua.Quiet)))
				t.Cleanup(func() { _ = timers.Close() })
				return must(diagotimer.New(timers, opts...))
			})
			if diff := cmp.Diff(plain, timed); diff != "" {
				t.Errorf("with timers diago sends from elsewhere (-without +with):\n%s", diff)
			}
		})
	}
}

// sends are the requests of a call that diago makes, in short: where they come
// from and what they say about it.
func sends(t *testing.T, transports []diago.Transport, fixed bool, id string, build func(*sipgo.UserAgent, []diago.DiagoOption) *diago.Diago) (out []string) {
	t.Helper()
	ua := must(sipgo.NewUA(sipgo.WithUserAgent("desk"), sipgo.WithUserAgentHostname("")))
	defer func() { _ = ua.Close() }()
	opts := []diago.DiagoOption{diago.WithLogger(sipua.Quiet)}
	var opened []diago.Transport
	for _, transport := range transports {
		if fixed {
			transport.BindPort = freeport.Take(t)
		}
		opened = append(opened, transport)
		opts = append(opts, diago.WithTransport(transport))
	}
	dg := build(ua, opts)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := dg.ServeBackground(ctx, func(*diago.DialogServerSession) {}); err != nil {
		t.Fatalf("ServeBackground: %v", err)
	}
	peer := must(net.ListenPacket("udp", "127.0.0.1:0"))
	defer func() { _ = peer.Close() }()
	_, port, _ := net.SplitHostPort(peer.LocalAddr().String())
	d := must(dg.NewDialog(sip.Uri{Scheme: "sip", User: "peer", Host: "127.0.0.1", Port: must(strconv.Atoi(port))}, diago.NewDialogOptions{TransportID: id}))
	defer func() { _ = d.Close() }()
	for _, transport := range opened {
		port := transport.BindPort
		if port == 0 {
			d := must(dg.NewDialog(sip.Uri{Scheme: "sip", Host: "127.0.0.1"}, diago.NewDialogOptions{Transport: "udp", TransportID: transport.ID}))
			port = d.UA.ContactHDR.Address.Port
			_ = d.Close()
		}
		awaitSocket(t, ua, port)
	}
	contact := fmt.Sprint(d.UA.ContactHDR.Address.Port)
	socket := "" // that the INVITE comes from
	answered := make(chan error, 1)
	go func() {
		err := call(ctx, d)
		if err == nil {
			err = d.Hangup(ctx)
		}
		answered <- err
	}()
	for _, method := range []sip.RequestMethod{sip.INVITE, sip.ACK, sip.BYE} {
		req, from := receive(t, peer, method)
		if method == sip.INVITE {
			_, socket, _ = net.SplitHostPort(from.String())
		}
		if method != sip.ACK {
			res := sip.NewResponseFromRequest(req, 200, "OK", nil)
			res.AppendHeader(&sip.ContactHeader{Address: sip.Uri{Scheme: "sip", Host: "127.0.0.1", Port: must(strconv.Atoi(port))}})
			if method == sip.INVITE {
				res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
				res.SetBody([]byte(offer(1, 4000, "sendrecv")))
			}
			_ = must(peer.WriteTo([]byte(res.String()), from))
		}
		via := fmt.Sprintf("%s:%d rport %v", req.Via().Host, req.Via().Port, req.Via().Params.Has("rport"))
		said := fmt.Sprintf("%s from %s, Via %s, From %s", method, from, via, req.From().Address.Host)
		if c := req.Contact(); c != nil {
			said += ", Contact " + c.Address.String()
		}
		out = append(out, strings.ReplaceAll(strings.ReplaceAll(said, ":"+contact, ":CONTACT"), ":"+socket, ":SOCKET"))
	}
	if err := <-answered; err != nil {
		t.Fatalf("the call: %v", err)
	}
	return out
}

// TestRefreshesFromThere: the refresh of a call that came in says that it is from
// where diago's own requests are.
func TestRefreshesFromThere(t *testing.T) {
	t.Parallel()
	public := diago.WithTransport(diago.Transport{Transport: "udp", BindHost: "127.0.0.1", ExternalHost: "198.51.100.7"})
	t.Run("New", func(t *testing.T) {
		t.Parallel()
		refreshesFromThere(t, newDesk(t, quick(sessiontimer.Auto), public))
	})
	t.Run("Option", func(t *testing.T) {
		t.Parallel()
		refreshesFromThere(t, makeDesk(t, quick(sessiontimer.Auto), func(ua *sipgo.UserAgent, timers *middleware.Timers) (*diago.Diago, error) {
			return diago.NewDiago(ua, public, diagotimer.Option(timers, must(sipgo.NewServer(ua)))), nil
		}))
	})
}

func refreshesFromThere(t *testing.T, callee *desk) {
	t.Helper()
	callee.serve(t)
	port := callee.uri("udp").Port
	peer := must(net.ListenPacket("udp", "127.0.0.1:0"))
	defer func() { _ = peer.Close() }()
	here := peer.LocalAddr().String()
	to := must(net.ResolveUDPAddr("udp", fmt.Sprintf("127.0.0.1:%d", port)))
	send := func(method string, tag string, headers ...string) {
		lines := append([]string{method + " sip:desk@127.0.0.1 SIP/2.0", "Via: SIP/2.0/UDP " + here + ";branch=z9hG4bK" + method, "Max-Forwards: 70",
			"From: <sip:peer@127.0.0.1>;tag=peer", "To: <sip:desk@127.0.0.1>" + tag, "Call-ID: there", "CSeq: 1 " + method, "Contact: <sip:peer@" + here + ">"}, headers...)
		if method == "ACK" {
			lines = append(lines, "", "")
		}
		_ = must(peer.WriteTo([]byte(strings.Join(lines, "\r\n")), to))
	}
	sdp := offer(1, 4000, "sendrecv")
	send("INVITE", "", "Supported: timer", peerAllow, "Session-Expires: 2;refresher=uas", "Content-Type: application/sdp",
		fmt.Sprintf("Content-Length: %d", len(sdp)), "", sdp)
	in := func() string { // the tag of the 200
		buf := make([]byte, 4096)
		_ = peer.SetReadDeadline(time.Now().Add(patience))
		for {
			n, _, err := peer.ReadFrom(buf)
			if err != nil {
				t.Fatalf("no 200: %v", err)
			}
			if res, ok := must(sip.ParseMessage(buf[:n])).(*sip.Response); ok && res.IsSuccess() {
				return res.To().Params.GetOr("tag", "")
			}
		}
	}()
	send("ACK", ";tag="+in)
	update, from := receive(t, peer, sip.UPDATE)
	res := sip.NewResponseFromRequest(update, 200, "OK", nil)
	_ = must(peer.WriteTo([]byte(res.String()), from))
	go func() { _ = got(t, "call", callee.taken).Hangup(t.Context()) }()
	bye, from := receive(t, peer, sip.BYE)
	_ = must(peer.WriteTo([]byte(sip.NewResponseFromRequest(bye, 200, "OK", nil).String()), from))
	for _, req := range []*sip.Request{update, bye} {
		if via := req.Via(); via.Host != "198.51.100.7" || via.Port != port || !via.Params.Has("rport") {
			t.Errorf("%s has Via %s, want 198.51.100.7:%d with rport", req.Method, via.Value(), port)
		}
	}
}

// TestSentBeforeItListens: what went out before diago knew its port does not
// decide where the rest is from.
func TestSentBeforeItListens(t *testing.T) {
	t.Parallel()
	d := newDesk(t, quick(sessiontimer.Auto), port0("udp", ""))
	peer := must(net.ListenPacket("udp", "127.0.0.1:0"))
	defer func() { _ = peer.Close() }()
	uri := sip.Uri{Scheme: "sip", Host: "127.0.0.1", Port: peer.LocalAddr().(*net.UDPAddr).Port}
	send := func() net.Addr {
		out := must(d.dg.NewDialog(uri, diago.NewDialogOptions{}))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- call(ctx, out) }()
		req, from := receive(t, peer, sip.INVITE)
		_ = must(peer.WriteTo([]byte(sip.NewResponseFromRequest(req, 486, "Busy Here", nil).String()), from))
		<-done
		cancel()
		_ = out.Close()
		return from
	}
	send()
	d.serve(t)
	port := d.uri("udp").Port
	awaitSocket(t, d.ua, port)
	if from := send(); from.(*net.UDPAddr).Port != port {
		t.Errorf("an INVITE comes from %s, want it from port %d that diago listens on", from, port)
	}
}

// awaitSocket waits until sipgo reads from the socket: diago is ready before that,
// and what is sent in between fails.
func awaitSocket(t *testing.T, ua *sipgo.UserAgent, port int) {
	t.Helper()
	for limit := time.Now().Add(patience); ; runtime.Gosched() {
		if conn, err := ua.TransportLayer().GetConnection("udp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_, _ = conn.TryClose()
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("port %d is not served within %v", port, patience)
		}
	}
}

// receive reads on until a request of the method.
func receive(t *testing.T, conn net.PacketConn, method sip.RequestMethod) (*sip.Request, net.Addr) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			t.Fatalf("no %s: %v", method, err)
		}
		if req, ok := must(sip.ParseMessage(buf[:n])).(*sip.Request); ok && req.Method == method {
			return req, from
		}
	}
}
