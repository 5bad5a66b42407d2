package middleware_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// The states of nodes in text, also where a newer version has another one.
func TestNodeStateText(t *testing.T) {
	for state, want := range map[middleware.NodeState]string{
		middleware.NodeAlive: "alive", middleware.NodeSilent: "silent", middleware.NodeLeft: "left", middleware.NodeDead: "dead",
		middleware.NodeDead + 1: "unknown",
	} {
		text, err := state.MarshalText()
		if state.String() != want || string(text) != want || err != nil {
			t.Errorf("%d: %s, as text %s, %v; want %s", state, state, text, err, want)
		}
	}
}

// The errors say what is wrong, and how many goroutines Close has left.
func TestErrorText(t *testing.T) {
	if text := (&middleware.CloseError{Left: 3}).Error(); !strings.HasPrefix(text, "middleware: 3 goroutines ") {
		t.Errorf("%q", text)
	}
	if text := (&middleware.AttachError{Reason: "of the test"}).Error(); text != "middleware: cannot attach: of the test" {
		t.Errorf("%q", text)
	}
}

// An option that fails is the error of whoever was given it, and attaches nothing.
func TestOptionFails(t *testing.T) {
	ua, err := sipgo.NewUA()
	if err != nil {
		t.Fatal(err)
	}
	defer ua.Close()
	timers, err := middleware.New(ua)
	if err != nil {
		t.Fatal(err)
	}
	defer timers.Close()
	if timers.UserAgent() != ua {
		t.Error("the user agent is another")
	}
	failed := errors.New("of the test")
	if s, err := timers.NewServer(func(*sipgo.Server) error { return failed }); s != nil || !errors.Is(err, failed) {
		t.Errorf("a server: %v, %v", s, err)
	}
	if c, err := timers.NewClient(func(*sipgo.Client) error { return failed }); c != nil || !errors.Is(err, failed) {
		t.Errorf("a client: %v, %v", c, err)
	}
	if _, err := middleware.New(ua, middleware.WithFailover(failover.NewMemory(), failover.WithName("a\nb"))); err == nil {
		t.Error("a node whose name has two lines: no error")
	}
}

// A refresh leaves through the client that began the call, also where another one has the
// address of the call in its Via.
func TestRefreshByTheSameClient(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		other, err := alice.Timers.NewClient(sipgo.WithClientLogger(sipua.Quiet), sipgo.WithClientHostname("other.example"), sipgo.WithClientConnectionAddr(aliceAddr))
		if err != nil {
			l.Fatal(err)
		}
		calls := sipgo.NewDialogClientCache(other, sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "alice", Host: "10.0.0.1", Port: 5060}})
		go func() {
			d, err := calls.Invite(l.Context(), peerURI, []byte(alice.SDP), sip.NewHeader("Content-Type", "application/sdp"))
			if err == nil {
				err = d.WaitAnswer(l.Context(), sipgo.AnswerOptions{})
			}
			if err == nil {
				err = d.Ack(l.Context())
			}
			if err != nil {
				l.Error(err)
			}
		}()
		p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", "Session-Expires: 1800;refresher=uac", "Require: timer", "Allow: UPDATE")
		p.ExpectRequest(l, sip.ACK)
		l.at(seconds(900))
		update := p.ExpectRequest(l, sip.UPDATE)
		if via := update.Via().Host; via != "other.example" {
			l.Errorf("the refresh comes from %s, want the client of the INVITE", via)
		}
		p.Reply(update, 200, "OK", "Session-Expires: 1800;refresher=uac", "Require: timer")
	})
}

// The handler of an adapter and what is said of the stack above are those of the timers.
func TestAdapter(t *testing.T) {
	inLab(t, func(l *lab) {
		alice := l.alice()
		a := alice.Timers.Adapter()
		byes := 0
		a.SetHost(middleware.Host{Bye: func(*sip.Request, sip.ServerTransaction) { byes++ }})
		l.callPeer(alice, l.peer(), "Session-Expires: 90;refresher=uas", "Require: timer")
		l.at(seconds(91))
		if byes != 1 {
			l.Errorf("the host was told of the end %d times, want once", byes)
		}
		var passed []sip.RequestMethod
		h := a.Handler(func(req *sip.Request, _ sip.ServerTransaction) { passed = append(passed, req.Method) })
		h(sip.NewRequest(sip.OPTIONS, sip.Uri{}), nil)
		if len(passed) != 1 || passed[0] != sip.OPTIONS {
			l.Errorf("the handler gets %v, want OPTIONS", passed)
		}
	})
}
