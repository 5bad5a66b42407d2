package upstream

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/diago/media"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

const (
	ourAddr  = "127.0.0.1:5060" // diago, whose media are on real sockets
	peerAddr = "10.0.0.1:5060"
)

var quiet = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) {
	media.SetDefaultLogger(quiet)
	sip.SetDefaultLogger(quiet)
	os.Exit(m.Run())
}

// offer is the peer's session description.
const offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

// phone runs f in a bubble, with a diago that takes every call and its peer.
// Nobody listens for RTCP: who waits for a real socket keeps virtual time from
// passing.
func phone(t *testing.T, f func(t *testing.T, n *sipnet.Network, peer *sipnet.Peer), opts ...diago.DiagoOption) {
	t.Helper()
	phoneWith(t, func(d *diago.DialogServerSession) error {
		m, err := d.ProgressMedia(diago.ProgressMediaOptions{})
		if err != nil {
			return err
		}
		deaf(m)
		return d.AnswerEarlyMedia(m, diago.AnswerOptions{OnMediaUpdate: deaf})
	}, f, opts...)
}

func phoneWith(t *testing.T, answer func(*diago.DialogServerSession) error, f func(t *testing.T, n *sipnet.Network, peer *sipnet.Peer), opts ...diago.DiagoOption) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		n := sipnet.New()
		over := make(chan struct{})
		ua, srv := agent(t)
		conn := n.PacketConn(ourAddr)
		go func() { _ = srv.ServeUDP(conn) }()
		opts = append([]diago.DiagoOption{diago.WithLogger(quiet), diago.WithServer(srv),
			diago.WithTransport(diago.Transport{Transport: "udp", BindHost: "127.0.0.1", BindPort: 5060})}, opts...)
		dg := diago.NewDiago(ua, opts...)
		dg.HandleFunc(func(d *diago.DialogServerSession) {
			if err := answer(d); err != nil {
				t.Errorf("diago does not answer: %v", err)
				return
			}
			select {
			case <-d.Context().Done():
			case <-over:
			}
		})
		defer func() {
			close(over)
			stop(t, n, ua)
		}()
		synctest.Wait()
		f(t, n, n.Peer(peerAddr))
	})
}

// agent makes a user agent with a server.
func agent(t *testing.T) (*sipgo.UserAgent, *sipgo.Server) {
	t.Helper()
	ua, err := sipgo.NewUA(sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(quiet)))
	if err != nil {
		t.Fatal(err)
	}
	srv, err := sipgo.NewServer(ua, sipgo.WithServerLogger(quiet))
	if err != nil {
		t.Fatal(err)
	}
	return ua, srv
}

// stop ends all in the order that leaves nothing behind in a bubble.
func stop(t *testing.T, n *sipnet.Network, ua *sipgo.UserAgent) {
	if t.Failed() {
		time.Sleep(64 * sip.T1) // whatever waits for a message that will not come
	}
	synctest.Wait()
	n.Close()
	synctest.Wait()
	_ = ua.Close()
	synctest.Wait()
}

func deaf(m *diago.DialogMedia) { _ = m.RTPSession().MonitorClose() }

// TestReInviteAnsweredOnce: the 2xx to a re-INVITE is sent once; until the ACK it
// should come again and again (RFC 3261 §13.3.1.4), as the first 2xx does.
func TestReInviteAnsweredOnce(t *testing.T) {
	phone(t, func(t *testing.T, n *sipnet.Network, peer *sipnet.Peer) {
		sent := func() (count int) {
			time.Sleep(10 * time.Second)
			for _, m := range n.Messages() {
				if m.From == ourAddr && sipnet.Label(m.SIP) == "200 OK (INVITE)" {
					count++
				}
			}
			return count
		}
		peer.Invite(ourAddr, offer)
		first := sent()
		if first < 2 {
			t.Errorf("the first 200 was sent %d times in 10 s, want more than once", first)
		}
		peer.Ack(peer.ExpectResponse(t, 200))
		synctest.Wait()
		first = sent()
		peer.Request(sip.INVITE, offer)
		if again := sent() - first; again != 1 {
			t.Errorf("the 200 to the re-INVITE was sent %d times: mended", again)
		}
		peer.Ack(peer.ExpectResponse(t, 200))
		peer.Request(sip.BYE)
		peer.ExpectResponse(t, 200)
		synctest.Wait()
	})
}

// TestAnswerLate: where the offer is in the 200 and the answer in the ACK, diago
// starts listening for RTCP twice, and the application gets an error for a call
// that stands.
func TestAnswerLate(t *testing.T) {
	late := make(chan error, 1)
	phoneWith(t, func(d *diago.DialogServerSession) error {
		m, err := d.AnswerLate()
		deaf(m)
		late <- err
		return nil
	}, func(t *testing.T, _ *sipnet.Network, peer *sipnet.Peer) {
		peer.Invite(ourAddr, "")
		peer.Ack(peer.ExpectResponse(t, 200), offer)
		synctest.Wait()
		if err := <-late; err == nil {
			t.Error("AnswerLate returns no error: mended")
		}
		peer.Request(sip.BYE)
		peer.ExpectResponse(t, 200)
		synctest.Wait()
	})
}

// TestOfferRightAfterAck: each message has a goroutine of its own, and until that of
// the ACK has run an offer that the peer sent after it gets 491 (RFC 3261 §14.2).
func TestOfferRightAfterAck(t *testing.T) {
	slow := diago.WithServerRequestMiddleware(func(next sipgo.RequestHandler) sipgo.RequestHandler {
		return func(req *sip.Request, tx sip.ServerTransaction) {
			if req.IsAck() {
				time.Sleep(time.Millisecond)
			}
			next(req, tx)
		}
	})
	phone(t, func(t *testing.T, _ *sipnet.Network, peer *sipnet.Peer) {
		peer.Invite(ourAddr, offer)
		peer.Ack(peer.ExpectResponse(t, 200))
		peer.Request(sip.INVITE, offer)
		res := peer.ExpectResponse(t, 491)
		peer.Ack(res)
		time.Sleep(time.Second)
		peer.Request(sip.BYE)
		peer.ExpectResponse(t, 200)
		synctest.Wait()
	}, slow)
}

// TestClosedDialogStays: a client dialog that is closed stays in diago's cache, and
// nothing public says that it is closed.
func TestClosedDialogStays(t *testing.T) {
	ua, err := sipgo.NewUA()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ua.Close() }()
	dg := diago.NewDiago(ua, diago.WithLogger(quiet))
	d, err := dg.NewDialog(sip.Uri{Scheme: "sip", Host: "127.0.0.1"}, diago.NewDialogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d.ID = "a call that was answered"
	if err := dg.DialogCacheClient().DialogStore(t.Context(), d.ID, d); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := dg.DialogCacheClient().DialogLoad(t.Context(), d.ID); err != nil {
		t.Errorf("the cache says %v: mended", err)
	}
	if d.Context().Err() != nil || d.LoadState() == sip.DialogStateEnded {
		t.Error("the dialog says that it is over: mended")
	}
}

// TestMiddlewareMadePerRequest: what makes the middleware is called anew for each
// request, so the middleware keeps no state; given twice, only the last counts.
func TestMiddlewareMadePerRequest(t *testing.T) {
	var made [2]int
	count := func(i int) diago.DiagoOption {
		return diago.WithServerRequestMiddleware(func(next sipgo.RequestHandler) sipgo.RequestHandler {
			made[i]++
			return next
		})
	}
	phone(t, func(t *testing.T, _ *sipnet.Network, peer *sipnet.Peer) {
		if made != [2]int{} {
			t.Errorf("made %v times before any request: mended", made)
		}
		peer.Invite(ourAddr, offer)
		peer.Ack(peer.ExpectResponse(t, 200))
		synctest.Wait()
		peer.Request(sip.BYE)
		peer.ExpectResponse(t, 200)
		synctest.Wait()
		if made != [2]int{0, 3} {
			t.Errorf("made %v times for INVITE, ACK and BYE: mended", made)
		}
	}, count(0), count(1))
}

// TestClientMadeAnew: with port 0 diago makes another client when it listens, and
// the requester set before is lost.
func TestClientMadeAnew(t *testing.T) {
	ua, err := sipgo.NewUA()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ua.Close() }()
	dg := diago.NewDiago(ua, diago.WithLogger(quiet), diago.WithTransport(diago.Transport{Transport: "udp", BindHost: "127.0.0.1"}))
	client := func() *sipgo.Client {
		t.Helper()
		d, err := dg.NewDialog(sip.Uri{Scheme: "sip", Host: "127.0.0.1"}, diago.NewDialogOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		return d.UA.Client
	}
	client().TxRequester = struct {
		sipgo.ClientTransactionRequester
	}{}
	if client().TxRequester == nil {
		t.Fatal("the requester is lost before diago serves")
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := dg.ServeBackground(ctx, func(*diago.DialogServerSession) {}); err != nil {
		t.Fatal(err)
	}
	if client().TxRequester != nil {
		t.Error("the requester is still there: mended")
	}
}
