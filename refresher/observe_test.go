package refresher_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// A change that is told after the end of its dialog schedules nothing.
func TestChangeToldLate(t *testing.T) {
	inSilentLab(t, func(l *lab, silent *dialogstore.Memory) {
		d := call("late", 70*time.Second)
		change := &dialogstore.Change{Before: d, After: d}
		change.Before.Version, change.After.Version = 1, 2
		change.Before.Session.Since = d.Session.Since.Add(-time.Second)
		if l.r.DialogChanged(context.Background(), change); l.r.Len() != 0 {
			t.Errorf("%d calls are scheduled after the end of the only one", l.r.Len())
		}
		if err := silent.Create(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		if l.r.DialogChanged(context.Background(), change); l.r.Len() != 1 {
			t.Errorf("%d calls are scheduled, want the one that lives", l.r.Len())
		}
		if err := l.r.Restore(context.Background()); err != nil || l.r.Len() != 1 {
			t.Errorf("restored with %v, %d calls are scheduled", err, l.r.Len())
		}
		_, err := l.store.Delete(context.Background(), d.ID)
		if synctest.Wait(); err != nil || l.r.Len() != 0 {
			t.Errorf("%d calls are scheduled after the end, %v", l.r.Len(), err)
		}
	})
}

// Trap03, D-23: each change of the session restarts the timer; that of the previous session
// does nothing. A change of anything else leaves the timer alone.
func TestNewsRearm(t *testing.T) {
	inLab(t, func(l *lab) {
		l.answer = always(200)
		d := l.create(call("news", 1800*time.Second))
		update := func(change func(*dialogstore.Dialog)) {
			_, _, err := l.store.Update(context.Background(), d.ID, func(d dialogstore.Dialog) (dialogstore.State, error) {
				change(&d)
				return d.State, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(800 * time.Second)
		update(func(d *dialogstore.Dialog) { d.Session.Since = time.Now() })
		time.Sleep(100 * time.Second)
		update(func(d *dialogstore.Dialog) { d.LocalCSeq = 77 })
		if attempts, _ := l.run(799 * time.Second); len(attempts) != 0 {
			t.Errorf("refreshed at %v, want not before 1700 s", attempts)
		}
		if attempts, _ := l.run(time.Second); len(attempts) != 1 || attempts[0].at != 1700*time.Second {
			t.Errorf("refreshed at %v, want at 1700 s", attempts)
		}
		// F-26: the timer is switched off.
		update(func(d *dialogstore.Dialog) { d.Session = sessiontimer.Session{} })
		if attempts, hangups := l.run(24 * time.Hour); len(attempts) != 1 || len(hangups) != 0 {
			t.Errorf("refreshed at %v, hung up at %v; want nothing after the timer was switched off", attempts, hangups)
		}
	})
}

// Notifications about a dialog may come out of order, even after the dialog is gone.
func TestNewsOutOfOrder(t *testing.T) {
	inLab(t, func(l *lab) {
		l.answer = always(200)
		ctx := context.Background()
		d := l.create(call("late", 1800*time.Second))
		d.Version = 1
		old, late := d, d
		old.Session.Interval, late.Version = 90*time.Second, 2
		l.r.DialogChanged(ctx, &dialogstore.Change{Before: d, After: old}) // no newer than what is known
		if attempts, _ := l.run(899 * time.Second); len(attempts) != 0 {
			t.Errorf("old news led to refreshes at %v, want none", attempts)
		}
		if _, err := l.store.Delete(ctx, d.ID); err != nil {
			t.Fatal(err)
		}
		for _, session := range []sessiontimer.Session{{}, {Interval: time.Minute, Refresher: sessiontimer.Local, Since: time.Now()}} {
			late.Session = session
			l.r.DialogChanged(ctx, &dialogstore.Change{Before: d, After: late})
			if n := l.r.Len(); n != 0 {
				t.Errorf("late news of a dialog that is gone are kept: %d dialogs, want none", n)
			}
		}
	})
}

// Restore schedules what is in the store; what is overdue happens at once.
func TestRestore(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		ctx := context.Background()
		l := &lab{T: t, start: time.Now(), r: refresher.New(), answer: always(200)}
		kept := dialogstore.NewMemory()
		for name, age := range map[string]time.Duration{"due later": 100 * time.Second, "overdue": 1000 * time.Second, "dead": time.Hour} {
			d := call(name, 1800*time.Second)
			d.Version = 5
			d.Session.Since = time.Now().Add(-age).Round(0)
			if err := kept.Create(ctx, d); err != nil {
				t.Fatal(err)
			}
		}
		l.store = dialogstore.Observe(kept, l.r)
		l.r.Configure(refresher.Config{Store: l.store, Pipeline: l, Event: l.event})
		if err := l.r.Restore(ctx); err != nil {
			t.Fatal(err)
		}
		attempts, hangups := l.run(0)
		if len(attempts) != 1 || len(hangups) != 1 {
			t.Errorf("at once: refreshes %v, hang-ups %v; want the overdue one refreshed and the dead one ended", attempts, hangups)
		}
		if attempts, _ = l.run(801 * time.Second); len(attempts) != 2 || attempts[1].at != 800*time.Second {
			t.Errorf("refreshes at %v, want the second at 800 s", attempts)
		}
		l.r.Close()
	})
}

// torn is a store that can list only one dialog.
type torn struct{ *dialogstore.Memory }

var errTorn = errors.New("torn")

// All implements dialogstore.Store.
func (s torn) All(context.Context) iter.Seq2[dialogstore.Dialog, error] {
	return func(yield func(dialogstore.Dialog, error) bool) {
		for _, err := range []error{nil, errTorn, nil} {
			d := call("torn", 70*time.Second)
			if err != nil {
				d = dialogstore.Dialog{}
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// Restore schedules what can be listed, and returns why the rest cannot.
func TestRestoreFails(t *testing.T) {
	inLab(t, func(l *lab) {
		l.answer = always(200)
		l.r.Configure(refresher.Config{Store: torn{dialogstore.NewMemory()}, Pipeline: l, Event: l.event, Logger: quiet})
		if err := l.r.Restore(context.Background()); !errors.Is(err, errTorn) || l.r.Len() != 1 {
			t.Errorf("%d calls restored, %v; want one and the error of the store", l.r.Len(), err)
		}
	})
}

// Of two changes the newer one counts, in whatever order they are told. One that leaves the
// session as it is schedules nothing, also where nothing is scheduled.
func TestNewerChangeCounts(t *testing.T) {
	inSilentLab(t, func(l *lab, silent *dialogstore.Memory) {
		ctx := context.Background()
		d := call("news", 70*time.Second)
		d.Version = 1
		if err := silent.Create(ctx, d); err != nil {
			t.Fatal(err)
		}
		if l.r.DialogChanged(ctx, &dialogstore.Change{Before: d, After: d}); l.r.Len() != 0 {
			t.Errorf("%d calls are scheduled by a change of something else", l.r.Len())
		}
		l.r.DialogChanged(ctx, &dialogstore.Change{After: d})
		second, third := d, d
		second.Version, second.Session.Interval = 2, time.Hour
		third.Version, third.Session.Interval = 3, 60*time.Second
		l.r.DialogChanged(ctx, &dialogstore.Change{Before: second, After: third})
		if l.r.DialogChanged(ctx, &dialogstore.Change{Before: d, After: second}); l.r.Len() != 1 {
			t.Errorf("%d calls are near, want the one of the third change", l.r.Len())
		}
	})
}
