package upstream

import (
	"context"
	"log/slog"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

const (
	ourAddr  = "10.0.0.2:5060" // sipgo
	peerAddr = "10.0.0.1:5060"
)

var quiet = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) {
	sip.SetDefaultLogger(quiet)
	os.Exit(m.Run())
}

// agent makes a user agent with a server and a client for conn.
func agent(t *testing.T, conn net.PacketConn) (*sipgo.UserAgent, *sipgo.Server, *sipgo.DialogUA) {
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
	addr := conn.LocalAddr().String()
	client, err := sipgo.NewClient(ua, sipgo.WithClientLogger(quiet), sipgo.WithClientAddr(addr), sipgo.WithClientConnectionAddr(addr))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.ServeUDP(conn) }()
	return ua, srv, &sipgo.DialogUA{Client: client, ContactHDR: sip.ContactHeader{Address: uri(t, addr)}}
}

func uri(t *testing.T, addr string) sip.Uri {
	t.Helper()
	host, port, err := sip.ParseAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	return sip.Uri{Scheme: "sip", Host: host, Port: port}
}

// online runs f in a bubble, with a user agent and a peer on the network.
func online(t *testing.T, f func(t *testing.T, srv *sipgo.Server, dialogs *sipgo.DialogUA, peer *sipnet.Peer)) {
	bubble.Test(t, func(t *testing.T) {
		n := sipnet.New()
		ua, srv, dialogs := agent(t, n.PacketConn(ourAddr))
		defer stop(t, n, ua)
		synctest.Wait()
		f(t, srv, dialogs, n.Peer(peerAddr))
	})
}

// stop ends all in the order that leaves nothing behind in a bubble: a message
// that is still being handled when the network is gone would open a real socket.
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

// TestByeToOldTarget: a peer that has given another Contact in a re-INVITE still
// gets the BYE at its first one (RFC 3261 §12.2.1.1), called or calling.
func TestByeToOldTarget(t *testing.T) {
	const moved = "Contact: <sip:moved@" + peerAddr + ">"
	wantOld := func(t *testing.T, peer *sipnet.Peer, bye func(context.Context) error) {
		done := make(chan error, 1)
		go func() { done <- bye(context.Background()) }()
		req := peer.ExpectRequest(t, sip.BYE)
		if got := req.Recipient.User; got != "peer" {
			t.Errorf("the BYE is for %q: mended", got)
		}
		peer.Reply(req, 200, "OK")
		if err := <-done; err != nil {
			t.Errorf("the BYE failed: %v", err)
		}
	}
	t.Run("caller", func(t *testing.T) {
		online(t, func(t *testing.T, srv *sipgo.Server, dialogs *sipgo.DialogUA, peer *sipnet.Peer) {
			var call *sipgo.DialogClientSession
			srv.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
				if err := call.ReadRequest(req, tx); err != nil {
					t.Errorf("the dialog refuses the re-INVITE: %v", err)
				}
				_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
			})
			srv.OnAck(func(*sip.Request, sip.ServerTransaction) {})
			var err error
			if call, err = dialogs.Invite(t.Context(), uri(t, peerAddr), nil); err != nil {
				t.Fatal(err)
			}
			peer.Reply(peer.ExpectRequest(t, sip.INVITE), 200, "OK")
			if err := call.WaitAnswer(t.Context(), sipgo.AnswerOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := call.Ack(t.Context()); err != nil {
				t.Fatal(err)
			}
			peer.ExpectRequest(t, sip.ACK)
			peer.Request(sip.INVITE, moved)
			peer.Ack(peer.ExpectResponse(t, 200))
			wantOld(t, peer, call.Bye)
		})
	})
	t.Run("callee", func(t *testing.T) {
		online(t, func(t *testing.T, srv *sipgo.Server, dialogs *sipgo.DialogUA, peer *sipnet.Peer) {
			var call *sipgo.DialogServerSession
			srv.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
				if call != nil {
					if err := call.ReadRequest(req, tx); err != nil {
						t.Errorf("the dialog refuses the re-INVITE: %v", err)
					}
					_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
					return
				}
				call, _ = dialogs.ReadInvite(req, tx)
				_ = call.Respond(200, "OK", nil)
			})
			srv.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = call.ReadAck(req, tx) })
			peer.Invite(ourAddr)
			peer.Ack(peer.ExpectResponse(t, 200))
			synctest.Wait()
			peer.Request(sip.INVITE, moved)
			peer.Ack(peer.ExpectResponse(t, 200))
			synctest.Wait()
			wantOld(t, peer, call.Bye)
		})
	})
}

// TestAckAfterEarlyUpdate: a request in the early dialog takes the number that
// the ACK has to have: the one of the INVITE (RFC 3261 §13.2.2.4).
func TestAckAfterEarlyUpdate(t *testing.T) {
	online(t, func(t *testing.T, _ *sipgo.Server, dialogs *sipgo.DialogUA, peer *sipnet.Peer) {
		call, err := dialogs.Invite(t.Context(), uri(t, peerAddr), nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if err := call.WaitAnswer(t.Context(), sipgo.AnswerOptions{OnResponse: func(res *sip.Response) error {
				if !res.IsProvisional() {
					return nil
				}
				_, err := call.Do(t.Context(), sip.NewRequest(sip.UPDATE, uri(t, peerAddr)))
				return err
			}}); err != nil {
				t.Errorf("no answer: %v", err)
				return
			}
			if err := call.Ack(t.Context()); err != nil {
				t.Errorf("no ACK: %v", err)
			}
		}()
		invite := peer.ExpectRequest(t, sip.INVITE)
		peer.Reply(invite, 183, "Session Progress")
		update := peer.ExpectRequest(t, sip.UPDATE)
		peer.Reply(update, 200, "OK")
		peer.Reply(invite, 200, "OK")
		ack := peer.ExpectRequest(t, sip.ACK)
		if got := ack.CSeq().SeqNo; got != update.CSeq().SeqNo || got == invite.CSeq().SeqNo {
			t.Errorf("INVITE %d, UPDATE %d, ACK %d: mended", invite.CSeq().SeqNo, update.CSeq().SeqNo, got)
		}
		synctest.Wait()
	})
}
