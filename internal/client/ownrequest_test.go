package client

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
)

// ownAt is a request of ours to the first of so many places, which are guesses.
func ownAt(places int) *ownRequest {
	c := &Client{calls: &calls.Calls{Log: slog.New(slog.DiscardHandler)}}
	return &ownRequest{
		attempt: &attempt{exchange: exchange{r: &Requester{c: c}, req: sip.NewRequest(sip.UPDATE, sip.Uri{})}},
		facts:   indialog.Facts{Transport: "udp", URI: "10.0.0.9:5060"},
		places:  make([]indialog.Candidate, places),
	}
}

// A place that does not answer has half of the time that is left, if others may follow;
// the last one has what its transaction takes. After an UPDATE that nobody answered each
// has what that has left of 32 s (RFC 4028 §10). All in seconds, at 10 s.
func TestPatienceHere(t *testing.T) {
	for _, c := range []struct {
		name                         string
		others                       int
		deadline, lastChance, waited float64
		end                          float64 // of an UPDATE that is given up early
		stays                        bool
		want                         float64 // 0 for as long as the transaction lives
		err                          error
	}{
		{name: "the only place"},
		{name: "the only place, however little is left", deadline: 12, lastChance: 11},
		{name: "half of a transaction's life", others: 1, want: 26, err: errNotHeard},
		{name: "half, however many others", others: 3, want: 26, err: errNotHeard},
		{name: "half until the deadline", others: 1, deadline: 20, want: 15, err: errNotHeard},
		{name: "half until the last chance", others: 1, lastChance: 18, want: 14, err: errNotHeard},
		{name: "the deadline comes first", others: 1, deadline: 16, lastChance: 18, want: 13, err: errNotHeard},
		{name: "the last chance comes first", others: 1, deadline: 20, lastChance: 18, want: 14, err: errNotHeard},
		{name: "it is given up before the deadline", others: 1, deadline: 20, end: 14, want: 12, err: errNotHeard},
		{name: "the deadline comes before it is given up", others: 1, deadline: 20, end: 34, want: 15, err: errNotHeard},
		{name: "the last chance has passed", others: 1, deadline: 20, lastChance: 9, want: 15, err: errNotHeard},
		{name: "nobody answered refreshes anywhere", others: 1, deadline: 20, stays: true},
		{name: "after a silent UPDATE", waited: 24, want: 18, err: errSilence},
		{name: "after a silent UPDATE, others", others: 1, waited: 24, want: 18, err: errSilence},
		{name: "the same, and half comes first", others: 1, waited: 24, deadline: 20, want: 15, err: errNotHeard},
		{name: "the same, and it stays", others: 1, waited: 24, deadline: 20, stays: true, want: 18, err: errSilence},
	} {
		o := ownAt(c.others + 1)
		o.waited, o.stays = time.Duration(c.waited*float64(time.Second)), c.stays
		if c.lastChance > 0 {
			o.lastChance = at(c.lastChance)
		}
		if c.end > 0 {
			o.until = at(c.end)
		}
		ctx := context.Background()
		if c.deadline > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, at(c.deadline))
			defer cancel()
		}
		want := patience{err: c.err}
		if c.want > 0 {
			want.until = at(c.want)
		}
		if got := o.patienceHere(ctx, at(10)); !got.until.Equal(want.until) || got.err != want.err {
			t.Errorf("%s: until %v, then %v; want %v, %v", c.name, got.until.Sub(began), got.err, want.until.Sub(began), want.err)
		}
	}
}

// Another place is tried where this one failed, or answered what a guess is not believed
// in. The first refusal is kept, to be the outcome if nothing better comes.
func TestTurns(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name   string
		others int
		stays  bool
		over   bool // it is given up
		ctx    context.Context
		status int
		err    error
		want   bool
	}{
		{name: "not heard", others: 1, err: errNotHeard, want: true},
		{name: "connection lost", others: 1, err: errConnectionLost, want: true},
		{name: "a stranger's 481", others: 1, status: 481, want: true},
		{name: "a refusal that says somebody is there", others: 1, status: 488},
		{name: "a 200", others: 1, status: 200},
		{name: "no other place", err: errNotHeard},
		{name: "a 481, and no other place", status: 481},
		{name: "nobody waits any more", others: 1, ctx: cancelled, err: context.Canceled},
		{name: "an UPDATE that is given up", others: 1, over: true, err: context.DeadlineExceeded},
		{name: "a BYE that refreshes before were answered nowhere", others: 1, stays: true, err: sip.ErrTransactionTimeout},
		{name: "the same, but the stream is lost", others: 1, stays: true, err: errConnectionLost, want: true},
	} {
		o := ownAt(c.others + 1)
		o.stays = c.stays
		if c.over {
			o.until = time.Now()
		}
		if c.ctx == nil {
			c.ctx = context.Background()
		}
		var res *sip.Response
		if c.status > 0 {
			res = sip.NewResponseFromRequest(o.req, c.status, "", nil)
		}
		if got := o.turns(c.ctx, res, c.err); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
		if c.want && (o.refusal != res || !errors.Is(o.failed, c.err)) {
			t.Errorf("%s: kept %v and %v, want what happened here", c.name, o.refusal, o.failed)
		}
		if c.want && res != nil {
			o.turns(c.ctx, sip.NewResponseFromRequest(o.req, 404, "", nil), nil)
			if o.refusal != res {
				t.Errorf("%s: a later refusal is kept, want the first", c.name)
			}
		}
	}
}
