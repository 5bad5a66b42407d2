package middleware_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Each subscriber gets each event, the handler too, and its channel is closed at the end
// of its context.
func TestSubscribe(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, bob := l.alice(), l.bob()
		ctx, cancel := context.WithCancel(l.Context())
		one, two := alice.Timers.Subscribe(ctx, 10), alice.Timers.Subscribe(l.Context(), 10)
		d := alice.Call(bob)
		l.at(time.Hour)
		cancel()
		synctest.Wait()
		_ = d.Bye(l.Context())
		synctest.Wait()
		all := events(alice)
		if got := names1(one); !slices.Equal(got, all[:len(all)-1]) {
			l.Errorf("the first got %v, want %v, those before its context ended", got, all[:len(all)-1])
		}
		_ = alice.Timers.Close()
		if got := names1(two); !slices.Equal(got, all) {
			l.Errorf("the second got %v, want %v", got, all)
		}
	})
}

// names1 are the kinds of the events of a channel that is closed.
func names1(ch <-chan middleware.Notice) (names []string) {
	for n := range ch {
		names = append(names, fmt.Sprintf("%T", n.Event)[len("sessiontimer."):])
	}
	return names
}

// A subscriber that does not read loses events, is told how many, and is in nobody's way.
func TestSubscribeSlowly(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, bob := l.alice(middleware.WithEventHandler(nil)), l.bob()
		slow := alice.Timers.Subscribe(l.Context(), 1)
		for range 3 {
			_ = alice.Call(bob).Bye(l.Context())
		}
		synctest.Wait()
		if n := <-slow; n.Lost != 0 || n.Event.(sessiontimer.Negotiated).CallID == "" {
			l.Errorf("the first notice is %+v, want the first event and none lost", n)
		}
		_ = alice.Call(bob).Bye(l.Context())
		synctest.Wait()
		if n := <-slow; n.Lost != 5 {
			l.Errorf("the next notice says that %d were lost, want 5", n.Lost)
		}
		alice.Call(bob)
		if n := <-slow; n.Lost != 1 {
			l.Errorf("the notice after that says that %d were lost, want the one since", n.Lost)
		}
	})
}

// A context that has ended, and timers that are closed, give a channel that is closed.
func TestSubscribeTooLate(t *testing.T) {
	inLab(t, func(l *lab) {
		alice := l.alice()
		ended, cancel := context.WithCancel(l.Context())
		cancel()
		ch := alice.Timers.Subscribe(ended, 0)
		_ = alice.Timers.Close()
		for _, ch := range []<-chan middleware.Notice{ch, alice.Timers.Subscribe(l.Context(), 0)} {
			if n, open := <-ch; open {
				l.Errorf("got %+v, want the channel closed", n)
			}
		}
	})
}

// A subscriber alone, without WithEventHandler, hears of a call that comes in from its
// beginning.
func TestSubscriberHearsTheBeginning(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithEventHandler(nil)), l.peer()
		ctx, cancel := context.WithCancel(l.Context())
		defer cancel()
		notices := bob.Timers.Subscribe(ctx, 16)
		l.peerCalls(p, bob, timerHeader, allow, se1800)
		synctest.Wait()
		select {
		case n := <-notices:
			if _, ok := n.Event.(sessiontimer.Negotiated); !ok {
				l.Errorf("the first event is %T, want Negotiated", n.Event)
			}
		default:
			l.Error("no event of a call that came in")
		}
	})
}
