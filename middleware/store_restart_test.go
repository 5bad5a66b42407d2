package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// farRegistry is a registry elsewhere: what passes through it is turned to JSON and
// back, it may be slow, and it may fail.
type farRegistry struct {
	*failover.Memory
	fault atomic.Pointer[fault]
}

func newFarRegistry() *farRegistry { return &farRegistry{Memory: failover.NewMemory()} }

// on is the option of a process that takes its calls up again after a restart.
func on(r failover.Registry) middleware.Option {
	return middleware.WithFailover(r, failover.WithName("node"))
}

// inLabOn is on with a lease that suits unsafe intervals.
func inLabOn(r failover.Registry) middleware.Option {
	return middleware.WithFailover(r, failover.WithName("node"), failover.WithLease(100*time.Millisecond))
}

// callsIn is how many calls a registry has.
func callsIn(t testing.TB, r failover.Registry) (n int) {
	t.Helper()
	pulse, err := r.Beat(context.Background(), failover.Node{Name: "auditor", Run: "1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range pulse.Nodes {
		held, err := r.Owned(context.Background(), node.Node, math.MaxInt)
		if err != nil {
			t.Fatal(err)
		}
		n += len(held)
	}
	return n
}

// leftBehind is a registry in which a process of that name has left calls.
func leftBehind(t testing.TB, rows ...dialogstore.Dialog) *failover.Memory {
	t.Helper()
	r, before := failover.NewMemory(), failover.Node{Name: "node", Run: "before"}
	if _, err := r.Beat(context.Background(), before); err != nil {
		t.Fatal(err)
	}
	for _, d := range rows {
		d.Version = max(1, d.Version)
		entry := failover.Entry{Epoch: 1, Dialog: d, Age: time.Since(d.Session.Since)}
		if errs, err := r.Put(context.Background(), before, []failover.Entry{entry}); err != nil || errs[0] != nil {
			t.Fatal(err, errs)
		}
	}
	return r
}

type fault struct {
	delay     time.Duration
	operation string // that fails; empty for none, "any" for each
}

var errNoDatabase = errors.New("no such database")

func (r *farRegistry) visit(ctx context.Context, operation string) error {
	f := r.fault.Load()
	if f == nil {
		return nil
	}
	if f.delay > 0 {
		select {
		case <-time.After(f.delay):
		case <-ctx.Done():
			return ctx.Err()
		}
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

func (r *farRegistry) Beat(ctx context.Context, me failover.Node) (failover.Pulse, error) {
	if err := r.visit(ctx, "beat"); err != nil {
		return failover.Pulse{}, err
	}
	return r.Memory.Beat(ctx, me)
}

func (r *farRegistry) Put(ctx context.Context, me failover.Node, entries []failover.Entry) ([]error, error) {
	if err := r.visit(ctx, "put"); err != nil {
		return nil, err
	}
	entries = slices.Clone(entries)
	for i := range entries {
		entries[i].Dialog = travelled(entries[i].Dialog)
	}
	return r.Memory.Put(ctx, me, entries)
}

func (r *farRegistry) Drop(ctx context.Context, me failover.Node, keys []failover.Key) ([]error, error) {
	if err := r.visit(ctx, "drop"); err != nil {
		return nil, err
	}
	return r.Memory.Drop(ctx, me, keys)
}

func (r *farRegistry) Claim(ctx context.Context, me, from failover.Node, keys []failover.Key) ([]failover.Claimed, error) {
	if err := r.visit(ctx, "claim"); err != nil {
		return nil, err
	}
	claimed, err := r.Memory.Claim(ctx, me, from, keys)
	for i := range claimed {
		claimed[i].Dialog = travelled(claimed[i].Dialog)
	}
	return claimed, err
}

func (r *farRegistry) Owned(ctx context.Context, owner failover.Node, limit int) ([]failover.Held, error) {
	if err := r.visit(ctx, "owned"); err != nil {
		return nil, err
	}
	return r.Memory.Owned(ctx, owner, limit)
}

func (r *farRegistry) Owner(ctx context.Context, ids []dialogstore.ID) ([]failover.Ownership, error) {
	if err := r.visit(ctx, "owner"); err != nil {
		return nil, err
	}
	return r.Memory.Owner(ctx, ids)
}

// restart ends the process of u, not its calls, and begins another at the same
// address after the given time.
func (l *lab) restart(u *sipua.UA, down time.Duration, opts ...middleware.Option) *sipua.UA {
	l.Helper()
	u.Kill()
	l.uas = slices.DeleteFunc(l.uas, func(other *sipua.UA) bool { return other == u })
	time.Sleep(down)
	synctest.Wait()
	next := l.ua(u.Name, u.Addr, opts...)
	synctest.Wait()
	return next
}

// Trap23: after a restart the calls of the store go on where they were: the
// refresh on time, the CSeq after the last, the same session description.
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
				registry := newFarRegistry()
				alice, p := l.alice(on(registry)), l.peer()
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
				alice = l.restart(alice, c.down, on(registry))
				l.at(c.refresh)
				second := answer()
				if got := l.sent(aliceAddr, c.method); got[len(got)-1] != c.refresh {
					l.Errorf("refreshed at %v after the restart, want %v", got[len(got)-1], c.refresh)
				}
				if a, b := first.CSeq().SeqNo, second.CSeq().SeqNo; b != a+1001 {
					l.Errorf("CSeq went from %d to %d over the restart, want a thousand more", a, b)
				}
				if string(first.Body()) != string(second.Body()) || field(second, "Session-Expires") != "1800;refresher=uac" {
					l.Errorf("refreshed with %q and\n%s\nbefore the restart with\n%s", field(second, "Session-Expires"), second.Body(), first.Body())
				}
				// The peer hangs up; the new process is told and forgets the call.
				p.Request(sip.BYE)
				if msg, ok := p.Recv(time.Second); !ok {
					l.Error("the peer's BYE after the restart got no answer")
				} else if res := msg.(*sip.Response); res.StatusCode != 200 {
					l.Errorf("the peer's BYE got %s, want 200 though the application has no dialog", res.StartLine())
				}
				l.wantNothingLeft(alice)
			})
		})
	}
}

// Trap23: a call that died while the process was down is ended.
func TestStoreRestartEndsDeadCalls(t *testing.T) {
	inLab(t, func(l *lab) {
		registry := newFarRegistry()
		bob, p := l.bob(on(registry)), l.peer()
		l.peerCalls(p, bob, timerHeader, allow, se1800)
		l.at(1000 * time.Second)
		bob = l.restart(bob, 100*time.Second, on(registry))
		l.at(1769 * time.Second)
		l.wantSent(bobAddr, sip.BYE, 1768*time.Second)
		p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
		l.peerCalls(p, bob, timerHeader, allow, se1800)
		l.at(1800 * time.Second)
		bob = l.restart(bob, time.Hour, on(registry))
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 481, "Gone") // it has expired long ago, by what is stored
		p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
		l.wantSent(bobAddr, sip.BYE, 1768*time.Second, 5400*time.Second)
		l.wantNothingLeft(bob)
	})
}

// An application that takes its own dialogs up again after a restart counts on
// from where it was, and does not know of the refreshes.
func TestStoreRestartNumbersApplication(t *testing.T) {
	inLab(t, func(l *lab) {
		registry := newFarRegistry()
		alice, p := l.alice(on(registry)), l.peer()
		d := l.callPeer(alice, p, allow, timerHeader, se1800)
		l.at(899 * time.Second)
		update := p.ExpectRequest(l, sip.UPDATE)
		p.Reply(update, 200, "OK", se1800)
		l.at(1000 * time.Second)
		alice = l.restart(alice, time.Second, on(registry))
		bye := sip.NewRequest(sip.BYE, peerURI)
		for _, h := range []sip.Header{d.InviteRequest.From(), d.InviteResponse.To(), d.InviteRequest.CallID(),
			&sip.CSeqHeader{SeqNo: d.InviteRequest.CSeq().SeqNo + 1, MethodName: sip.BYE}} {
			bye.AppendHeader(sip.HeaderClone(h))
		}
		go func() { _, _ = alice.Client.Do(context.Background(), bye) }()
		got := p.ExpectRequest(l, sip.BYE)
		p.Reply(got, 200, "OK")
		if want := update.CSeq().SeqNo + 1001; got.CSeq().SeqNo != want {
			l.Errorf("the application's BYE is numbered %d, want %d", got.CSeq().SeqNo, want)
		}
		l.wantNothingLeft(alice)
	})
}

// A registry that fails or is slow costs neither a timer nor the call:
// neither side hangs up before the applications do.
func TestStoreNeverBreaksCalls(t *testing.T) {
	for _, c := range []struct {
		name string
		fault
		from  time.Duration // when it begins
		until time.Duration // and ends
	}{
		{name: "fails always", fault: fault{operation: "any"}},
		{name: "cannot put", fault: fault{operation: "put"}},
		{name: "cannot beat", fault: fault{operation: "beat"}},
		{name: "cannot drop", fault: fault{operation: "drop"}},
		{name: "fails from 800 s on", fault: fault{operation: "any"}, from: 800 * time.Second},
		{name: "fails from 800 to 1000 s", fault: fault{operation: "any"}, from: 800 * time.Second, until: 1000 * time.Second},
		{name: "cannot put from 800 to 1000 s", fault: fault{operation: "put"}, from: 800 * time.Second, until: 1000 * time.Second},
		{name: "fails from 1000 to 1700 s", fault: fault{operation: "any"}, from: 1000 * time.Second, until: 1700 * time.Second},
		{name: "takes a second", fault: fault{delay: time.Second}},
		{name: "takes a minute", fault: fault{delay: time.Minute}},
	} {
		for _, side := range []string{"caller's", "callee's"} {
			for _, refresher := range []sessiontimer.Refresher{sessiontimer.Local, sessiontimer.Peer} {
				t.Run(side+" registry "+c.name+", refresher "+refresher.String(), func(t *testing.T) {
					inLab(t, func(l *lab) {
						registry := newFarRegistry()
						mine := []middleware.Option{on(registry), middleware.WithRefresher(refresher)}
						theirs := []middleware.Option{middleware.WithRefresher(sessiontimer.Local + sessiontimer.Peer - refresher)}
						if side == "callee's" {
							mine, theirs = theirs, mine
						}
						alice, bob := l.alice(mine...), l.bob(theirs...)
						if c.from == 0 {
							registry.fault.Store(&c.fault)
						}
						d := alice.Call(bob)
						l.at(max(c.from, l.net.Elapsed()))
						registry.fault.Store(&c.fault)
						if c.until > 0 {
							l.at(c.until)
							registry.fault.Store(nil)
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
