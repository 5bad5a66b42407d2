package middleware_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// station is a user agent of sipgo on a real socket of loopback, without timers.
type station struct {
	ua     *sipgo.UserAgent
	server *sipgo.Server
	client *sipgo.Client
	addr   string // where it listens
	start  func() // serves, once there are handlers
}

// newStation makes a user agent; one that listens is reached over the transport.
func newStation(t *testing.T, name, transport string, opts ...sipgo.UserAgentOption) *station {
	t.Helper()
	ua, err := sipgo.NewUA(append([]sipgo.UserAgentOption{sipgo.WithUserAgent(name), sipgo.WithUserAgenTLSConfig(&tls.Config{InsecureSkipVerify: true}),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(sipua.Quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(sipua.Quiet))}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	s := &station{ua: ua}
	s.server, _ = sipgo.NewServer(ua, sipgo.WithServerLogger(sipua.Quiet))
	clientOpts := []sipgo.ClientOption{sipgo.WithClientLogger(sipua.Quiet), sipgo.WithClientHostname("127.0.0.1")}
	serve, closing := s.listen(t, transport)
	if transport == "udp" {
		clientOpts = append(clientOpts, sipgo.WithClientConnectionAddr(s.addr))
	}
	s.client, _ = sipgo.NewClient(ua, clientOpts...)
	s.start = func() {
		go func() { _ = serve() }()
		for transport == "udp" { // before sipgo has the socket it would open another one
			if _, err := ua.TransportLayer().GetConnection("udp", s.addr); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	t.Cleanup(func() { _, _ = closing(), ua.Close() })
	return s
}

func (s *station) listen(t *testing.T, transport string) (serve func() error, closing func() error) {
	t.Helper()
	if transport == "udp" {
		conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.addr = conn.LocalAddr().String()
		return func() error { return s.server.ServeUDP(conn) }, conn.Close
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	switch transport {
	case "tls":
		secure := tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
		return func() error { return s.server.ServeTLS(secure) }, l.Close
	case "ws":
		return func() error { return s.server.ServeWS(l) }, l.Close
	}
	return func() error { return s.server.ServeTCP(l) }, l.Close
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (s *station) contact(transport, host string) sip.ContactHeader {
	h, p, _ := sip.ParseAddr(s.addr)
	uri := sip.Uri{Scheme: "sip", User: "someone", Host: h, Port: p, UriParams: sip.NewParams()}
	if host != "" {
		uri.Host, uri.Port = host, 0
	}
	if transport != "udp" {
		uri.UriParams.Add("transport", transport)
	}
	return sip.ContactHeader{Address: uri}
}

// handlers is what an application registers its handlers on.
type handlers interface {
	OnInvite(sipgo.RequestHandler)
	OnAck(sipgo.RequestHandler)
	OnBye(sipgo.RequestHandler)
}

// answers answers calls as in sipgo's documentation for peers behind NAT: its requests in a
// call go to the source of the INVITE.
func (s *station) answers(on handlers, transport string) <-chan *sipgo.DialogServerSession {
	dialogs := sipgo.DialogUA{Client: s.client, ContactHDR: s.contact(transport, ""), RewriteContact: true}
	calls := make(chan *sipgo.DialogServerSession, 1)
	acks := make(chan *sip.Request, 1)
	on.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		d, err := dialogs.ReadInvite(req, tx)
		if err != nil {
			return
		}
		go func() {
			if ack := <-acks; d.ReadAck(ack, nil) == nil {
				calls <- d
			}
		}()
		_ = d.RespondSDP([]byte(sipnet.SDP))
	})
	on.OnAck(func(req *sip.Request, _ sip.ServerTransaction) { acks <- req })
	on.OnBye(func(*sip.Request, sip.ServerTransaction) {})
	return calls
}

// The peer announces its new address in an UPDATE over another connection. The application's
// BYE goes there; without timers it goes to the old address.
func TestByeFollowsThePeer(t *testing.T) {
	for _, transport := range []string{"udp", "tcp", "tls", "ws"} {
		for _, timers := range []bool{false, true} {
			name := transport + " without timers"
			if timers {
				name = transport
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				bob := newStation(t, "bob", transport)
				on := handlers(bob.server)
				if timers {
					tm, err := middleware.New(bob.ua, middleware.WithLogger(sipua.Quiet))
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = tm.Close() })
					if on, err = tm.Attach(bob.server, bob.client); err != nil {
						t.Fatal(err)
					}
				}
				calls := bob.answers(on, transport)
				first, then := newStation(t, "first", transport), newStation(t, "then", transport)
				at := make(chan string, 1)
				for name, s := range map[string]*station{"first": first, "then": then} {
					s.server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) {
						at <- name
						_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
					})
					s.start()
				}
				bob.start()
				host := map[string]string{"ws": "phone.invalid"}[transport]
				contact := first.contact(transport, host)
				if transport != "ws" {
					contact.Address.Port = 9 // it listens nowhere
				}
				dialogs := sipgo.NewDialogClientCache(first.client, contact)
				uri := bob.contact(transport, "").Address
				out, err := dialogs.Invite(t.Context(), uri, []byte(sipnet.SDP), sip.NewHeader("Content-Type", "application/sdp"), sip.NewHeader("Supported", "timer"))
				if err != nil {
					t.Fatal(err)
				}
				if err := out.WaitAnswer(t.Context(), sipgo.AnswerOptions{}); err != nil {
					t.Fatal(err)
				}
				if err := out.Ack(t.Context()); err != nil {
					t.Fatal(err)
				}
				call := within(t, calls, "call")

				if transport == "udp" {
					contact = then.contact(transport, host)
				}
				for n := range uint32(2) { // the answer to the second comes when the first is taken
					update := sip.NewRequest(sip.UPDATE, uri)
					update.AppendHeader(out.InviteRequest.From())
					update.AppendHeader(out.InviteResponse.To())
					update.AppendHeader(out.InviteRequest.CallID())
					update.AppendHeader(&sip.CSeqHeader{SeqNo: out.InviteRequest.CSeq().SeqNo + 1 + n, MethodName: sip.UPDATE})
					update.AppendHeader(&contact)
					update.SetTransport(sip.NetworkToUpper(transport))
					res, err := then.client.Do(t.Context(), update)
					if err != nil || timers && !res.IsSuccess() {
						t.Fatalf("UPDATE: %v, %v", res, err)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				if err := call.Bye(ctx); err != nil {
					t.Errorf("Bye: %v", err)
				}
				want := "first"
				if timers {
					want = "then"
				}
				if got := within(t, at, "BYE"); got != want {
					t.Errorf("the BYE goes to the station that was %s, want %s", got, want)
				}
			})
		}
	}
}
