//go:build interop

package interop

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// exchange is a request and its final response.
type exchange struct {
	from     party
	req      *sip.Request
	res      *sip.Response
	sent     time.Duration // when the request was first seen
	answered time.Duration // when the response was first seen
	initial  bool          // it has no To tag
}

func (e *exchange) method() string { return e.req.Method.String() }

func (e *exchange) status() int {
	if e.res == nil {
		return 0
	}
	return e.res.StatusCode
}

// exchanges pairs requests with their final responses, in order. An ACK is part
// of what it acknowledges.
func exchanges(msgs []sipnet.Message) []*exchange {
	var all []*exchange
	open := make(map[string]*exchange)
	for _, m := range msgs {
		if m.SIP == nil || m.SIP.Via() == nil || m.SIP.CSeq() == nil {
			continue
		}
		branch, _ := m.SIP.Via().Params.Get("branch")
		key := branch + " " + m.SIP.CSeq().MethodName.String()
		switch msg := m.SIP.(type) {
		case *sip.Request:
			if msg.Method == sip.ACK {
				continue
			}
			if open[key] != nil {
				continue // a retransmission
			}
			e := &exchange{from: party(m.From), req: msg, sent: m.At}
			if to := msg.To(); to != nil {
				e.initial = !to.Params.Has("tag")
			}
			open[key] = e
			all = append(all, e)
		case *sip.Response:
			if e := open[key]; e != nil && e.res == nil && msg.StatusCode >= 200 && party(m.From) == e.from.other() {
				e.res, e.answered = msg, m.At
			}
		}
	}
	return all
}

// setUp is the INVITE that began the call, once answered with 2xx.
func setUp(msgs []sipnet.Message) *exchange {
	for _, e := range exchanges(msgs) {
		if e.initial && e.req.Method == sip.INVITE && e.status()/100 == 2 {
			return e
		}
	}
	return nil
}

// refreshes are the INVITEs and UPDATEs within the call that were answered 2xx.
func refreshes(msgs []sipnet.Message) []*exchange {
	var all []*exchange
	for _, e := range exchanges(msgs) {
		if !e.initial && (e.req.Method == sip.INVITE || e.req.Method == sip.UPDATE) && e.status()/100 == 2 {
			all = append(all, e)
		}
	}
	return all
}

// hangUp is the first BYE.
func hangUp(msgs []sipnet.Message) *exchange {
	for _, e := range exchanges(msgs) {
		if e.req.Method == sip.BYE {
			return e
		}
	}
	return nil
}

// refresherIn is who refreshes by the 2xx of e, and the interval in seconds.
func refresherIn(e *exchange) (interval int, who party) {
	value := header(e.res, "Session-Expires")
	if value == "" {
		value = header(e.res, "x")
	}
	seconds, params, _ := strings.Cut(value, ";")
	interval = atoi(strings.TrimSpace(seconds))
	switch params = strings.ReplaceAll(params, " ", ""); {
	case interval == 0:
		return 0, ""
	case strings.Contains(params, "refresher=uas"):
		return interval, e.from.other()
	}
	return interval, e.from
}

// verdict is what a call has to be.
type verdict struct {
	interval  int   // seconds, of the 2xx to the INVITE; 0 for no timer
	refresher party // who refreshes
	method    string
	every     [2]time.Duration // from a 2xx to the refresh that follows
	count     int              // refreshes at least
	bye       party            // who hangs up
	byeAfter  time.Duration    // the call lives at least this long
}

// judge compares a call, once over, with what it has to be. It returns what was
// seen in one line.
func judge(t *testing.T, msgs []sipnet.Message, want verdict) string {
	t.Helper()
	call := setUp(msgs)
	if call == nil {
		t.Errorf("no call was set up")
		return "no call"
	}
	interval, who := refresherIn(call)
	if interval != want.interval {
		t.Errorf("the 2xx settles %d s, want %d s", interval, want.interval)
	}
	if want.interval > 0 && who != want.refresher {
		t.Errorf("by the 2xx the %s refreshes, want the %s", who, want.refresher)
	}
	seen := fmt.Sprintf("`%s`", timerOf(call.res))
	if interval == 0 {
		seen = "no timer"
	}
	return seen + judgeRefreshes(t, msgs, call, want) + judgeEnd(t, msgs, call, want)
}

func timerOf(m sip.Message) string {
	if v := header(m, "Session-Expires"); v != "" {
		return v
	}
	return header(m, "x")
}

func judgeRefreshes(t *testing.T, msgs []sipnet.Message, call *exchange, want verdict) string {
	t.Helper()
	list := refreshes(msgs)
	if len(list) < want.count {
		t.Errorf("%d refreshes were answered with 2xx, want %d or more", len(list), want.count)
	}
	var times []string
	last := call.answered
	for i, e := range list {
		gap := e.sent - last
		last = e.answered
		times = append(times, fmt.Sprintf("%.1f", (e.sent-call.answered).Seconds()))
		if e.from != want.refresher || e.method() != want.method {
			t.Errorf("refresh %d is the %s's %s, want the %s's %s", i+1, e.from, e.method(), want.refresher, want.method)
		}
		if gap < want.every[0] || gap > want.every[1] {
			t.Errorf("refresh %d came %.2f s after the 2xx before it, want %.2f to %.2f s", i+1, gap.Seconds(),
				want.every[0].Seconds(), want.every[1].Seconds())
		}
	}
	if len(times) == 0 {
		return ""
	}
	return fmt.Sprintf(", %s at %s s", want.method, strings.Join(times, ", "))
}

func judgeEnd(t *testing.T, msgs []sipnet.Message, call *exchange, want verdict) string {
	t.Helper()
	sipnet.CheckCSeq(t, msgs)
	bye := hangUp(msgs)
	if bye == nil {
		t.Errorf("nobody hung up")
		return ", no BYE"
	}
	age := bye.sent - call.answered
	if bye.from != want.bye {
		t.Errorf("the %s hung up, want the %s", bye.from, want.bye)
	}
	if age < want.byeAfter {
		t.Errorf("BYE after %.2f s, want %.2f s or more", age.Seconds(), want.byeAfter.Seconds())
	}
	for _, e := range exchanges(msgs) {
		if e.sent > bye.sent && e.from == theSubject && e != bye {
			t.Errorf("%s at %.3fs, after the BYE", e.method(), e.sent.Seconds())
		}
	}
	if bye.from == theSubject {
		return fmt.Sprintf(", our BYE at %.1f s", age.Seconds())
	}
	return fmt.Sprintf(", its BYE at %.1f s", age.Seconds())
}
