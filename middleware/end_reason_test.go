package middleware_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// ending is a lab in which one call ends. alice calls, bob is called; the other end
// of both is the peer.
type ending struct {
	*lab
	alice, bob *sipua.UA
	p          *sipnet.Peer
	byes       []string // the Reason of each BYE that an application gets
}

// bye is a BYE handler.
func (e *ending) bye(req *sip.Request, tx sip.ServerTransaction) {
	e.byes = append(e.byes, field(req, "Reason"))
	_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
}

// endings has a way to provoke each cause.
var endings = []struct {
	reason sessiontimer.Reason
	way    string
	end    func(*ending) *sipua.UA // returns whose call it was
}{
	{sessiontimer.Reason{Cause: sessiontimer.CauseExpired}, "the peer does not refresh",
		func(e *ending) *sipua.UA {
			e.peerCalls(e.p, e.bob, timerHeader, allow, se1800)
			e.at(1768 * time.Second)
			return e.bob
		}},
	{sessiontimer.Reason{Cause: sessiontimer.CauseExpired}, "the peer refuses our refreshes",
		func(e *ending) *sipua.UA {
			e.callPeer(e.alice, e.p, allow, se1800)
			e.at(900 * time.Second)
			e.p.Reply(e.p.ExpectRequest(e, sip.UPDATE), 403, "No")
			for e.net.Elapsed() < 1800*time.Second {
				if msg, ok := e.p.Recv(1800*time.Second - e.net.Elapsed()); ok && sipnet.Label(msg) != "BYE" {
					e.p.Reply(msg.(*sip.Request), 403, "No")
				}
			}
			synctest.Wait()
			return e.alice
		}},
	{sessiontimer.Reason{Cause: sessiontimer.CauseRefreshAnswered, Status: 481}, "the peer has no such call",
		func(e *ending) *sipua.UA {
			e.callPeer(e.alice, e.p, allow, se1800)
			e.at(900 * time.Second)
			e.p.Reply(e.p.ExpectRequest(e, sip.UPDATE), 481, "Gone")
			synctest.Wait()
			return e.alice
		}},
	{sessiontimer.Reason{Cause: sessiontimer.CauseRefreshUnanswered}, "the peer does not answer our refresh",
		func(e *ending) *sipua.UA {
			e.callPeer(e.alice, e.p, se1800)
			e.at(1800 * time.Second)
			return e.alice
		}},
	{sessiontimer.Reason{Cause: sessiontimer.CauseNoACK}, "the peer does not acknowledge our answer to its re-INVITE",
		func(e *ending) *sipua.UA {
			e.peerCalls(e.p, e.bob, timerHeader, allow, se1800)
			e.p.Request(sip.INVITE, timerHeader, se1800)
			e.p.ExpectResponse(e, 200)
			e.at(64 * sip.T1)
			return e.bob
		}},
	{sessiontimer.Reason{Cause: sessiontimer.CauseDialogClosed}, "the application has dropped its dialog, as our refresh shows",
		func(e *ending) *sipua.UA {
			e.callPeer(e.alice, e.p, allow, se1800)
			e.alice.Timers.SetHost(middleware.Host{Bye: e.bye, Gone: func(dialogstore.Dialog) bool { return true }})
			e.at(900 * time.Second)
			return e.alice
		}},
	{sessiontimer.Reason{Cause: sessiontimer.CauseDialogClosed}, "the application has dropped its dialog, as the peer's refresh shows",
		func(e *ending) *sipua.UA {
			e.peerCalls(e.p, e.bob, timerHeader, allow, se1800)
			e.bob.Timers.SetHost(middleware.Host{Gone: func(dialogstore.Dialog) bool { return true }})
			e.p.Request(sip.UPDATE, timerHeader, se1800)
			e.p.ExpectResponse(e, 481)
			return e.bob
		}},
	{sessiontimer.Reason{Cause: sessiontimer.CauseHungUp}, "the application hangs up",
		func(e *ending) *sipua.UA {
			d := e.callPeer(e.alice, e.p, allow, se1800)
			go func() { _ = d.Bye(context.Background()) }()
			e.p.Reply(e.p.ExpectRequest(e, sip.BYE), 200, "OK")
			synctest.Wait()
			return e.alice
		}},
	{sessiontimer.Reason{Cause: sessiontimer.CausePeerHungUp}, "the peer hangs up",
		func(e *ending) *sipua.UA {
			e.peerCalls(e.p, e.bob, timerHeader, allow, se1800)
			e.p.Request(sip.BYE)
			e.p.ExpectResponse(e, 200)
			return e.bob
		}},
	{sessiontimer.Reason{Cause: sessiontimer.CauseTakenOver}, "its node died, and the next one ends such calls",
		func(e *ending) *sipua.UA {
			e.callPeer(e.alice, e.p, allow, se1800)
			var rows []dialogstore.Dialog
			for d := range e.alice.Timers.Store().All(context.Background()) {
				rows = append(rows, d)
			}
			e.byes = []string{"Q.850;cause=41;text=\"Node of the call died\""} // its application has no dialog
			return e.restart(e.alice, time.Second, middleware.WithFailover(leftBehind(e, rows...),
				failover.WithName("node"), failover.WithTakeover(failover.End)))
		}},
	{sessiontimer.Reason{}, "somebody deletes the dialog from the store",
		func(e *ending) *sipua.UA {
			e.peerCalls(e.p, e.bob, timerHeader, allow, se1800)
			for d := range e.bob.Timers.Store().All(context.Background()) {
				_, _ = e.bob.Timers.Store().Delete(context.Background(), d.ID)
			}
			return e.bob
		}},
}

// F-23: the event Ended has the reason. If we hang up, so have Expired before it, the BYE
// on the wire and the BYE that the application's handler gets.
func TestReasonOfEveryEnd(t *testing.T) {
	provoked := make(map[sessiontimer.Cause]bool)
	for _, c := range endings {
		provoked[c.reason.Cause] = true
		t.Run(fmt.Sprintf("%s/%s", c.reason, c.way), func(t *testing.T) {
			inLab(t, func(l *lab) {
				e := &ending{lab: l, alice: l.alice(), bob: l.bob(), p: l.peer()}
				e.alice.Server.OnBye(e.bye)
				e.bob.Server.OnBye(e.bye)
				e.wantReasons(c.end(e), c.reason)
			})
		})
	}
	for cause := range sessiontimer.Cause(255) {
		if !provoked[cause] && !strings.HasPrefix(cause.String(), "unknown") {
			t.Errorf("no call ends by cause %d, %q; want one here", cause, cause)
		}
	}
}

// wantReasons checks the events of the only call of u, which has ended.
func (e *ending) wantReasons(u *sipua.UA, want sessiontimer.Reason) {
	e.Helper()
	synctest.Wait()
	var told []string
	expired := false
	for _, recorded := range u.Events() {
		switch event := recorded.Event.(type) {
		case sessiontimer.Expired:
			told, expired = append(told, event.Reason.String()), true
			if event.Reason != want {
				e.Errorf("Expired has the reason %+v, want %+v", event.Reason, want)
			}
		case sessiontimer.Ended:
			told = append(told, "Ended")
			if event.Reason != want {
				e.Errorf("Ended has the reason %+v, want %+v", event.Reason, want)
			}
		}
	}
	if len(told) == 0 || told[len(told)-1] != "Ended" {
		e.Errorf("%s is told %q, want the end last", u.Name, told)
	}
	if ours := want.Cause >= sessiontimer.CauseExpired && want.Cause <= sessiontimer.CauseNoACK; ours && !expired {
		e.Errorf("%s is told %q, want Expired first", u.Name, told)
	}
	if !expired {
		return
	}
	header := fmt.Sprintf("SIP;cause=408;text=%q", want)
	if want.Cause == sessiontimer.CauseTakenOver {
		header = fmt.Sprintf("Q.850;cause=41;text=%q", want)
	}
	if got := e.byes; len(got) != 1 || got[0] != header {
		e.Errorf("the application gets BYEs with the Reasons %q, want one with %q", got, header)
	}
	for _, m := range e.net.Messages() {
		if m.From == u.Addr && sipnet.Label(m.SIP) == "BYE" && field(m.SIP, "Reason") != header {
			e.Errorf("the BYE on the wire has Reason %q, want %q", field(m.SIP, "Reason"), header)
		}
	}
}
