package refresher_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// F-20: a method that a peer refuses twice is not tried a third time if the other one is
// possible. A session gets three attempts at most, all before the peer gives up.
func TestRefusedAgainAndAgain(t *testing.T) {
	both, noUpdate, noSDP := func(*dialogstore.Dialog) {}, func(d *dialogstore.Dialog) { d.PeerUpdate = false }, func(d *dialogstore.Dialog) { d.SDP = nil }
	for _, c := range []struct {
		name string
		call func(*dialogstore.Dialog)
		want [3]sessiontimer.Method
	}{
		{"UPDATE", both, [3]sessiontimer.Method{update, update, invite}},
		{"re-INVITE", func(d *dialogstore.Dialog) { d.Policy.Method = sessiontimer.MethodReInvite }, [3]sessiontimer.Method{invite, invite, update}},
		{"re-INVITE of a peer without UPDATE", noUpdate, [3]sessiontimer.Method{invite, invite, invite}},
		{"UPDATE with nothing to re-INVITE with", noSDP, [3]sessiontimer.Method{update, update, update}},
	} {
		for _, code := range []int{302, 403, 491, 500, 503, 603} {
			for _, interval := range []time.Duration{90 * time.Second, 1800 * time.Second} {
				t.Run(fmt.Sprintf("F-20, %d to %s, %v", code, c.name, interval), func(t *testing.T) {
					inLab(t, func(l *lab) {
						l.answer = always(code)
						d := call("again", interval)
						c.call(&d)
						l.create(d)
						attempts, hangups := l.run(interval)
						var got [3]sessiontimer.Method
						for i := range min(3, len(attempts)) {
							got[i] = attempts[i].method
						}
						if len(attempts) != 3 || got != c.want {
							t.Fatalf("attempts are %v, should be %v", attempts, c.want)
						}
						if last := interval - sessiontimer.Margin(interval); attempts[2].at >= last || attempts[1].at <= attempts[0].at {
							t.Errorf("attempts at %v, should be apart, and before the peer gives up at %v", attempts, last)
						}
						if !slices.Equal(hangups, []time.Duration{interval}) {
							t.Errorf("hung up at %v, should be at expiry", hangups)
						}
					})
				})
			}
		}
	}
}

// I-12: the method that replaced one refused twice is also the next one.
func TestRefusedTwiceIsRemembered(t *testing.T) {
	inLab(t, func(l *lab) {
		l.answer = func(_ *lab, _ int, _ dialogstore.Dialog, m sessiontimer.Method) (int, error) {
			return map[sessiontimer.Method]int{update: 403, invite: 200}[m], nil
		}
		l.create(call("remembered", 90*time.Second))
		want := []attempt{{45 * time.Second, update}, {50 * time.Second, update}, {53500 * time.Millisecond, invite}, {98500 * time.Millisecond, invite}}
		if attempts, hangups := l.run(100 * time.Second); !slices.Equal(attempts, want) || len(hangups) > 0 {
			t.Errorf("attempts %v, hung up at %v; should be %v and no hang-up", attempts, hangups, want)
		}
	})
}

// A re-INVITE that is too long for a datagram is too long each time. A transport failure says
// nothing about the method.
func TestNotSent(t *testing.T) {
	for _, c := range []struct {
		err  error
		want []sessiontimer.Method
	}{
		{fmt.Errorf("%w: 1301 bytes", refresher.ErrTooLong), []sessiontimer.Method{invite, update}},
		{errors.New("connection reset"), []sessiontimer.Method{invite, invite, invite}},
	} {
		inLab(t, func(l *lab) {
			l.answer = func(_ *lab, _ int, _ dialogstore.Dialog, m sessiontimer.Method) (int, error) {
				if m == update {
					return 200, nil
				}
				return 0, c.err
			}
			d := call("not sent", 1800*time.Second)
			d.Policy.Method = sessiontimer.MethodReInvite
			l.create(d)
			attempts, _ := l.run(1799 * time.Second)
			var got []sessiontimer.Method
			for _, a := range attempts {
				got = append(got, a.method)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v: attempts by %v, should be by %v", c.err, got, c.want)
			}
			if d, err := l.store.Load(context.Background(), d.ID); err != nil || d.NoUpdate {
				t.Errorf("%v: UPDATE taken for refused (%v)", c.err, err)
			}
		})
	}
}

// Without a session description a re-INVITE is not possible.
func TestRequestWithoutSDP(t *testing.T) {
	inLab(t, func(l *lab) {
		l.answer = always(405)
		d := call("no SDP", 1800*time.Second)
		d.SDP, d.PeerUpdate = nil, false
		l.create(d)
		attempts, hangups := l.run(1799 * time.Second)
		if len(attempts) != 1 || attempts[0].method != update || len(hangups) != 0 {
			t.Errorf("tried %v, hung up %v; want one UPDATE, and the call up until it expires", attempts, hangups)
		}
		if d, err := l.store.Load(context.Background(), d.ID); err != nil || !d.NoUpdate {
			t.Errorf("the refused UPDATE is not remembered: %v", err)
		}
	})
}
