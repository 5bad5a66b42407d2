package upstream

import (
	"context"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/diago/media"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

func TestMain(m *testing.M) {
	media.SetDefaultLogger(quiet)
	sip.SetDefaultLogger(quiet)
	os.Exit(m.Run())
}

// phone runs f in a bubble, with a diago that takes every call and its peer.
func phone(t *testing.T, f func(t *testing.T, n *sipnet.Network, peer *sipnet.Peer), opts ...diago.DiagoOption) {
	synctest.Test(t, func(t *testing.T) {
		n := sipnet.New()
		over := make(chan struct{})
		ua, srv, _ := agent(t, n.PacketConn(ourAddr))
		opts = append([]diago.DiagoOption{diago.WithLogger(quiet), diago.WithServer(srv),
			diago.WithTransport(diago.Transport{Transport: "udp", BindHost: "10.0.0.2", BindPort: 5060})}, opts...)
		dg := diago.NewDiago(ua, opts...)
		dg.HandleFunc(func(d *diago.DialogServerSession) {
			s := &media.MediaSession{Codecs: []media.Codec{media.CodecAudioUlaw}}
			s.InitWithListeners(n.PacketConn("10.0.0.2:20000"), n.PacketConn("10.0.0.2:20001"), &net.UDPAddr{})
			s.Laddr.Port = 20000
			d.InitMediaSession(s, nil, nil)
			if err := d.ProgressMedia(); err != nil {
				t.Errorf("diago does not ring: %v", err)
				return
			}
			if err := d.Answer(); err != nil {
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
		peer.Invite(ourAddr)
		first := sent()
		if first < 2 {
			t.Errorf("the first 200 was sent %d times in 10 s, want more than once", first)
		}
		peer.Ack(peer.ExpectResponse(t, 200))
		synctest.Wait()
		first = sent()
		peer.Request(sip.INVITE)
		if again := sent() - first; again != 1 {
			t.Errorf("the 200 to the re-INVITE was sent %d times: mended", again)
		}
		peer.Ack(peer.ExpectResponse(t, 200))
		peer.Request(sip.BYE)
		peer.ExpectResponse(t, 200)
		synctest.Wait()
	})
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
		peer.Invite(ourAddr)
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
