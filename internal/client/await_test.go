package client

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// awaited is a request of ours that waits for its response.
type awaited struct {
	*call
	a       *attempt
	got     *sip.Request
	begun   time.Time
	outcome chan struct{} // closed when await has returned
	res     *sip.Response
	err     error
	took    time.Duration
}

// awaiting sends a request of ours, and waits for its response in another goroutine.
func (c *call) awaiting(ctx context.Context, t *testing.T, a *attempt, p patience) *awaited {
	t.Helper()
	w := &awaited{call: c, a: a, begun: time.Now(), outcome: make(chan struct{})}
	if err := a.send(ctx, a); err != nil {
		t.Fatal(err)
	}
	w.got = c.peer.ExpectRequest(t, a.req.Method)
	go func() {
		defer close(w.outcome)
		w.res, w.err = a.await(ctx, p)
		w.took = time.Since(w.begun)
	}()
	return w
}

// answer has the peer answer seconds after the request was sent.
func (w *awaited) answer(seconds float64, code int, headers ...string) {
	time.Sleep(time.Until(w.begun.Add(time.Duration(seconds * float64(time.Second)))))
	w.peer.Reply(w.got, code, "x", headers...)
	synctest.Wait()
}

// acks returns how many ACKs have left.
func (w *awaited) acks() (n int) {
	for _, m := range w.sent() {
		if req, ok := m.(*sip.Request); ok && req.IsAck() {
			n++
		}
	}
	return n
}

var errImpatient = errors.New("of the test")

// A request waits for its final response, for the first one as long as its patience lasts, and
// altogether no longer than until it is given up or its context ends. What comes after that is
// acknowledged if it is to an INVITE (RFC 3261 §13.2.2.4). It restarts the session unless the
// refresh was called off, or goes to another place.
func TestAwait(t *testing.T) {
	type times struct{ patience, until, deadline, cancelled float64 } // in seconds; 0 for never
	type answer struct {
		at     float64
		status int
	}
	for _, c := range []struct {
		name    string
		method  sip.RequestMethod
		limits  times
		answers []answer
		status  int // of what await returns; 0 for err
		err     error
		took    float64
		acks    int
		renewed bool
		over    bool // the transaction ends with it
	}{
		{"an UPDATE is accepted", sip.UPDATE, times{}, []answer{{1, 200}}, 200, nil, 1, 0, true, true},
		{"a re-INVITE is accepted", sip.INVITE, times{}, []answer{{1, 200}}, 200, nil, 1, 1, true, false},
		{"a re-INVITE is accepted twice", sip.INVITE, times{}, []answer{{1, 200}, {2, 200}}, 200, nil, 1, 2, true, false},
		{"an UPDATE is refused", sip.UPDATE, times{}, []answer{{1, 488}}, 488, nil, 1, 0, false, true},
		{"a re-INVITE is refused", sip.INVITE, times{}, []answer{{1, 488}}, 488, nil, 1, 1, false, false},
		{"nothing comes", sip.UPDATE, times{}, nil, 0, sip.ErrTransactionTimeout, 32, 0, false, true},
		{"a provisional response ends the hurry", sip.INVITE, times{patience: 2}, []answer{{1, 100}, {5, 200}}, 200, nil, 5, 1, true, false},

		{"out of patience", sip.UPDATE, times{patience: 2}, []answer{{3, 200}}, 0, errImpatient, 2, 0, false, true},
		{"out of patience with an INVITE", sip.INVITE, times{patience: 2}, []answer{{3, 200}}, 0, errImpatient, 2, 1, true, false},
		{"given up", sip.UPDATE, times{until: 5}, []answer{{6, 200}}, 0, context.DeadlineExceeded, 5, 0, true, false},
		{"given up after a provisional response", sip.INVITE, times{until: 5}, []answer{{1, 180}, {6, 200}}, 0, context.DeadlineExceeded, 5, 1, true, false},
		{"given up, and refused", sip.INVITE, times{until: 5}, []answer{{6, 488}}, 0, context.DeadlineExceeded, 5, 1, false, false},
		{"at the deadline", sip.UPDATE, times{deadline: 5}, []answer{{6, 200}}, 0, context.DeadlineExceeded, 5, 0, true, false},
		{"an INVITE at the deadline", sip.INVITE, times{deadline: 5}, []answer{{1, 180}, {36.9, 200}}, 0, context.DeadlineExceeded, 5, 1, true, false},
		{"an INVITE too long after it", sip.INVITE, times{deadline: 5}, []answer{{1, 180}, {37.1, 200}}, 0, context.DeadlineExceeded, 5, 0, false, false},
		{"an INVITE that rings only after it", sip.INVITE, times{deadline: 5}, []answer{{6, 180}, {10, 200}}, 0, context.DeadlineExceeded, 5, 1, true, false},
		{"a BYE at the deadline", sip.BYE, times{deadline: 5}, []answer{{6, 200}}, 0, context.DeadlineExceeded, 5, 0, false, true},
		{"called off", sip.UPDATE, times{cancelled: 5}, []answer{{6, 200}}, 0, context.Canceled, 5, 0, false, true},
		{"an INVITE called off", sip.INVITE, times{cancelled: 5}, []answer{{6, 200}}, 0, context.Canceled, 5, 1, false, false},
		{"an INVITE called off, ringing", sip.INVITE, times{cancelled: 5}, []answer{{1, 180}, {36.9, 200}}, 0, context.Canceled, 5, 1, false, false},
		{"an INVITE called off that rings only then", sip.INVITE, times{cancelled: 5}, []answer{{6, 180}, {10, 200}}, 0, context.Canceled, 5, 1, false, false},
		{"an INVITE called off long ago", sip.INVITE, times{cancelled: 5}, []answer{{1, 180}, {37.1, 200}}, 0, context.Canceled, 5, 0, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCall(t, nil, func(t *testing.T, call *call) {
				after := func(seconds float64) time.Time {
					if seconds == 0 {
						return time.Time{}
					}
					return time.Now().Add(time.Duration(seconds * float64(time.Second)))
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if end := after(c.limits.deadline); !end.IsZero() {
					ctx, cancel = context.WithDeadline(ctx, end)
					defer cancel()
				}
				if c.limits.cancelled > 0 {
					time.AfterFunc(time.Until(after(c.limits.cancelled)), cancel)
				}
				a := call.own(t, c.method).attempt
				a.until = after(c.limits.until)
				w := call.awaiting(ctx, t, a, patience{after(c.limits.patience), errImpatient})
				for _, s := range c.answers {
					w.answer(s.at, s.status, "Session-Expires: 600;refresher=uac")
				}
				<-w.outcome
				if (w.res == nil) != (c.status == 0) || w.res != nil && w.res.StatusCode != c.status || !errors.Is(w.err, c.err) || (w.err == nil) != (c.err == nil) {
					t.Errorf("%v, %v; want %d, %v", w.res, w.err, c.status, c.err)
				}
				heard := len(c.answers) > 0 && c.answers[0].at <= c.took
				if a.responded != heard {
					t.Errorf("responded: %t, want %t", a.responded, heard)
				}
				if got := w.took.Seconds(); got != c.took {
					t.Errorf("after %v s, want %v", got, c.took)
				}
				if got := call.stored(t).Session.Interval == 600*time.Second; got != c.renewed || w.acks() != c.acks {
					t.Errorf("renewed: %t with %d ACKs, want %t with %d", got, w.acks(), c.renewed, c.acks)
				}
				if over := a.transaction().Err() != nil; c.over && !over {
					t.Error("its transaction goes on")
				}
				time.Sleep(2 * time.Minute)
				if a.transaction().Err() == nil {
					t.Error("its transaction never ends")
				}
			})
		})
	}
}

// Without a response an offer of ours is withdrawn, whoever still waits: an answer that comes
// after all is none (RFC 3261 §8.1.3.1).
func TestAwaitedInVain(t *testing.T) {
	for name, giveUp := range map[string]func(context.CancelFunc){"waiting": func(context.CancelFunc) {}, "called off": func(cancel context.CancelFunc) { cancel() }} {
		inCall(t, nil, func(t *testing.T, c *call) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			a := c.own(t, sip.INVITE).attempt
			describe(a.req, "v=0 ours")
			w := c.awaiting(ctx, t, a, patience{})
			giveUp(cancel)
			time.Sleep(time.Minute)
			if <-w.outcome; w.err == nil {
				t.Fatalf("%s: %v", name, w.res)
			}
			_, news := c.dialog.Said(offeranswer.Peer, offeranswer.Message{Method: "INVITE", CSeq: 11, Status: 200, Type: offeranswer.SDP, Body: []byte("v=0 theirs")}, c.d.RemoteTag)
			if news {
				t.Errorf("%s: an answer is one to what nobody has answered", name)
			}
		})
	}
}

// What was given up is forgotten when the timers are closed.
func TestGivenUpUntilClosed(t *testing.T) {
	inCall(t, nil, func(t *testing.T, c *call) {
		a := c.own(t, sip.UPDATE).attempt
		a.until = time.Now().Add(5 * time.Second)
		w := c.awaiting(t.Context(), t, a, patience{})
		<-w.outcome
		c.stop()
		if w.answer(6, 200, "Session-Expires: 600;refresher=uac"); !c.stored(t).Session.Equal(c.d.Session) || a.transaction().Err() == nil {
			t.Errorf("session %+v, transaction %v; want both as before the end", c.stored(t).Session, a.transaction().Err())
		}
	})
}

// RFC 3261 §22, RFC 4028 §7.3: a challenge is answered and a 422 followed, each in a transaction
// of its own, as often as is sensible.
func TestAwaitRepeats(t *testing.T) {
	const challenge = `WWW-Authenticate: Digest realm="a", nonce="n"`
	for _, c := range []struct {
		name     string
		realm    string // for which there are credentials
		answered int    // challenges before
		status   int
		header   string
		again    bool
	}{
		{"a challenge", "a", 0, 401, challenge, true},
		{"the last challenge to be answered", "a", maxChallenges - 1, 401, challenge, true},
		{"one too many", "a", maxChallenges, 401, challenge, false},
		{"no credentials", "b", 0, 401, challenge, false},
		{"a 422", "b", 0, 422, "Min-SE: 2000", true},
		{"another refusal", "a", 0, 488, challenge, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCall(t, nil, func(t *testing.T, call *call) {
				call.credentials = Credentials{Realms: []RealmCredentials{{c.realm, "us", "p"}}}
				a := call.own(t, sip.UPDATE).attempt
				a.challenges = c.answered
				w := call.awaiting(t.Context(), t, a, patience{time.Now().Add(2 * time.Second), errImpatient})
				if w.answer(1, c.status, c.header); !c.again {
					if <-w.outcome; w.err != nil || w.res.StatusCode != c.status {
						t.Errorf("%v, %v; want the refusal", w.res, w.err)
					}
					return
				}
				first := w.got
				w.got = call.peer.ExpectRequest(t, sip.UPDATE)
				if branch := w.got.Via().Params.GetOr("branch", ""); branch == first.Via().Params.GetOr("branch", "") || w.got.CSeq().SeqNo != 12 {
					t.Errorf("it comes again with CSeq %d in branch %s", w.got.CSeq().SeqNo, branch)
				}
				wantChallenges := c.answered
				if c.status == 401 {
					wantChallenges++
				}
				if got := w.got.GetHeader("Authorization") != nil; got != (c.status == 401) || a.challenges != wantChallenges {
					t.Errorf("signed: %t, %d challenges; want %d", got, a.challenges, wantChallenges)
				}
				w.answer(10, 200, "Session-Expires: 2000;refresher=uac")
				if <-w.outcome; w.err != nil || w.res.StatusCode != 200 || call.stored(t).Session.Interval != 2000*time.Second {
					t.Errorf("%v, %v; stored %+v", w.res, w.err, call.stored(t).Session)
				}
			})
		})
	}
}

// RFC 3261 §22.1: who answers a request with a 422 has let its credentials pass. If they are
// wanted once more after that, they were not rejected.
func TestPassedBy422(t *testing.T) {
	inCall(t, nil, func(t *testing.T, c *call) {
		c.credentials = Credentials{Realms: []RealmCredentials{{"a", "us", "p"}}}
		a := c.own(t, sip.UPDATE).attempt
		w := c.awaiting(t.Context(), t, a, patience{})
		for i, answer := range []struct {
			status int
			header string
		}{{401, `WWW-Authenticate: Digest realm="a", nonce="n"`}, {422, "Min-SE: 2000"}, {401, `WWW-Authenticate: Digest realm="a", nonce="m"`}} {
			w.answer(float64(i), answer.status, answer.header)
			w.got = c.peer.ExpectRequest(t, sip.UPDATE)
		}
		if h := w.got.GetHeader("Authorization"); !strings.Contains(h.Value(), `nonce="m"`) {
			t.Errorf("Authorization: %s", h.Value())
		}
		w.answer(5, 200)
		<-w.outcome
	})
}

// When a stream closes, no response can come. That is noticed within a second; a datagram has
// no connection to lose.
func TestConnectionLost(t *testing.T) {
	overTCP := func(d *dialogstore.Dialog) { d.Transport, d.LocalAddr = "tcp", "" }
	inCall(t, overTCP, func(t *testing.T, c *call) {
		c.peer.Close()
		c.peer = c.net.StreamPeer(them, us, "TCP")
		synctest.Wait()
		for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE} {
			a := c.own(t, method).attempt
			w := c.awaiting(t.Context(), t, a, patience{})
			time.Sleep(10500 * time.Millisecond)
			c.peer.Close()
			if <-w.outcome; !errors.Is(w.err, errConnectionLost) || w.took != 11*time.Second {
				t.Errorf("%s: %v, %v after %v; want it lost after 11 s", method, w.res, w.err, w.took)
			}
			if over := a.transaction().Err() != nil; over != (method == sip.UPDATE) {
				t.Errorf("%s: its transaction is over: %t; that of an INVITE waits for a late 2xx", method, over)
			}
			c.peer = c.net.StreamPeer(them, us, "TCP")
			synctest.Wait()
		}
		w := c.awaiting(t.Context(), t, c.own(t, sip.UPDATE).attempt, patience{})
		w.answer(20, 200, "Session-Expires: 600;refresher=uac")
		if <-w.outcome; w.err != nil || c.stored(t).Session.Interval != 600*time.Second {
			t.Errorf("on a stream that stays open: %v, session %+v", w.err, c.stored(t).Session)
		}
	})
}
