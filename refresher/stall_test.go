package refresher_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// stand makes the process stand still for the given time.
func (l *lab) stand(d time.Duration) {
	l.r.Stop()
	time.Sleep(d)
	l.r.Continue()
}

func ofPeer(name string, interval time.Duration) dialogstore.Dialog {
	d := call(name, interval)
	d.Session.Refresher = sessiontimer.Peer
	return d
}

// Hang-ups that are late after a stall wait for 2 s, in which a timely refresh of the peer is
// read. Those that are on time, or as late as on any machine, do not wait.
func TestHangupAfterStall(t *testing.T) {
	for _, c := range []struct {
		name     string
		interval time.Duration // hung up 32 s, or a third, before its end
		from     time.Duration // the stall begins
		stall    time.Duration
		read     time.Duration // after the stall the refresh is read; 0 for none
		hangup   time.Duration
	}{
		{"no stall", 90 * time.Second, time.Second, 0, 0, 60 * time.Second},
		{"over just before it is due", 90 * time.Second, 10 * time.Second, 49 * time.Second, 0, 61 * time.Second},
		{"over long before", 90 * time.Second, 10 * time.Second, 30 * time.Second, 0, 60 * time.Second},
		{"short", 90 * time.Second, 59 * time.Second, 2 * time.Second, 0, 61 * time.Second},
		{"late by more than a second", 90 * time.Second, 58 * time.Second, 3100 * time.Millisecond, 0, 63100 * time.Millisecond},
		{"past the expiry", 90 * time.Second, 50 * time.Second, time.Hour, 0, time.Hour + 52*time.Second},
		{"of a call that slept", 1800 * time.Second, time.Second, 2000 * time.Second, 0, 2003 * time.Second},
		{"a refresh is read at once", 90 * time.Second, 50 * time.Second, 20 * time.Second, time.Millisecond, 130*time.Second + time.Millisecond},
		{"a refresh is read late", 90 * time.Second, 50 * time.Second, 20 * time.Second, 1999 * time.Millisecond, 131999 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				d := l.create(ofPeer("stalled", c.interval))
				time.Sleep(c.from)
				synctest.Wait()
				l.stand(c.stall)
				if c.read > 0 {
					time.Sleep(c.read)
					l.refreshed(context.Background(), d.ID)
				}
				if _, hangups := l.run(2 * time.Hour); !slices.Equal(hangups, []time.Duration{c.hangup}) {
					t.Errorf("hung up at %v, should be at %v", hangups, c.hangup)
				}
			})
		})
	}
}

// Other delays are not taken for a stall: calls of a process that was restarted after they
// expired are hung up at once.
func TestRestoredIsNotStalled(t *testing.T) {
	inLab(t, func(l *lab) {
		d := ofPeer("restored", 90*time.Second)
		d.Session.Since = time.Now().Add(-time.Hour)
		l.create(d)
		if _, hangups := l.run(time.Minute); !slices.Equal(hangups, []time.Duration{0}) {
			t.Errorf("hung up at %v, should be at once", hangups)
		}
	})
}

// The response to a refresh of ours may also be unread after a stall, so a timeout proves
// nothing. The refresh is sent again, UPDATE does not count as refused, and no failure is
// reported.
func TestRefreshAcrossStall(t *testing.T) {
	for _, method := range []sessiontimer.Method{update, invite} {
		t.Run(method.String(), func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.answer = func(_ *lab, n int, _ dialogstore.Dialog, _ sessiontimer.Method) (int, error) {
					if n == 1 {
						return 0, nil // time will be up
					}
					return 200, nil
				}
				d := call("waiting", 1800*time.Second)
				d.PeerUpdate = method == update
				l.create(d)
				time.Sleep(901 * time.Second)
				synctest.Wait()
				l.r.Stop()
				time.Sleep(40 * time.Second)
				l.r.Continue()
				attempts, hangups := l.run(700 * time.Second)
				if len(attempts) != 2 || attempts[1].method != method || attempts[1].at > 943*time.Second || len(hangups) > 0 {
					t.Errorf("attempts %v, hung up at %v; should be a second %s soon after the stall, and no end", attempts, hangups, method)
				}
				if after, err := l.store.Load(context.Background(), d.ID); err != nil || after.NoUpdate || len(l.failed) > 0 {
					t.Errorf("UPDATE taken for refused: %v (%v), failures told: %v", after.NoUpdate, err, l.failed)
				}
			})
		})
	}
}

// A session that we refresh and that expired during a stall ends 2 s after it.
func TestExpiredDuringStall(t *testing.T) {
	inLab(t, func(l *lab) {
		l.answer = always(200)
		l.create(call("expired", 90*time.Second))
		time.Sleep(40 * time.Second)
		synctest.Wait()
		l.stand(100 * time.Second)
		if attempts, hangups := l.run(time.Minute); len(attempts) > 0 || !slices.Equal(hangups, []time.Duration{142 * time.Second}) {
			t.Errorf("attempts %v, hung up at %v; should be at 142 s", attempts, hangups)
		}
	})
}
