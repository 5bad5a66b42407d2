package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
)

// A final response waits for the application as long as the timers live, also beyond the end
// of sipgo's transaction; after they are closed for the lifetime of a transaction. A
// provisional one waits as long as the transaction lives.
func TestDeliver(t *testing.T) {
	const life = 32 * time.Second
	second := func(f func(*requesting)) func(*requesting) {
		return func(r *requesting) { time.AfterFunc(time.Second, func() { f(r) }) }
	}
	take := func(after time.Duration) func(*requesting) {
		return func(r *requesting) { time.AfterFunc(after, func() { <-r.responses }) }
	}
	for _, c := range []struct {
		name   string
		status int
		begin  []func(*requesting)
		taken  bool
		after  time.Duration
		err    error
		told   error
		overs  int
	}{
		{"a final one, late", 200, []func(*requesting){take(time.Hour)}, true, time.Hour, nil, nil, 0},
		{"whose transaction has ended", 200, []func(*requesting){second(func(r *requesting) { r.x.tx.Terminate() }), take(time.Minute)}, true, time.Minute, nil, nil, 0},
		{"after the timers were closed", 200, []func(*requesting){second(func(r *requesting) { r.stop() }), take(life)}, true, life, nil, nil, 0},
		{"after that, but never taken", 200, []func(*requesting){second(func(r *requesting) { r.stop() })}, false, time.Second + life, sip.ErrTransactionTimeout, sip.ErrTransactionTimeout, 0},
		{"after that, but given up", 200, []func(*requesting){func(r *requesting) { r.stop() }, second((*requesting).Terminate)}, false, time.Second, sip.ErrTransactionCanceled, sip.ErrTransactionTerminated, 1},
		{"given up", 200, []func(*requesting){second((*requesting).Terminate)}, false, time.Second, sip.ErrTransactionCanceled, sip.ErrTransactionTerminated, 1},
		{"a provisional one", 180, []func(*requesting){take(20 * time.Second)}, true, 20 * time.Second, nil, nil, 0},
		{"a provisional one after the timers were closed", 180, []func(*requesting){func(r *requesting) { r.stop() }, take(20 * time.Second)}, true, 20 * time.Second, nil, nil, 0},
		{"a provisional one whose transaction has ended", 180, nil, false, life, sip.ErrTransactionTimeout, sip.ErrTransactionTimeout, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			inRequest(t, func(t *testing.T, r *requesting) {
				begun := time.Now()
				for _, begin := range c.begin {
					begin(r)
				}
				taken := r.deliver(r.x, r.kind, r.x.tx, r.response(c.status))
				if after := time.Since(begun); taken != c.taken || after != c.after {
					t.Errorf("taken: %t after %v, want %t after %v", taken, after, c.taken, c.after)
				}
				synctest.Wait()
				if err := r.Err(); !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
					t.Errorf("the transaction has %v, want %v", err, c.err)
				}
				if !errors.Is(r.told, c.told) || (r.told == nil) != (c.told == nil) || (r.key != "") != (c.told != nil) || r.kind.overs != c.overs {
					t.Errorf("the hook got %q and %v, and over came %d times; want %v and %d", r.key, r.told, r.kind.overs, c.told, c.overs)
				}
				select {
				case <-r.Done():
					if c.err == nil {
						t.Error("Done is closed")
					}
				default:
					if c.err != nil {
						t.Error("Done is open")
					}
				}
				if more := r.OnTerminate(func(string, error) {}); more == (c.err != nil) || r.OnRetransmission(func(*sip.Response) {}) != more {
					t.Errorf("a further hook is taken: %t", more)
				}
				if c.err != nil {
					r.Terminate()
					r.Terminate()
					if r.kind.overs != c.overs || !errors.Is(r.Err(), c.err) {
						t.Errorf("Terminate changes what has ended: %v, over came %d times", r.Err(), r.kind.overs)
					}
				}
			})
		})
	}
}

// An application that gives its INVITE up while that is sent again ends the new one, too.
func TestGivenUpWhileSentAgain(t *testing.T) {
	inRequest(t, func(t *testing.T, r *requesting) {
		begun, refused := len(r.sent()), r.x.tx
		r.kind.learned = func(context.Context) { r.Terminate() }
		peer := r.response(422, minSE)
		_ = r.Responses()
		go refused.Receive(peer)
		synctest.Wait()
		if now := r.x.transaction(); now == refused {
			t.Fatal("it was not sent again")
		} else if now.Err() == nil {
			t.Error("the transaction of the new INVITE goes on")
		}
		after := len(r.sent())
		if time.Sleep(time.Minute); len(r.sent()) != after {
			t.Errorf("%d messages have left since it was given up; before %d", len(r.sent())-after, after-begun)
		}
	})
}
