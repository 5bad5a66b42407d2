package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// witness is a kind of request that notes the steps of send.
type witness struct {
	aKind
	x     *exchange
	steps []string
}

func (w *witness) step(name string) {
	w.steps = append(w.steps, fmt.Sprintf("%s %d", name, w.x.req.CSeq().SeqNo))
}

func (w *witness) opened(tx *sip.ClientTx)                   { w.aKind.opened(tx); w.step("opened") }
func (w *witness) number() uint32                            { w.step("number"); return 7 }
func (w *witness) numbered(_ context.Context, cseq uint32)   { w.step(fmt.Sprint("numbered ", cseq)) }
func (w *witness) says()                                     { w.step("says") }
func (w *witness) permitted(ctx context.Context) (err error) { w.step("permitted"); return w.refuses }

// RFC 3261 §12.2.1.1: requests leave in the order of their CSeq, so a request gets it in its
// turn, with the connection open, and whoever may forbid the request is asked last. One that
// is not sent leaves no transaction.
func TestSend(t *testing.T) {
	notOurs := errors.New("of the test")
	inTurn := []string{"opened 1", "number 1", "numbered 7 7", "says 7", "permitted 7"}
	for _, c := range []struct {
		name    string
		refuses error
		turn    time.Duration // of the request before
		steps   []string
		want    error
	}{
		{"at once", nil, 0, inTurn, nil},
		{"after another", nil, time.Second, inTurn, nil},
		{"another that takes too long", nil, time.Minute, inTurn[:1], context.DeadlineExceeded},
		{"forbidden", notOurs, 0, inTurn, notOurs},
	} {
		t.Run(c.name, func(t *testing.T) {
			inStack(t, func(t *testing.T, s *stack) {
				x := s.anExchange(t)
				w := &witness{x: x, aKind: aKind{refuses: c.refuses}}
				go func() {
					_ = x.dialog.Count.InTurn(t.Context(), func() error { time.Sleep(c.turn); return nil })
				}()
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err := x.send(ctx, w)
				if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || !slices.Equal(w.steps, c.steps) {
					t.Errorf("%v after %q, want %v after %q", err, w.steps, c.want, c.steps)
				}
				sent := s.sent()
				if (len(sent) == 1) != (c.want == nil) || x.transaction() != w.tx {
					t.Fatalf("%d messages have left, want one if it is sent: %v", len(sent), c.want)
				}
				if c.want != nil {
					if w.tx.Err() == nil {
						t.Error("its transaction goes on")
					}
					time.Sleep(time.Minute) // for the turn of the other
					return
				}
				if n := sent[0].(*sip.Request).CSeq().SeqNo; n != 7 || x.cseq != 7 || !x.sentAt.Equal(time.Now()) {
					t.Errorf("CSeq %d, noted as %d, sent %v ago; want 7, now", n, x.cseq, time.Since(x.sentAt))
				}
				if got := x.localAddr(); got != us {
					t.Errorf("it was sent from %q, want %q", got, us)
				}
				w.tx.Terminate()
			})
		})
	}
}

// Every request shows that we support timers; INVITE and UPDATE also have the proposal (RFC
// 4028 §7.1).
func TestMark(t *testing.T) {
	for method, negotiates := range map[sip.RequestMethod]bool{sip.INVITE: true, sip.UPDATE: true, sip.INFO: false, sip.BYE: false, sip.PRACK: false} {
		inStack(t, func(t *testing.T, s *stack) {
			x := s.anExchange(t)
			x.req.Method = method
			x.req.AppendHeader(sip.NewHeader("k", "replaces"))
			if err := x.send(t.Context(), new(aKind)); err != nil {
				t.Fatal(err)
			}
			defer x.tx.Terminate()
			if got := x.req.GetHeader(sessiontimer.HeaderSessionExpires) != nil; got != negotiates || !x.proposal.Send {
				t.Errorf("%s: Session-Expires: %t, want %t", method, got, negotiates)
			}
			if got := x.req.GetHeader("k").Value(); !sipmsg.HasToken(x.req, "Supported", "k", sessiontimer.OptionTag) || got == sessiontimer.OptionTag {
				t.Errorf("%s: k: %s, want timer beside what the application has", method, got)
			}
			s.wantLog(t, 0, "no session timer", x.id)
		})
	}
}

// A peer that answers no handshake, or stops reading its stream, delays our own requests no
// longer than their context says. The application is blocked for as long as sipgo is: it must
// be free to use its message again.
func TestSendBlocks(t *testing.T) {
	const limit = 5 * time.Second
	for _, c := range []struct {
		ours, open bool // the stream is open
		waited     time.Duration
		want       error
	}{
		{true, true, limit, context.DeadlineExceeded},
		{true, false, limit, context.DeadlineExceeded},
		{false, true, 2 * limit, nil},
		{false, false, 2 * limit, syscall.ECONNREFUSED},
	} {
		inStack(t, func(t *testing.T, s *stack) {
			if c.open {
				_ = s.net.StreamPeer(them, us, "TCP")
				synctest.Wait()
			}
			x := s.anExchange(t)
			x.ours = c.ours
			x.req.SetTransport("TCP")
			s.net.Stall(them)
			time.AfterFunc(2*limit, func() { s.net.Resume(them) })
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			begun := time.Now()
			err := x.send(ctx, new(aKind))
			if waited := time.Since(begun); waited != c.waited || !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("ours: %t, open: %t: %v after %v, want %v after %v", c.ours, c.open, err, waited, c.want, c.waited)
			}
			time.Sleep(2 * limit)
			if x.tx != nil {
				x.tx.Terminate()
			}
		})
	}
}

// RFC 3261 §18.1.1: what is too long for a datagram with the session timer is sent without,
// and may be sent again as often as before. A request that has none is no matter for a log.
func TestFit(t *testing.T) {
	for method, logged := range map[sip.RequestMethod]int{sip.INVITE: 1, sip.UPDATE: 1, sip.INFO: 0} {
		inStack(t, func(t *testing.T, s *stack) {
			x := s.anExchange(t)
			x.req.Method, x.proposal.Retries = method, 3
			const limit = 1300 // of a datagram
			x.req.AppendHeader(sip.NewHeader("Subject", strings.Repeat("x", limit-26-len(sipmsg.Text(x.req)))))
			want := x.proposal
			if logged > 0 {
				want = sessiontimer.Proposal{Retries: 3}
			}
			if err := x.send(t.Context(), new(aKind)); err != nil {
				t.Fatal(err)
			}
			defer x.tx.Terminate()
			if got := len(sipmsg.Text(x.req)); got > limit || x.req.GetHeader(sessiontimer.HeaderSessionExpires) != nil || x.proposal != want {
				t.Errorf("%s: %d bytes, proposal %+v; want at most %d and %+v", method, got, x.proposal, limit, want)
			}
			s.wantLog(t, logged, "no session timer", x.id, "method="+string(method))
		})
	}
}

// Each response goes to the step for its kind, and a final one ends the exchange. A
// provisional one makes a CANCEL possible.
func TestHandle(t *testing.T) {
	for _, c := range []struct {
		status                int
		tells, accepts, overs int
	}{{100, 1, 0, 0}, {180, 1, 0, 0}, {200, 0, 1, 1}, {302, 1, 0, 1}, {486, 1, 0, 1}, {603, 1, 0, 1}} {
		inRequest(t, func(t *testing.T, r *requesting) {
			k := r.kind
			if again := r.x.handle(context.Background(), k, r.response(c.status)); again || k.tells != c.tells || k.accepts != c.accepts || k.overs != c.overs {
				t.Errorf("%d: sent again: %t; told %d, accepted %d, over %d times; want %+v", c.status, again, k.tells, k.accepts, k.overs, c)
			}
			if r.x.provisional != (c.status < 200) {
				t.Errorf("%d: noted as provisional: %t", c.status, r.x.provisional)
			}
		})
	}
}

var minSE = sip.NewHeader(sessiontimer.HeaderMinSE, "2000")

// RFC 4028 §7.3, §7.4: a request is sent again after a 422 or 420. One that may not be sent
// then leaves the refusal, and its transaction, as they were, and withdraws its offer.
func TestSentAgain(t *testing.T) {
	notOurs := errors.New("of the test")
	unsupported := sip.NewHeader("Unsupported", sessiontimer.OptionTag)
	for _, c := range []struct {
		name      string
		status    int
		header    sip.Header
		refuses   error
		cancelled bool
		again     bool
		counted   uint64
	}{
		{"a 422", 422, minSE, nil, false, true, 1},
		{"a 422, but it may not be sent", 422, minSE, notOurs, false, false, 0},
		{"a 422, but it was cancelled", 422, minSE, nil, true, false, 0},
		{"a 422 that asks for nothing", 422, nil, nil, false, false, 0},
		{"another refusal", 486, minSE, nil, false, false, 0},
		{"a 420 to what did not require timers", 420, unsupported, nil, false, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inRequest(t, func(t *testing.T, r *requesting) {
				refused, begun := r.x.tx, len(r.sent())
				r.kind.refuses, r.x.cancelled, r.x.provisional = c.refuses, c.cancelled, true
				says := func(by offeranswer.Party, status int) bool {
					_, news := r.x.dialog.Said(by, offeranswer.Message{Method: "INVITE", CSeq: 7, Status: status, Type: offeranswer.SDP, Body: []byte("v=0")}, "")
					return news
				}
				r.kind.offers = func() { says(offeranswer.Us, 0) }
				var headers []sip.Header
				if c.header != nil {
					headers = append(headers, c.header)
				}
				branch := r.x.req.Via().Params.GetOr("branch", "")
				if again := r.x.handle(context.Background(), r.kind, r.response(c.status, headers...)); again != c.again {
					t.Errorf("sent again: %t, want %t", again, c.again)
				}
				synctest.Wait()
				if sent := len(r.sent()) - begun; (sent == 1) != c.again || sent > 1 {
					t.Errorf("%d INVITEs have left since, want one: %t", sent, c.again)
				}
				if (r.x.transaction() == refused) == c.again {
					t.Errorf("the transaction is that of the refused INVITE: %t", r.x.transaction() == refused)
				}
				if other := r.x.req.Via().Params.GetOr("branch", "") != branch; c.again && (!other || r.x.provisional) {
					t.Errorf("another branch: %t; a provisional response: %t", other, r.x.provisional)
				}
				if n := r.x.r.c.calls.Figures.Retries422.Load(); n != c.counted {
					t.Errorf("%d are counted, want %d", n, c.counted)
				}
				if over := r.kind.overs == 1; over == c.again {
					t.Errorf("over came %d times", r.kind.overs)
				}
				if answered := says(offeranswer.Peer, 200); answered != c.again {
					t.Errorf("an answer would be one to an offer of ours: %t, want %t", answered, c.again)
				}
				if c.refuses != nil {
					if r.kind.tx == refused || r.kind.tx.Err() == nil {
						t.Error("what was opened for it is left open")
					}
					refused.Terminate()
					if time.Sleep(time.Minute); len(r.sent()) != begun {
						t.Errorf("%d INVITEs have left for one that may not be sent", len(r.sent())-begun)
					}
				}
			})
		})
	}
}

// RFC 4028 §7.4: after a 420 that refuses Require: timer the INVITE goes without, and so do
// later requests of the call. That is no 422 to be counted.
func TestSentAgainWithoutRequire(t *testing.T) {
	inRequest(t, func(t *testing.T, r *requesting) {
		r.x.policy.Mode, r.x.proposal.Require = sessiontimer.Require, true
		begun := len(r.sent())
		refusal := r.response(420, sip.NewHeader("Unsupported", sessiontimer.OptionTag))
		if !r.x.handle(context.Background(), r.kind, refusal) || len(r.sent()) != begun+1 {
			t.Fatal("it is not sent again")
		}
		if r.x.policy.Mode != sessiontimer.Always || r.x.proposal.Require || r.calls.Figures.Retries422.Load() != 0 {
			t.Errorf("mode %s, required: %t, 422s counted: %d", r.x.policy.Mode, r.x.proposal.Require, r.calls.Figures.Retries422.Load())
		}
	})
}

// The Min-SE of a 422 is kept even if whoever waits for the request gives it up just then, and
// even if the request may not be sent again.
func TestLearnsDetached(t *testing.T) {
	inRequest(t, func(t *testing.T, r *requesting) {
		r.kind.refuses = errors.New("of the test")
		r.kind.learned = func(got context.Context) {
			if got.Err() != nil {
				t.Errorf("it is learned with a context that has %v", got.Err())
			}
		}
		if r.x.handle(ended(), r.kind, r.response(422, minSE)) {
			t.Error("it is sent again")
		}
		if r.kind.learnt != 2000*time.Second {
			t.Errorf("learned is %v, want the Min-SE", r.kind.learnt)
		}
		r.wantLog(t, 1, "cannot send the refused request again", r.x.id, "method=INVITE", "status=422", `error="of the test"`)
	})
}

// An exchange ends once. Without a response that withdraws its offer, as a refusal would (RFC
// 3261 §8.1.3.1).
func TestExchangeEndsOnce(t *testing.T) {
	for _, c := range []struct {
		name      string
		res       *sip.Response
		withdrawn bool
	}{{"with a response", sip.NewResponse(200, "OK"), false}, {"without one", nil, true}} {
		inRequest(t, func(t *testing.T, r *requesting) {
			offer := offeranswer.Message{Method: "INVITE", CSeq: 7, Type: offeranswer.SDP, Body: []byte("v=0")}
			answer := offer
			answer.Status = 200
			r.x.dialog.Said(offeranswer.Us, offer, "")
			if first := r.x.end(c.res); !first || !r.x.done {
				t.Errorf("%s: first: %t, done: %t", c.name, first, r.x.done)
			}
			if r.x.end(nil) {
				t.Errorf("%s: it ends twice", c.name)
			}
			if _, news := r.x.dialog.Said(offeranswer.Peer, answer, ""); news == c.withdrawn {
				t.Errorf("%s: an answer is one to its offer: %t", c.name, news)
			}
		})
	}
}

// RFC 3261 §8.2.6.2: a response has the Call-ID and From tag of its request. A 2xx that has
// others makes no dialog that we could end.
func TestOfCall(t *testing.T) {
	for _, c := range []struct {
		name, callID, tag string
		want              bool
	}{
		{"ours", "call", "ours", true},
		{"another Call-ID", "other", "ours", false},
		{"another tag", "call", "other", false},
	} {
		inRequest(t, func(t *testing.T, r *requesting) {
			res := r.response(200)
			callID := sip.CallIDHeader(c.callID)
			res.ReplaceHeader(&callID)
			res.From().Params.Add("tag", c.tag)
			res.To().Params.Add("tag", "theirs")
			if got := r.x.ofCall(res); got != c.want {
				t.Errorf("%s: %t, want %t", c.name, got, c.want)
			}
			times := 1
			if c.want {
				times = 0
			}
			r.wantLog(t, times, "no session timer", r.x.set.ID("theirs"), "error=")
		})
	}
}
