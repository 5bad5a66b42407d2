package refresher_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// lab is a refresher in a bubble, with a pipeline that the test answers.
type lab struct {
	*testing.T
	start time.Time
	store *dialogstore.Observed
	r     *refresher.Scheduler

	mu       sync.Mutex
	answer   func(l *lab, n int, d dialogstore.Dialog, m sessiontimer.Method) (int, error) // to the nth refresh
	busy     int                                                                           // hang-ups that are put off
	crossing bool                                                                          // and meet a refresh of the peer
	slowBye  time.Duration                                                                 // until a BYE is on its way
	silent   map[dialogstore.ID]time.Time                                                  // since when an UPDATE given up had no answer
	attempts []attempt
	ends     []time.Duration // of sessions
	hangups  []time.Duration // their BYEs
	reasons  []string
	failed   []int
	failing  func() // called for each of them; nil for nothing
}

type attempt struct {
	at     time.Duration
	method sessiontimer.Method
}

// retryAfterOf returns the Retry-After of a response.
var retryAfterOf = map[int]time.Duration{503: 10 * time.Second}

const none, update, invite = sessiontimer.MethodAuto, sessiontimer.MethodUpdate, sessiontimer.MethodReInvite

// t1 is T1 of RFC 3261.
const t1 = 500 * time.Millisecond

func inLab(t *testing.T, f func(l *lab)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		l := &lab{T: t, start: time.Now(), r: refresher.New()}
		l.store = dialogstore.Observe(dialogstore.NewMemory(), l.r)
		l.r.Configure(refresher.Config{Store: l.store, Pipeline: l, Event: l.event, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
		f(l)
		l.r.Close()
		synctest.Wait()
		if n := l.r.Len(); n != 0 {
			t.Errorf("a closed refresher watches %d dialogs, want none", n)
		}
	})
}

func (l *lab) event(e sessiontimer.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, ok := e.(sessiontimer.RefreshFailed); ok {
		l.failed = append(l.failed, f.Status)
		if l.failing != nil {
			l.failing()
		}
	}
}

// Refresh implements refresher.Pipeline.
func (l *lab) Refresh(ctx context.Context, id dialogstore.ID, a refresher.Attempt) refresher.Outcome {
	d, err := l.store.Load(ctx, id)
	if err != nil {
		return refresher.Outcome{Err: err}
	}
	m := a.Method
	if m == sessiontimer.MethodAuto {
		m = indialog.Method(&d)
	}
	l.mu.Lock()
	l.attempts = append(l.attempts, attempt{time.Since(l.start), m})
	n, answer := len(l.attempts), l.answer
	l.mu.Unlock()
	o := refresher.Outcome{Method: m, Alternative: indialog.Alternative(&d, m), OwnsCallID: d.OwnsCallID}
	if o.Status, o.Err = answer(l, n, d, m); o.Err != nil {
		return o
	}
	o.RetryAfter = retryAfterOf[o.Status]
	switch {
	case o.Status == 0: // nobody there
		o.Err = l.silence(ctx, d, a, o)
	case o.Status < 300:
		_, _, o.Err = l.store.Update(ctx, id, func(d dialogstore.Dialog) (dialogstore.State, error) {
			d.Session.Since = time.Now()
			d.NoUpdate = d.NoUpdate || a.UpdateRefused && m == invite
			return d.State, nil
		})
	}
	return o
}

// silence is the outcome of an unanswered request.
func (l *lab) silence(ctx context.Context, d dialogstore.Dialog, a refresher.Attempt, o refresher.Outcome) error {
	l.mu.Lock()
	since, again := l.silent[d.ID]
	delete(l.silent, d.ID)
	l.mu.Unlock()
	if !again {
		since = time.Now()
	}
	wait, err := time.Until(since.Add(64*t1)), refresher.ErrUnanswered
	if o.Method == update && o.Alternative && !a.Last {
		err = refresher.ErrGivenUp
		wait = max(8*t1, min(48*t1, time.Until(d.Session.LastChance())))
		l.mu.Lock()
		if l.silent == nil {
			l.silent = make(map[dialogstore.ID]time.Time)
		}
		l.silent[d.ID] = since
		l.mu.Unlock()
	}
	select {
	case <-time.After(wait):
		return fmt.Errorf("timer F: %w", err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// End implements refresher.Pipeline.
func (l *lab) End(ctx context.Context, id dialogstore.ID, s sessiontimer.Session, reason sessiontimer.Reason) (func(context.Context), error) {
	d, err := l.store.Load(ctx, id)
	if err == nil && !d.Session.Equal(s) {
		err = refresher.ErrSuperseded
	}
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	if l.busy > 0 {
		l.busy--
		l.mu.Unlock()
		if l.crossing {
			l.refreshed(ctx, id)
		}
		return nil, refresher.ErrBusy
	}
	l.ends = append(l.ends, time.Since(l.start))
	l.reasons = append(l.reasons, reason.String())
	l.mu.Unlock()
	_, err = l.store.Delete(ctx, id)
	return l.bye, err
}

func (l *lab) bye(context.Context) {
	l.mu.Lock()
	l.hangups = append(l.hangups, time.Since(l.start))
	l.mu.Unlock()
	if l.slowBye > 0 {
		time.Sleep(l.slowBye)
	}
}

// refreshed returns a dialog after a refresh.
func (l *lab) refreshed(ctx context.Context, id dialogstore.ID) {
	_, _, _ = l.store.Update(ctx, id, func(d dialogstore.Dialog) (dialogstore.State, error) {
		d.Session.Since = time.Now()
		return d.State, nil
	})
}

// always answers every refresh the same way.
func always(code int) func(*lab, int, dialogstore.Dialog, sessiontimer.Method) (int, error) {
	return func(*lab, int, dialogstore.Dialog, sessiontimer.Method) (int, error) { return code, nil }
}

// call is a dialog of the given interval that we refresh, by UPDATE or re-INVITE.
func call(name string, interval time.Duration) dialogstore.Dialog {
	return dialogstore.Dialog{
		Origin: dialogstore.Origin{
			ID:         dialogstore.ID{CallID: name, LocalTag: "l", RemoteTag: "r"},
			LocalURI:   "<sip:l@10.0.0.1>;tag=l",
			RemoteURI:  "<sip:r@10.0.0.2>;tag=r",
			Transport:  "udp",
			OwnsCallID: true,
			Policy:     sessiontimer.DefaultPolicy(),
		},
		State: dialogstore.State{
			RemoteTarget: "sip:r@10.0.0.2:5060",
			Contact:      "<sip:l@10.0.0.1:5060>",
			SDP:          []byte("v=0\r\n"),
			SDPType:      "application/sdp",
			Session:      sessiontimer.Session{Interval: interval, Refresher: sessiontimer.Local, Since: time.Now()},
			PeerUpdate:   true,
		},
	}
}

func (l *lab) create(d dialogstore.Dialog) dialogstore.Dialog {
	l.Helper()
	if err := l.store.Create(context.Background(), d); err != nil {
		l.Fatal(err)
	}
	return d
}

// run lets the call live for a while and returns what was done.
func (l *lab) run(d time.Duration) (attempts []attempt, hangups []time.Duration) {
	time.Sleep(d)
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.attempts, l.hangups
}

// The failure table: what each answer to a refresh leads to, and when. F-03 to
// F-19, D-26.
func TestFailureTable(t *testing.T) {
	const half = 900 * time.Second
	for _, c := range []struct {
		row    string
		codes  []int
		method sessiontimer.Method // first
		next   sessiontimer.Method // second, none for none
		hangup time.Duration       // 0: at expiry
	}{
		{"F-03 F-04 F-05 F-17 F-18 gone", []int{404, 408, 410, 416, 480, 481, 482, 483, 484, 485, 502, 604}, update, none, half},
		{"F-03 F-04 F-05 F-17 F-18 gone", []int{404, 408, 410, 416, 480, 481, 482, 483, 484, 485, 502, 604}, invite, none, half},
		{"F-12 cannot UPDATE", []int{405, 501}, update, invite, 0},
		{"F-13 cannot INVITE", []int{405, 501}, invite, none, half},
		{"F-14 other method", []int{400, 406, 413, 415, 488, 606}, update, invite, 0},
		{"F-14 other method", []int{400, 406, 413, 415, 488, 606}, invite, update, 0},
		{"F-07 answered below as far as possible", []int{401, 407, 422}, update, none, 0},
		{"F-09 F-10 F-11 F-16 F-19 later", []int{300, 302, 402, 403, 420, 421, 486, 487, 491, 493, 500, 503, 504, 505, 513, 580, 600, 603, 699}, update, update, 0},
		{"F-09 F-10 F-11 F-16 F-19 later", []int{300, 302, 402, 403, 420, 421, 486, 487, 491, 493, 500, 503, 504, 505, 513, 580, 600, 603, 699}, invite, invite, 0},
	} {
		for _, code := range c.codes {
			t.Run(fmt.Sprintf("%s, %d to %s", c.row, code, c.method), func(t *testing.T) {
				inLab(t, func(l *lab) {
					l.answer = func(_ *lab, n int, _ dialogstore.Dialog, _ sessiontimer.Method) (int, error) {
						if n == 1 {
							return code, nil
						}
						return 200, nil
					}
					d := call("table", 1800*time.Second)
					if c.method == invite {
						d.Policy.Method = sessiontimer.MethodReInvite
					}
					l.create(d)
					attempts, hangups := l.run(1799 * time.Second)
					if len(attempts) == 0 || attempts[0] != (attempt{half, c.method}) {
						t.Fatalf("attempts are %v, want the first by %s at half the interval", attempts, c.method)
					}
					if len(l.failed) != 1 || l.failed[0] != code {
						t.Errorf("failures told: %v, want %d once", l.failed, code)
					}
					switch {
					case c.next != none && (len(attempts) < 2 || attempts[1].method != c.next || attempts[1].at > 1768*time.Second-3*time.Second):
						t.Errorf("attempts are %v, want a second by %s, in time for the peer", attempts, c.next)
					case c.next == none && len(attempts) != 1:
						t.Errorf("attempts are %v, want one", attempts)
					}
					if c.hangup != 0 && (len(hangups) != 1 || hangups[0] != c.hangup) {
						t.Errorf("hung up at %v, want at once", hangups)
					}
					if c.hangup == 0 && len(hangups) != 0 {
						t.Errorf("hung up at %v, want not before expiry", hangups)
					}
					if c.hangup == 0 && c.next == none {
						if _, hangups = l.run(time.Second); len(hangups) != 1 || hangups[0] != 1800*time.Second {
							t.Errorf("hung up at %v, want at expiry (F-21)", hangups)
						}
					}
					if after, err := l.store.Load(context.Background(), d.ID); c.row[:4] == "F-12" && (err != nil || !after.NoUpdate) {
						t.Errorf("I-12: the refused UPDATE is not remembered: %v", err)
					}
				})
			})
		}
	}
}

// F-03: no answer at all ends the call, once the re-INVITE has been tried too.
func TestTimeoutEnds(t *testing.T) {
	first, then, only := attempt{900 * time.Second, update}, attempt{924 * time.Second, invite}, attempt{900 * time.Second, invite}
	for _, c := range []struct {
		name string
		call func(*dialogstore.Dialog)
		want []attempt
	}{
		{"F-03 UPDATE", func(*dialogstore.Dialog) {}, []attempt{first, then}},
		{"F-03 UPDATE forced", func(d *dialogstore.Dialog) { d.PeerUpdate, d.Policy.Method = false, sessiontimer.MethodUpdate }, []attempt{first, then}},
		{"F-03 UPDATE, nothing to re-INVITE with", func(d *dialogstore.Dialog) { d.SDP = nil }, []attempt{first}},
		{"F-03 re-INVITE", func(d *dialogstore.Dialog) { d.PeerUpdate = false }, []attempt{only}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.answer = always(0)
				d := call("timeout", 1800*time.Second)
				c.call(&d)
				l.create(d)
				attempts, hangups := l.run(2000 * time.Second)
				if !slices.Equal(attempts, c.want) || len(hangups) != 1 || hangups[0] != 932*time.Second {
					t.Errorf("attempts %v, hung up at %v; want attempts %v, and the end 64*T1 after the first", attempts, hangups, c.want)
				}
			})
		})
	}
}

// An unanswered UPDATE gives way to the re-INVITE while there is time, and is not tried
// again.
func TestSilentToUpdate(t *testing.T) {
	for _, c := range []struct{ interval, update, invite time.Duration }{
		{90, 45 * time.Second, 57 * time.Second}, // a peer that waits gives up after 60 s
		{180, 90 * time.Second, 114 * time.Second},
		{1800, 900 * time.Second, 924 * time.Second},
	} {
		inLab(t, func(l *lab) {
			l.answer = func(_ *lab, _ int, _ dialogstore.Dialog, m sessiontimer.Method) (int, error) {
				return map[sessiontimer.Method]int{update: 0, invite: 200}[m], nil
			}
			l.create(call("silent", c.interval*time.Second))
			attempts, hangups := l.run(3 * c.interval / 2 * time.Second)
			want := []attempt{{c.update, update}, {c.invite, invite}, {c.invite + c.update, invite}}
			if len(attempts) < 3 || !slices.Equal(attempts[:3], want) || len(hangups) != 0 {
				t.Errorf("interval %d s: attempts %v, hung up at %v; want %v and no hang-up", c.interval, attempts, hangups, want)
			}
		})
	}
}

// F-06, F-20: a transport that fails, or a peer that is busy for ever, gets
// three attempts with growing distance, all before the peer gives up.
func TestThreeAttempts(t *testing.T) {
	for _, interval := range []time.Duration{90, 96, 100, 120, 180, 600, 1800, 7200} {
		for name, answer := range map[string]func(*lab, int, dialogstore.Dialog, sessiontimer.Method) (int, error){
			"F-20 500": always(500),
			"F-06 transport": func(*lab, int, dialogstore.Dialog, sessiontimer.Method) (int, error) {
				return 0, errors.New("connection reset")
			},
			"F-09 491": always(491),
		} {
			t.Run(fmt.Sprintf("%s, %d s", name, interval), func(t *testing.T) {
				inLab(t, func(l *lab) {
					interval := interval * time.Second
					l.answer = answer
					l.create(call("three", interval))
					attempts, hangups := l.run(interval + time.Second)
					if len(attempts) != 3 {
						t.Fatalf("%d attempts, want 3: %v", len(attempts), attempts)
					}
					giveUp := interval - sessiontimer.Margin(interval)
					if attempts[2].at >= giveUp {
						t.Errorf("D-26: the last attempt is at %v, want it before the peer gives up at %v", attempts[2].at, giveUp)
					}
					if attempts[1].at <= attempts[0].at || attempts[2].at <= attempts[1].at {
						t.Errorf("attempts at %v, want pauses between them", attempts)
					}
					if len(hangups) != 1 || hangups[0] != interval {
						t.Errorf("F-21: hung up at %v, want at expiry", hangups)
					}
				})
			})
		}
	}
}
