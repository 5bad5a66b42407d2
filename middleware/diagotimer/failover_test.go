package diagotimer_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// TestTakenOver: a call of the process before lives on under diago, which has no dialog
// of it: it is refreshed and not hung up, and the peer's requests are answered.
func TestTakenOver(t *testing.T) {
	for _, role := range []string{"caller", "callee"} {
		t.Run(role, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) { takenOver(t, role) })
		})
	}
}

func takenOver(t *testing.T, role string) {
	n, registry := sipnet.New(), failover.NewMemory()
	on := func() middleware.Option { return middleware.WithFailover(registry, failover.WithName("phone")) }
	before := &scripted{phone: newPhone(t, n, "udp", on()), peer: n.Peer(otherAddr)}
	died := make(chan struct{})
	before.dg.HandleFunc(func(d *diago.DialogServerSession) {
		if m, err := ring(d, before.media()); err == nil {
			before.taken = &session{d, m}
			_ = accept(d, m, diago.AnswerOptions{})
		}
		<-died
	})
	if role == "caller" {
		before.calls(t, "600;refresher=uac")
	} else {
		before.isCalled(t, "600;refresher=uas")
	}
	time.Sleep(100 * time.Second)
	_ = before.timers.Close()
	n.Silence(phoneAddr) // what diago says when its handlers return is not heard
	close(died)
	time.Sleep(64 * sip.T1)
	_ = before.socket.Close()
	_ = before.ua.Close()
	synctest.Wait()
	n.Restore(phoneAddr)

	s := &scripted{phone: newPhone(t, n, "udp", on()), peer: before.peer}
	defer s.stop()
	for i := range 3 { // the first 300 s after the call began, and so on
		refresh := nextRequest(t, s.peer, 310*time.Second)
		if refresh.Method != sip.UPDATE {
			t.Fatalf("refresh %d is %s", i, refresh.Method)
		}
		s.peer.Reply(refresh, 200, "OK", "Require: timer", "Session-Expires: 600;refresher=uac")
		synctest.Wait()
	}
	for _, c := range []struct {
		method sip.RequestMethod
		body   []string
		want   int
	}{
		{sip.UPDATE, nil, 200},
		{sip.INVITE, []string{offer(1, 4000, "sendrecv")}, 200},
		{sip.INVITE, []string{offer(2, 4000, "sendonly")}, 488},
		{sip.INFO, nil, 405},
		{sip.REFER, []string{"Refer-To: <sip:x@10.0.0.1>"}, 405},
		{sip.BYE, nil, 200},
	} {
		time.Sleep(time.Second)
		s.peer.Request(c.method, append([]string{"Supported: timer"}, c.body...)...)
		res := s.peer.ExpectResponse(t, c.want)
		if c.method == sip.INVITE {
			s.peer.Ack(res)
		}
		synctest.Wait()
	}
	var kinds []string
	for _, e := range s.told() {
		kinds = append(kinds, strings.Fields(e)[1])
	}
	if got, want := strings.Join(kinds, " "), "TakenOver Refreshed Refreshed Refreshed Refreshed Refreshed Ended"; got != want {
		t.Errorf("events %s, want %s", got, want)
	}
	s.wantIdle()
	time.Sleep(64 * sip.T1)
	sipnet.CheckCSeq(t, n.Messages())
	if t.Failed() {
		t.Log("the call:\n" + strings.Join(rows(n, 0), "\n"))
	}
}

func nextRequest(t *testing.T, p *sipnet.Peer, patience time.Duration) *sip.Request {
	t.Helper()
	msg, _ := p.Recv(patience)
	req, ok := msg.(*sip.Request)
	if !ok {
		t.Fatalf("got %v within %v, want a request", msg, patience)
	}
	return req
}
