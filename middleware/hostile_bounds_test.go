package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// mute is a server transaction that records its responses.
type mute struct{ sent []*sip.Response }

func (m *mute) Respond(res *sip.Response) error  { m.sent = append(m.sent, res); return nil }
func (*mute) Acks() <-chan *sip.Request          { return nil }
func (*mute) OnCancel(sip.FnTxCancel) bool       { return true }
func (*mute) Terminate()                         {}
func (*mute) Done() <-chan struct{}              { return nil }
func (*mute) Err() error                         { return nil }
func (*mute) OnTerminate(sip.FnTxTerminate) bool { return true }
func (*mute) Connection() sip.Connection         { return nil }

// A call with names or routes beyond the bounds is answered as without timers, and
// nothing of it is kept.
func TestBoundsOfNames(t *testing.T) {
	route := func(n int) func(*draft) {
		return func(d *draft) {
			for range n {
				d.add("Record-Route", "<sip:a;lr>")
			}
		}
	}
	set := func(name, value string) func(*draft) { return func(d *draft) { d.set(name, value) } }
	long := strings.Repeat("l", 9000)
	for _, c := range []struct {
		name   string
		change func(*draft)
		kept   bool
	}{
		{"nothing odd", func(*draft) {}, true},
		{"Call-ID of 512", set("Call-ID", long[:512]), true},
		{"Call-ID of 513", set("Call-ID", long[:513]), false},
		{"tag of 512", set("From", "<sip:p@10.0.0.9>;tag="+long[:512]), true},
		{"tag of 513", set("From", "<sip:p@10.0.0.9>;tag="+long[:513]), false},
		{"70 routes", route(70), true},
		{"71 routes", route(71), false},
		{"2400 routes", route(2400), false},
		{"71 routes in one field", set("Record-Route", strings.Repeat("<sip:a;lr>,", 70)+"<sip:a;lr>"), false},
		{"From of 8 kB", set("From", `"`+long[:8192]+`" <sip:p@10.0.0.9>;tag=x`), false},
		{"Contact of 9 kB", set("Contact", "<sip:"+long+"@10.0.0.9>"), false},
		{"Contact of 7 kB", set("Contact", "<sip:"+long[:7000]+"@10.0.0.9>"), true},
		{"LF in Call-ID", set("Call-ID", "a\nX-Injected: 1"), false},
		{"LF in From", set("From", "\"a\nX-Injected: 1\" <sip:p@10.0.0.9>;tag=x"), false},
		{"LF in To", set("To", "\"a\nX-Injected: 1\" <sip:b@10.0.0.2>"), false},
		{"LF in the tag", set("From", "<sip:p@10.0.0.9>;tag=x\ny"), false},
		{"LF in Contact", set("Contact", "<sip:a\nX-Injected: 1@10.0.0.9>"), false},
		{"LF in Record-Route", set("Record-Route", "<sip:10.0.0.9;lr;x=\nX-Injected: 1>"), false},
		{"NUL in Contact", set("Contact", "<sip:a\x00@10.0.0.9>"), false},
		{"DEL in Contact", set("Contact", "<sip:a\x7f@10.0.0.9>"), false},
		{"LF where nothing is kept", set("Subject", "a\nX-Injected: 1"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				ua, _ := sipgo.NewUA()
				l.Cleanup(func() { _ = ua.Close() })
				timers, err := middleware.New(ua, middleware.WithLogger(sipua.Quiet))
				if err != nil {
					l.Fatal(err)
				}
				defer timers.Close()
				d := (&attacker{tag: "peer", callID: "call"}).request(sip.INVITE, false)
				c.change(d)
				msg, err := sip.ParseMessage(d.bytes())
				if err != nil {
					l.Fatal(err)
				}
				msg.SetTransport("TCP") // no bound of a datagram
				tx := &mute{}
				timers.Handler(func(req *sip.Request, tx sip.ServerTransaction) {
					res := sip.NewSDPResponseFromRequest(req, []byte(sipnet.SDP))
					res.To().Params.Add("tag", "bob")
					_ = tx.Respond(res)
				})(msg.(*sip.Request), tx)
				if _, err := timers.Store().Load(context.Background(), idOf(tx.sent[0])); errors.Is(err, dialogstore.ErrNotFound) == c.kept {
					l.Errorf("loading the dialog: %v, should be kept: %v", err, c.kept)
				}
				if got := field(tx.sent[0], "Session-Expires") != ""; got != c.kept {
					l.Errorf("a timer is promised: %v, should be %v", got, c.kept)
				}
				if legs, _, _ := timers.Left(); legs > 0 && !c.kept {
					l.Errorf("%d legs are left", legs)
				}
			})
		})
	}
}

// idOf names the dialog of an answer of ours.
func idOf(res *sip.Response) dialogstore.ID {
	return dialogstore.ID{CallID: res.CallID().Value(), LocalTag: tagOf(res.To().Params), RemoteTag: tagOf(res.From().Params)}
}

// The names of a party that we call have the same bounds, in the first answer and in
// another one to a forked INVITE. The call goes on without a timer.
func TestBoundsOfAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*draft)
	}{
		{"LF in To", func(d *draft) { d.set("To", "\"a\nX: 1\" "+d.get("To")) }},
		{"LF in Contact", func(d *draft) { d.set("Contact", "<sip:a\nX: 1@10.0.0.9>") }},
		{"LF in Record-Route", func(d *draft) { d.set("Record-Route", "<sip:10.0.0.9;lr;x=\nX: 1>") }},
		{"another Call-ID", func(d *draft) { d.set("Call-ID", "other") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				n := sipnet.New()
				bob, a := newSubject(t, n, true), newAttacker(n)
				go bob.call(time.Minute)
				a.listen()
				d := a.response(a.heard[0], 200)
				c.change(d)
				a.send(d)
				a.listen()
				if up := len(bob.alive()); up != 1 {
					t.Errorf("the application has %d calls, should have one", up)
				}
				time.Sleep(2 * time.Hour)
				if _, _, stored := bob.timers.Left(); stored > 0 {
					t.Errorf("%d dialogs are kept", stored)
				}
				for _, m := range n.Messages() {
					if label := sipnet.Label(m.SIP); m.From == bob.addr && label != "INVITE" && label != "ACK" {
						t.Errorf("%v: %s is sent", m.At, label)
					}
				}
				bob.stop(n)
			})
		})
	}
}

// A Contact beyond the bounds does not move the peer: the refresh goes to the previous one.
func TestBoundsOfTargets(t *testing.T) {
	for _, contact := range []string{"<sip:a\nX: 1@" + strangerAddr + ">", "<sip:" + strings.Repeat("x", 9000) + "@" + strangerAddr + ">"} {
		for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE} {
			t.Run(fmt.Sprintf("%s %.12q", method, contact), func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					n := sipnet.New()
					bob, a := newSubject(t, n, true), newAttacker(n)
					a.send(a.request(sip.INVITE, false))
					a.listen()
					a.send(a.request(sip.ACK, true))
					d := a.request(method, true)
					d.set("Contact", contact)
					a.send(d)
					a.listen()
					if method == sip.INVITE {
						a.send(a.request(sip.ACK, true))
					}
					time.Sleep(time.Minute)
					a.listen()
					if len(a.heard) == 0 || !strings.Contains(a.heard[0].Recipient.String(), "10.0.0.9") {
						t.Errorf("the refresh does not go to the Contact of the INVITE: %v", a.heard)
					}
					bob.stop(n)
				})
			})
		}
	}
}

// Of thirty parties that answer an INVITE eight are remembered, as long as they wait for
// the ACK.
func TestForksAreForgotten(t *testing.T) {
	inLab(t, func(l *lab) {
		f := l.fork(ours)
		before := f.alice.Timers.Remembered()
		for i := range 30 {
			f.answer(fmt.Sprint("fork-", i))
		}
		if got := f.alice.Timers.Remembered() - before; got != 8 {
			l.Errorf("%d forks are remembered, want 8", got)
		}
		time.Sleep(32 * time.Second)
		synctest.Wait()
		if got := f.alice.Timers.Remembered() - before; got > 0 {
			l.Errorf("after 32 s %d forks are remembered, want none", got)
		}
	})
}

// What a ringing party says of itself counts for its call, of eight parties at most: the
// ninth is refreshed as if it had not said that it allows UPDATE. sipgo's dialogs wait for
// no more than ten responses.
func TestRingingPartiesAreBounded(t *testing.T) {
	for answered, want := range map[int]sip.RequestMethod{0: sip.UPDATE, 7: sip.UPDATE, 8: sip.INVITE} {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			_, outcome := l.dial(alice)
			invite := p.ExpectRequest(l, sip.INVITE)
			of := func(i int) string { return fmt.Sprintf("To: %s;tag=party-%d", invite.To().Value(), i) }
			for i := range 9 {
				p.Reply(invite, 180, "Ringing", of(i), allow)
				synctest.Wait()
			}
			p.Reply(invite, 200, "OK", of(answered), ours)
			p.ExpectRequest(l, sip.ACK)
			if err := <-outcome; err != nil {
				l.Fatal(err)
			}
			l.wantNext(p, want, 900*time.Second)
		})
	}
}

// H-07: the application's dialog refuses a BYE with a repeated number and lives on, and so
// does its timer; it is the same without timers.
func TestOldByeEndsNothing(t *testing.T) {
	for _, timers := range []bool{false, true} {
		for cseq, ends := range map[uint32]bool{1: false, 10: false, 11: true} {
			bubble.Test(t, func(t *testing.T) {
				n := sipnet.New()
				bob, a := newSubject(t, n, timers), newAttacker(n)
				bob.bye = func(req *sip.Request, tx sip.ServerTransaction) bool {
					return req.CSeq().SeqNo < 11 && tx.Respond(sip.NewResponseFromRequest(req, 481, "No", nil)) == nil
				}
				a.cseq = 9
				a.send(a.request(sip.INVITE, false))
				a.listen()
				a.send(a.request(sip.ACK, true))
				time.Sleep(time.Second)
				d := a.request(sip.BYE, true)
				d.set("CSeq", fmt.Sprint(cseq, " BYE"))
				a.send(d)
				a.listen()
				if got := len(bob.alive()) == 0; got != ends {
					t.Errorf("timers %v: after a BYE with number %d the call is over: %v, want %v", timers, cseq, got, ends)
				}
				time.Sleep(time.Minute)
				a.listen()
				if got := len(a.heard) > 0; timers && got == ends {
					t.Errorf("after a BYE with number %d the call is refreshed: %v, want %v", cseq, got, !ends)
				}
				bob.stop(n)
			})
		}
	}
}
