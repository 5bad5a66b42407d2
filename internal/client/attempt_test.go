package client

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// A request that goes to another place is the same, in a transaction of its own: nothing of what
// the place before has answered counts there.
func TestAnew(t *testing.T) {
	inCall(t, nil, func(t *testing.T, c *call) {
		a := c.own(t, sip.UPDATE).attempt
		asked := 0
		a.until, a.noUpdate, a.key = at(5), true, failover.Key{ID: c.d.ID, Epoch: 7}
		a.may = func(context.Context, Ownership, failover.Key) error { asked++; return nil }
		a.place, a.remember, a.responded, a.challenges = elsewhere, new(string), true, 3
		a.authorized, a.done, a.provisional = authorizations{{}}, true, true
		b := a.anew()
		if vias := b.req.GetHeaders("Via"); b.req == a.req || len(vias) != 1 || b.req.Via().Params.GetOr("branch", "") == a.req.Via().Params.GetOr("branch", "") {
			t.Errorf("its Vias are %v", vias)
		}
		if b.r != a.r || b.set != a.set || b.dialog != a.dialog || b.id != a.id || b.policy != a.policy || b.proposal != a.proposal || !b.ours ||
			b.d != a.d || !b.until.Equal(a.until) || !b.noUpdate || b.key != a.key {
			t.Errorf("%+v, want it as\n%+v", b, a)
		}
		if err := b.permitted(t.Context()); err != nil || asked != 1 {
			t.Errorf("whoever may forbid it is asked %d times: %v", asked, err)
		}
		if b.place != "" || b.remember != nil || b.responded || b.challenges != 0 || b.authorized != nil || b.done || b.provisional || b.tx != nil {
			t.Errorf("%+v, want it as new", b)
		}
	})
}

// A step that may block takes no longer than the attempt as a whole.
func TestInTime(t *testing.T) {
	for _, c := range []struct {
		transport string
		until     time.Time
		bounded   bool
	}{{"UDP", time.Time{}, false}, {"UDP", at(5), false}, {"TCP", time.Time{}, false}, {"TCP", at(5), true}} {
		a := &attempt{exchange: exchange{req: sip.NewRequest(sip.UPDATE, uri(t, "sip:peer@"+them))}, until: c.until}
		a.req.SetTransport(c.transport)
		ctx, cancel := a.inTime(context.Background())
		defer cancel()
		if end, ok := ctx.Deadline(); ok != c.bounded || ok && !end.Equal(c.until) {
			t.Errorf("%s until %v: the deadline is %v, %t", c.transport, c.until, end, ok)
		}
	}
}

// RFC 3261 §22.3: each transaction has the answers to the challenges so far. A 2xx to an INVITE
// that comes again gets another ACK (§13.2.2.4).
func TestAttemptOpened(t *testing.T) {
	for method, acks := range map[sip.RequestMethod]int{sip.INVITE: 1, sip.UPDATE: 0} {
		inCall(t, nil, func(t *testing.T, c *call) {
			o := c.own(t, method)
			o.authorized = authorizations{{field: "Authorization", challenge: &digest.Challenge{Realm: "a", Nonce: "n"}, username: "us", password: "p"}}
			if err := o.attempt.send(t.Context(), o.attempt); err != nil {
				t.Fatal(err)
			}
			tx := o.transaction()
			got := c.peer.ExpectRequest(t, method)
			if h := got.GetHeader("Authorization"); h == nil || !strings.Contains(h.Value(), `realm="a"`) {
				t.Errorf("%s: Authorization %v", method, h)
			}
			c.peer.Reply(got, 200, "OK")
			<-tx.Responses()
			before := len(c.sent())
			c.peer.Reply(got, 200, "OK")
			if n := len(c.sent()) - before; n != acks {
				t.Errorf("%s: %d messages follow on a 2xx that comes again, want %d", method, n, acks)
			}
			tx.Terminate()
		})
	}
}

// Our CSeq is stored at once if another node may take the call over, and with the outcome if
// not. Before a BYE the dialog was deleted.
func TestAttemptNumbered(t *testing.T) {
	for _, c := range []struct {
		method sip.RequestMethod
		shared bool
		stored uint32
	}{{sip.UPDATE, false, 10}, {sip.UPDATE, true, 11}, {sip.INVITE, true, 11}, {sip.BYE, true, 10}} {
		inCall(t, nil, func(t *testing.T, call *call) {
			if c.shared {
				call.ownership = node{}
			}
			a := call.own(t, c.method).attempt
			a.req.SetDestination(elsewhere)
			n := a.number()
			a.numbered(t.Context(), n)
			if d := call.stored(t); n != 11 || d.LocalCSeq != c.stored || d.Destination != "" {
				t.Errorf("%s, shared: %t: CSeq %d; stored are %d and destination %q; want 11 and %d", c.method, c.shared, n, d.LocalCSeq, d.Destination, c.stored)
			}
		})
	}
}

// Nothing is sent in a call that may not be ours, nor for somebody who waits no longer when
// that is known.
func TestAttemptPermitted(t *testing.T) {
	key := failover.Key{ID: dialogstore.ID{CallID: "call"}, Epoch: 7}
	for _, c := range []struct {
		name    string
		answer  error
		givenUp bool
		want    error
	}{{"ours", nil, false, nil}, {"not ours", errNotOurs, false, errNotOurs}, {"too late", nil, true, context.Canceled}, {"not ours, and too late", errNotOurs, true, errNotOurs}} {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		a := &attempt{exchange: exchange{r: &Requester{c: &Client{ownership: node{}}}}, key: key}
		a.may = func(_ context.Context, o Ownership, k failover.Key) error {
			if k != key || !o.Shared() {
				t.Errorf("%s: asked of %+v", c.name, k)
			}
			if c.givenUp {
				cancel()
			}
			return c.answer
		}
		if err := a.permitted(ctx); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// accept has the peer answer a request of ours after 5 s, when nobody waits any more.
func (c *call) accept(t *testing.T, a *attempt, headers ...string) {
	t.Helper()
	if err := a.send(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	got := c.peer.ExpectRequest(t, a.req.Method)
	a.req.SetDestination(elsewhere) // which the application has not chosen
	time.Sleep(5 * time.Second)
	c.peer.Reply(got, 200, "OK", headers...)
	a.accepted(ended(), <-a.transaction().Responses())
	a.transaction().Terminate()
	synctest.Wait()
}

// RFC 4028 §10: the 2xx to our refresh restarts the session, which counts from the refresh: no
// user had to be asked. Where it came from, and that the peer refuses UPDATE, are stored with it.
func TestAttemptAccepted(t *testing.T) {
	place := elsewhere
	inCall(t, nil, func(t *testing.T, c *call) {
		a := c.own(t, sip.INVITE).attempt
		a.noUpdate, a.remember = true, &place
		time.Sleep(time.Minute)
		begun := time.Now()
		c.accept(t, a, "Session-Expires: 600;refresher=uac", "Require: timer")
		d := c.stored(t)
		if d.Session.Interval != 600*time.Second || !d.Session.Since.Equal(time.Now()) || d.LastMethod != "INVITE" || d.LocalCSeq != 11 || !d.NoUpdate || d.Answered != place {
			t.Errorf("stored is %+v", d.State)
		}
		if got := d.Session.RefreshAt().Sub(begun); got != 300*time.Second {
			t.Errorf("it is refreshed %v after our request, want 300 s", got)
		}
		if n := c.calls.Figures.Read()[""].Refreshed[sessiontimer.Local][calls.Invite]; n != 1 || d.Contact != c.d.Contact {
			t.Errorf("%d refreshes are counted, our Contact is %s", n, d.Contact)
		}
	})
}

// A 2xx that names another call restarts nothing, but our CSeq is used up.
func TestAttemptAcceptedByOther(t *testing.T) {
	inCall(t, nil, func(t *testing.T, c *call) {
		c.accept(t, c.own(t, sip.UPDATE).attempt, "Session-Expires: 600;refresher=uac", "Call-ID: other")
		if d := c.stored(t); !d.Session.Equal(c.d.Session) || d.LocalCSeq != 11 || d.Destination != "" {
			t.Errorf("session %+v after CSeq %d, to %q; want the same session, 11 and no choice", d.Session, d.LocalCSeq, d.Destination)
		}
		c.wantLog(t, 1, "no session timer for the call", c.d.ID, "error=")
	})
}

// The answer to our re-INVITE may change the peer's media, which the application has not seen
// (RFC 3261 §14.1). A 2xx to a BYE starts nothing.
func TestAttemptFollowsMedia(t *testing.T) {
	agreed := func(d *dialogstore.Dialog) {
		d.SDP, d.SDPType, d.PeerSDP, d.PeerSDPType = []byte("v=0 a"), offeranswer.SDP, []byte("v=0 b"), offeranswer.SDP
	}
	for _, c := range []struct {
		method sip.RequestMethod
		answer string
		told   int
	}{{sip.INVITE, "v=0 c", 1}, {sip.INVITE, "v=0 b", 0}, {sip.UPDATE, "", 0}, {sip.BYE, "", 0}} {
		inCall(t, agreed, func(t *testing.T, call *call) {
			told := 0
			call.calls.SetApplication(calls.Application{Media: func(req *sip.Request, _ sip.ServerTransaction) {
				if told++; strings.TrimSpace(string(req.Body())) != c.answer {
					t.Errorf("the application is told of %q", req.Body())
				}
			}})
			a := call.own(t, c.method).attempt
			call.dialog.Recall(calls.AgreedOf(&call.d.State))
			if c.method == sip.INVITE {
				describe(a.req, "v=0 a")
			}
			headers := []string{"Session-Expires: 600;refresher=uac"}
			if c.answer != "" {
				headers = append(headers, c.answer)
			}
			call.accept(t, a, headers...)
			if told != c.told {
				t.Errorf("%s %q: the application is told %d times, want %d", c.method, c.answer, told, c.told)
			}
			if d := call.stored(t); (d.Session.Interval == 600*time.Second) != (c.method != sip.BYE) {
				t.Errorf("%s: session %+v", c.method, d.Session)
			}
		})
	}
}
