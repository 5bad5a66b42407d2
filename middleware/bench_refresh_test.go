package middleware_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/cputime"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

const (
	refreshed = 2000 // calls
	atOnce    = 64   // refreshes under way
	firstCSeq = 1000
)

// sender refreshes calls with a peer as fast as it can. It reports each answered refresh to
// done, until stop is closed.
type sender func(b testing.TB, n *sipnet.Network, method sip.RequestMethod, done chan<- struct{}, stop <-chan struct{})

// BenchmarkRefresh is one refresh among many under way: the refresher and its
// schedule, beside an application that knows what to send, reads no answer and
// has sipgo send it. Bytes on the wire and the peer are the same. Stock forgets a
// re-INVITE once it is answered; stock-acks, as the refresher, keeps it for as long
// as the 2xx may come again and want another ACK (RFC 3261 §13.2.2.4).
func BenchmarkRefresh(b *testing.B) {
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE} {
		for _, s := range []struct {
			name string
			send sender
		}{{"stock", sendRefreshes}, {"stock-acks", sendAndKeep}, {"refresher", runRefresher}} {
			if method == sip.UPDATE && s.name == "stock-acks" {
				continue
			}
			b.Run(fmt.Sprintf("method=%s/sender=%s", strings.ToLower(string(method)), s.name), func(b *testing.B) {
				n := sipnet.New()
				n.StopRecording()
				b.Cleanup(n.Close)
				done := refresh(b, n, method, s.send)
				for range refreshed {
					<-done
				}
				b.ReportAllocs()
				start := cputime.Used()
				for b.Loop() {
					<-done
				}
				cputime.Report(b, start)
			})
		}
	}
}

// refresh refreshes calls until the end of the test.
func refresh(b testing.TB, n *sipnet.Network, method sip.RequestMethod, send sender) <-chan struct{} {
	done, stop := make(chan struct{}, atOnce), make(chan struct{})
	refreshedPeer(b, n)
	send(b, n, method, done, stop)
	b.Cleanup(func() { close(stop) })
	return done
}

// refreshedPeer is a stock user agent that accepts refreshes.
func refreshedPeer(b testing.TB, n *sipnet.Network) {
	bob := newBenchUA(b, n, "bob", bobAddr, "udp", stock)
	accept := func(req *sip.Request, tx sip.ServerTransaction) {
		res := sip.NewResponseFromRequest(req, sip.StatusOK, "OK", nil)
		res.AppendHeader(&bob.contact)
		for _, h := range answerFields() {
			res.AppendHeader(h)
		}
		if req.IsInvite() {
			res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
			res.SetBody([]byte(sipnet.SDP))
		}
		_ = tx.Respond(res)
	}
	bob.server.OnInvite(accept)
	bob.server.OnUpdate(accept)
	bob.server.OnAck(func(*sip.Request, sip.ServerTransaction) {})
	bob.awaitServing("udp", bobAddr)
}

// runRefresher lets the refresher refresh calls whose next refresh is always due by the time
// that it has served the others.
func runRefresher(b testing.TB, n *sipnet.Network, method sip.RequestMethod, done chan<- struct{}, stop <-chan struct{}) {
	refresherOf(hooked)(b, n, method, done, stop)
}

func refresherOf(e end) sender {
	return func(b testing.TB, n *sipnet.Network, method sip.RequestMethod, done chan<- struct{}, stop <-chan struct{}) {
		runRefresherOf(e, b, n, method, done, stop)
	}
}

func runRefresherOf(e end, b testing.TB, n *sipnet.Network, method sip.RequestMethod, done chan<- struct{}, stop <-chan struct{}) {
	alice := newBenchUA(b, n, "alice", aliceAddr, "udp", e, middleware.WithJitter(0),
		middleware.WithRefreshLimits(1_000_000_000, atOnce),
		middleware.WithEventHandler(func(e sessiontimer.Event) {
			switch e.(type) {
			case sessiontimer.Refreshed:
				tell(done, stop)
			case sessiontimer.RefreshFailed, sessiontimer.Expired:
				b.Errorf("%#v", e)
			}
		}))
	alice.awaitServing("udp", aliceAddr)
	for i := range refreshed {
		if err := alice.timers.Store().Create(context.Background(), refreshedDialog(alice, i, method)); err != nil {
			b.Fatal(err)
		}
	}
}

// refreshedDialog returns a dialog whose refresh is due 20 ms after the last one.
func refreshedDialog(u *benchUA, i int, method sip.RequestMethod) dialogstore.Dialog {
	const again = 20 * time.Millisecond
	d := dialogstore.Dialog{
		Origin: dialogstore.Origin{
			ID:         dialogstore.ID{CallID: fmt.Sprintf("%036d", i), LocalTag: fmt.Sprintf("%016d", i), RemoteTag: fmt.Sprintf("%032d", i)},
			Transport:  "udp",
			OwnsCallID: true,
			Policy:     sessiontimer.DefaultPolicy(),
		},
		State: dialogstore.State{
			RemoteTarget: bobURI.String(),
			Contact:      "<" + u.contact.Address.String() + ">",
			LocalAddr:    aliceAddr,
			LocalCSeq:    firstCSeq,
			SDP:          []byte(sipnet.SDP),
			SDPType:      "application/sdp",
			PeerSDP:      []byte(sipnet.SDP),
			Session: sessiontimer.Session{Interval: 1800 * time.Second, Refresher: sessiontimer.Local,
				Since: time.Now(), RefreshAfter: again},
			PeerTimer:  true,
			PeerUpdate: true,
		},
	}
	d.LocalURI = fmt.Sprintf("<sip:alice@10.0.0.1>;tag=%s", d.LocalTag)
	d.RemoteURI = fmt.Sprintf("<sip:bob@10.0.0.2>;tag=%s", d.RemoteTag)
	d.Policy.MaxInterval = 2 * again
	if d.Policy.Method = sessiontimer.MethodUpdate; method == sip.INVITE {
		d.Policy.Method = sessiontimer.MethodReInvite
	}
	return d
}

// sendRefreshes is an application that refreshes by hand.
func sendRefreshes(b testing.TB, n *sipnet.Network, method sip.RequestMethod, done chan<- struct{}, stop <-chan struct{}) {
	byHand(b, n, method, (*refreshedCall).do, done, stop)
}

// sendAndKeep is sendRefreshes with re-INVITEs that are acknowledged again.
func sendAndKeep(b testing.TB, n *sipnet.Network, method sip.RequestMethod, done chan<- struct{}, stop <-chan struct{}) {
	byHand(b, n, method, (*refreshedCall).doAndKeep, done, stop)
}

// exchange sends a request and waits for its answer.
type exchange func(*refreshedCall, *sip.Request) (*sip.Response, error)

func byHand(b testing.TB, n *sipnet.Network, method sip.RequestMethod, do exchange, done chan<- struct{}, stop <-chan struct{}) {
	alice := newBenchUA(b, n, "alice", aliceAddr, "udp", stock)
	alice.awaitServing("udp", aliceAddr)
	var wg sync.WaitGroup
	b.Cleanup(wg.Wait)
	for i := range atOnce {
		wg.Go(func() {
			var calls []*refreshedCall
			for i := i; i < refreshed; i += atOnce {
				calls = append(calls, newRefreshedCall(alice, i))
			}
			for {
				for _, c := range calls {
					if err := c.refresh(method, do); err != nil {
						b.Errorf("refresh by hand: %v", err)
						return
					}
					if !tell(done, stop) {
						return
					}
				}
			}
		})
	}
}

// tell reports a refresh; it returns false once stop is closed.
func tell(done chan<- struct{}, stop <-chan struct{}) bool {
	select {
	case done <- struct{}{}:
		return true
	case <-stop:
		return false
	}
}

// refreshedCall is what an application keeps of a call to refresh it by hand.
type refreshedCall struct {
	u      *benchUA
	from   sip.FromHeader
	to     sip.ToHeader
	callID sip.CallIDHeader
	cseq   uint32
}

func newRefreshedCall(u *benchUA, i int) *refreshedCall {
	d := refreshedDialog(u, i, sip.UPDATE)
	c := &refreshedCall{u: u, callID: sip.CallIDHeader(d.CallID), cseq: d.LocalCSeq}
	c.from.Address = sip.Uri{Scheme: "sip", User: "alice", Host: "10.0.0.1"}
	c.from.Params.Add("tag", d.LocalTag)
	c.to.Address = sip.Uri{Scheme: "sip", User: "bob", Host: "10.0.0.2"}
	c.to.Params.Add("tag", d.RemoteTag)
	return c
}

func (c *refreshedCall) request(method sip.RequestMethod, cseq uint32) *sip.Request {
	req := sip.NewRequest(method, bobURI)
	req.AppendHeader(sip.HeaderClone(&c.from))
	req.AppendHeader(sip.HeaderClone(&c.to))
	req.AppendHeader(&c.callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: cseq, MethodName: method})
	req.AppendHeader(sip.HeaderClone(&c.u.contact))
	return req
}

// refresh sends the request, and the ACK of a re-INVITE.
func (c *refreshedCall) refresh(method sip.RequestMethod, do exchange) error {
	c.cseq++
	req := c.request(method, c.cseq)
	req.AppendHeader(sip.NewHeader("Supported", "timer"))
	req.AppendHeader(sip.NewHeader("Session-Expires", "1800;refresher=uac"))
	req.AppendHeader(sip.NewHeader("Allow", allowed))
	if method == sip.INVITE {
		req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		req.SetBody([]byte(sipnet.SDP))
	}
	res, err := do(c, req)
	switch {
	case err != nil:
		return err
	case !res.IsSuccess():
		return fmt.Errorf("answered %d", res.StatusCode)
	case method == sip.INVITE:
		return c.ack(c.cseq)
	}
	return nil
}

func (c *refreshedCall) ack(cseq uint32) error {
	return c.u.client.WriteRequest(c.request(sip.ACK, cseq))
}

func (c *refreshedCall) do(req *sip.Request) (*sip.Response, error) {
	return c.u.client.Do(context.Background(), req)
}

func (c *refreshedCall) doAndKeep(req *sip.Request) (*sip.Response, error) {
	tx, err := c.u.client.TransactionRequest(context.Background(), req)
	if err != nil {
		return nil, err
	}
	cseq := req.CSeq().SeqNo
	tx.OnRetransmission(func(*sip.Response) { _ = c.ack(cseq) })
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() { // sipgo sends 100 where a machine is busy
				return res, nil
			}
		case <-tx.Done():
			return nil, tx.Err()
		}
	}
}

// Both senders of BenchmarkRefresh send and receive the same messages, except for the order
// of header fields and random values.
func TestRefreshBytes(t *testing.T) {
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE} {
		stock, ours := refreshLines(t, method, sendRefreshes), refreshLines(t, method, runRefresher)
		if diff := cmp.Diff(stock, ours); diff != "" {
			t.Errorf("%s (-stock +refresher):\n%s", method, diff)
		}
	}
}

// refreshLines are the sorted lines of each message of the first refresh of the
// first call.
func refreshLines(t *testing.T, method sip.RequestMethod, send sender) map[string][]string {
	n := sipnet.New()
	defer n.Close()
	first := refreshedDialog(&benchUA{}, 0, method).CallID
	lines := make(map[string][]string)
	t.Run("", func(t *testing.T) {
		done, limit := refresh(t, n, method, send), time.After(30*time.Second)
		for range refreshed {
			select {
			case <-done:
			case <-limit:
				t.Fatal("no refresh")
			}
		}
	})
	for _, m := range n.Messages() {
		if m.SIP.CallID().Value() != first || m.SIP.CSeq().SeqNo != firstCSeq+1 {
			continue
		}
		text := strings.ReplaceAll(m.SIP.String(), m.SIP.Via().Params.GetOr("branch", ""), "branch")
		lines[sipnet.Label(m.SIP)] = slices.Sorted(strings.SplitSeq(text, "\r\n"))
	}
	return lines
}
