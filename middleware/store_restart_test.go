package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// farStore is a remote store: dialogs go through JSON, and it may be slow or fail.
type farStore struct {
	kept  dialogstore.Memory
	fault atomic.Pointer[fault]
}

type fault struct {
	delay     time.Duration
	operation string // that fails; empty for none, "any" for each
}

var errNoDatabase = errors.New("no such database")

func (s *farStore) visit(ctx context.Context, operation string) error {
	f := s.fault.Load()
	if f == nil {
		return nil
	}
	select {
	case <-time.After(f.delay):
	case <-ctx.Done():
		return ctx.Err()
	}
	if f.operation == operation || f.operation == "any" {
		return errNoDatabase
	}
	return nil
}

func travelled(d dialogstore.Dialog) dialogstore.Dialog {
	row, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	var out dialogstore.Dialog
	if err := json.Unmarshal(row, &out); err != nil {
		panic(err)
	}
	return out
}

func (s *farStore) Load(ctx context.Context, id dialogstore.ID) (dialogstore.Dialog, error) {
	if err := s.visit(ctx, "load"); err != nil {
		return dialogstore.Dialog{}, err
	}
	d, err := s.kept.Load(ctx, id)
	return travelled(d), err
}

func (s *farStore) Create(ctx context.Context, d dialogstore.Dialog) error {
	if err := s.visit(ctx, "create"); err != nil {
		return err
	}
	return s.kept.Create(ctx, travelled(d))
}

func (s *farStore) Update(ctx context.Context, id dialogstore.ID,
	change func(dialogstore.Dialog) (dialogstore.Dialog, error)) (before, after dialogstore.Dialog, err error) {
	if err := s.visit(ctx, "update"); err != nil {
		return before, after, err
	}
	before, after, err = s.kept.Update(ctx, id, func(d dialogstore.Dialog) (dialogstore.Dialog, error) {
		d, err := change(travelled(d))
		return travelled(d), err
	})
	return travelled(before), travelled(after), err
}

func (s *farStore) Delete(ctx context.Context, id dialogstore.ID) (dialogstore.Dialog, error) {
	if err := s.visit(ctx, "delete"); err != nil {
		return dialogstore.Dialog{}, err
	}
	d, err := s.kept.Delete(ctx, id)
	return travelled(d), err
}

func (s *farStore) All(ctx context.Context) iter.Seq2[dialogstore.Dialog, error] {
	return func(yield func(dialogstore.Dialog, error) bool) {
		for d, err := range s.kept.All(ctx) {
			if !yield(travelled(d), err) {
				return
			}
		}
	}
}

// restart ends the process of u, not its calls, and starts another one at the same address
// after the given time.
func (l *lab) restart(u *sipua.UA, down time.Duration, opts ...middleware.Option) *sipua.UA {
	l.Helper()
	u.Kill()
	l.uas = slices.DeleteFunc(l.uas, func(other *sipua.UA) bool { return other == u })
	time.Sleep(down)
	synctest.Wait()
	next := l.ua(u.Name, u.Addr, opts...)
	if err := next.Timers.Restore(context.Background()); err != nil {
		l.Fatalf("Restore: %v", err)
	}
	synctest.Wait()
	return next
}

// Trap23: after a restart the stored calls go on: the refresh on time, the next CSeq, the
// same session description.
func TestStoreRestart(t *testing.T) {
	for _, c := range []struct {
		name    string
		allow   string
		method  sip.RequestMethod
		down    time.Duration
		refresh time.Duration
	}{
		{"Trap23 UPDATE on time", allow, sip.UPDATE, 100 * time.Second, 1800 * time.Second},
		{"Trap23 re-INVITE on time", "Allow: INVITE", sip.INVITE, 100 * time.Second, 1800 * time.Second},
		{"F-27 UPDATE overdue", allow, sip.UPDATE, 1000 * time.Second, 2000 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				store := &farStore{}
				alice, p := l.alice(middleware.WithStore(store)), l.peer()
				l.callPeer(alice, p, c.allow, timerHeader, se1800)
				l.at(899 * time.Second)
				answer := func() *sip.Request {
					req := p.ExpectRequest(l, c.method)
					p.Reply(req, 200, "OK", se1800)
					if c.method == sip.INVITE {
						p.ExpectRequest(l, sip.ACK)
					}
					synctest.Wait()
					return req
				}
				first := answer()
				l.at(1000 * time.Second)
				alice = l.restart(alice, c.down, middleware.WithStore(store))
				l.at(c.refresh)
				second := answer()
				if got := l.sent(aliceAddr, c.method); got[len(got)-1] != c.refresh {
					l.Errorf("refreshed at %v after the restart, want %v", got[len(got)-1], c.refresh)
				}
				if a, b := first.CSeq().SeqNo, second.CSeq().SeqNo; b != a+1 {
					l.Errorf("CSeq went from %d to %d over the restart, want one more", a, b)
				}
				if string(first.Body()) != string(second.Body()) || field(second, "Session-Expires") != "1800;refresher=uac" {
					l.Errorf("refreshed with %q and\n%s\nbefore the restart with\n%s", field(second, "Session-Expires"), second.Body(), first.Body())
				}
				// The peer hangs up, and the new process forgets the call.
				p.Request(sip.BYE)
				if msg, ok := p.Recv(time.Second); !ok {
					l.Error("the peer's BYE after the restart got no answer")
				} else if res := msg.(*sip.Response); res.StatusCode != 481 {
					l.Errorf("the peer's BYE got %s, want 481 of an application that knows no call", res.StartLine())
				}
				l.wantNothingLeft(alice)
			})
		})
	}
}

// Trap23: a call that died while the process was down is ended.
func TestStoreRestartEndsDeadCalls(t *testing.T) {
	inLab(t, func(l *lab) {
		store := &farStore{}
		bob, p := l.bob(middleware.WithStore(store)), l.peer()
		l.peerCalls(p, bob, timerHeader, allow, se1800)
		l.at(1000 * time.Second)
		bob = l.restart(bob, 100*time.Second, middleware.WithStore(store))
		l.at(1769 * time.Second)
		l.wantSent(bobAddr, sip.BYE, 1768*time.Second)
		p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
		l.peerCalls(p, bob, timerHeader, allow, se1800)
		l.at(1800 * time.Second)
		bob = l.restart(bob, time.Hour, middleware.WithStore(store))
		l.wantSent(bobAddr, sip.BYE, 1768*time.Second, 5400*time.Second)
		p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
		l.wantNothingLeft(bob)
	})
}

// An application that resumes its own dialogs after a restart continues its own numbers, and
// does not know of the refreshes.
func TestStoreRestartNumbersApplication(t *testing.T) {
	inLab(t, func(l *lab) {
		store := &farStore{}
		alice, p := l.alice(middleware.WithStore(store)), l.peer()
		d := l.callPeer(alice, p, allow, timerHeader, se1800)
		l.at(899 * time.Second)
		update := p.ExpectRequest(l, sip.UPDATE)
		p.Reply(update, 200, "OK", se1800)
		l.at(1000 * time.Second)
		alice = l.restart(alice, time.Second, middleware.WithStore(store))
		bye := sip.NewRequest(sip.BYE, peerURI)
		for _, h := range []sip.Header{d.InviteRequest.From(), d.InviteResponse.To(), d.InviteRequest.CallID(),
			&sip.CSeqHeader{SeqNo: d.InviteRequest.CSeq().SeqNo + 1, MethodName: sip.BYE}} {
			bye.AppendHeader(sip.HeaderClone(h))
		}
		go func() { _, _ = alice.Client.Do(context.Background(), bye) }()
		got := p.ExpectRequest(l, sip.BYE)
		p.Reply(got, 200, "OK")
		if want := update.CSeq().SeqNo + 1; got.CSeq().SeqNo != want {
			l.Errorf("the application's BYE is numbered %d, want %d", got.CSeq().SeqNo, want)
		}
		l.wantNothingLeft(alice)
	})
}

// A store that fails or is slow costs at most the timer and never the call:
// neither side hangs up before the applications do.
func TestStoreNeverBreaksCalls(t *testing.T) {
	for _, c := range []struct {
		name string
		fault
		from  time.Duration // when it begins
		until time.Duration // and ends
	}{
		{name: "fails always", fault: fault{operation: "any"}},
		{name: "cannot create", fault: fault{operation: "create"}},
		{name: "cannot load", fault: fault{operation: "load"}},
		{name: "cannot update", fault: fault{operation: "update"}},
		{name: "fails from 800 s on", fault: fault{operation: "any"}, from: 800 * time.Second},
		{name: "fails from 800 to 1000 s", fault: fault{operation: "any"}, from: 800 * time.Second, until: 1000 * time.Second},
		{name: "cannot update from 800 to 1000 s", fault: fault{operation: "update"}, from: 800 * time.Second, until: 1000 * time.Second},
		{name: "fails from 1000 to 1700 s", fault: fault{operation: "any"}, from: 1000 * time.Second, until: 1700 * time.Second},
		{name: "takes a second", fault: fault{delay: time.Second}},
		{name: "takes a minute", fault: fault{delay: time.Minute}},
	} {
		for _, side := range []string{"caller's", "callee's"} {
			for _, refresher := range []sessiontimer.Refresher{sessiontimer.Local, sessiontimer.Peer} {
				t.Run(side+" store "+c.name+", refresher "+refresher.String(), func(t *testing.T) {
					inLab(t, func(l *lab) {
						store := &farStore{}
						mine := []middleware.Option{middleware.WithStore(store), middleware.WithRefresher(refresher)}
						theirs := []middleware.Option{middleware.WithRefresher(sessiontimer.Local + sessiontimer.Peer - refresher)}
						if side == "callee's" {
							mine, theirs = theirs, mine
						}
						alice, bob := l.alice(mine...), l.bob(theirs...)
						if c.from == 0 {
							store.fault.Store(&c.fault)
						}
						d := alice.Call(bob)
						l.at(max(c.from, l.net.Elapsed()))
						store.fault.Store(&c.fault)
						if c.until > 0 {
							l.at(c.until)
							store.fault.Store(nil)
						}
						l.at(3 * time.Hour)
						l.wantAlive("alice", d)
						l.wantAlive("bob", bob.Answered())
						if err := d.Bye(context.Background()); err != nil {
							l.Errorf("Bye: %v", err)
						}
						time.Sleep(5 * time.Minute)
						synctest.Wait()
						l.wantEnded("bob", bob.Answered())
					})
				})
			}
		}
	}
}
