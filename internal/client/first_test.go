package client

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// calling is our first INVITE on its way, as its peer has it.
type calling struct {
	*stack
	f    *firstInvite
	tx   sip.ClientTransaction
	got  *sip.Request
	peer *sipnet.Peer
}

// inCalling runs f in a bubble, with an INVITE that r, or the stack's requester if it is nil,
// has sent.
func inCalling(t *testing.T, by func(*stack) *Requester, f func(t *testing.T, c *calling)) {
	t.Helper()
	inStack(t, func(t *testing.T, s *stack) {
		peer, r := s.net.Peer(them), s.r
		if by != nil {
			r = by(s)
		}
		req := s.anInvite(t)
		describe(req, "v=0 ours")
		c := &calling{stack: s, peer: peer, f: r.newFirstInvite(req, sessiontimer.DefaultPolicy())}
		var err error
		if c.tx, err = c.f.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = c.tx.Responses()
		c.got = peer.ExpectRequest(t, sip.INVITE)
		f(t, c)
		c.tx.Terminate()
	})
}

// stored returns a dialog as it is stored.
func (c *calling) stored(tag string) (d dialogstore.Dialog, ok bool) {
	d, err := c.calls.Store.Load(context.Background(), c.f.set.ID(tag))
	return d, err == nil
}

// success returns a 2xx of a party as sipgo hands it to us; a tag that is empty is left out.
func (c *calling) success(tag string, headers ...sip.Header) *sip.Response {
	res := sip.NewResponseFromRequest(c.f.req, 200, "OK", nil)
	res.To().Params.Remove("tag")
	if tag != "" {
		res.To().Params.Add("tag", tag)
	}
	for _, h := range headers {
		res.AppendHeader(h)
	}
	return res
}

// RFC 4028 §7.2: the 2xx makes a dialog with the session that it says. The dialog has the client
// that sent the INVITE, if that is not the one that its transport has anyway.
func TestFirstAccepted(t *testing.T) {
	other := func(s *stack) *Requester { return &Requester{c: s.Client, client: s.r.client} }
	for name, by := range map[string]func(*stack) *Requester{"the client of the transport": nil, "a client of its own": other} {
		inCalling(t, by, func(t *testing.T, c *calling) {
			if se := c.got.GetHeader(sessiontimer.HeaderSessionExpires); se == nil || se.Value() != "1800" {
				t.Errorf("Session-Expires %v, want that of the policy", se)
			}
			time.Sleep(time.Second)
			res := c.peer.Reply(c.got, 200, "OK", "Session-Expires: 600;refresher=uac", "Require: timer", "Supported: timer")
			<-c.tx.Responses()
			tag, _ := res.To().Params.Get("tag")
			d, ok := c.stored(tag)
			if !ok {
				t.Fatal("no dialog is stored")
			}
			if d.Session.Interval != 600*time.Second || d.Session.Refresher != sessiontimer.Local || !d.Session.Since.Equal(time.Now()) || !d.Began.Equal(time.Now()) {
				t.Errorf("session %+v, want 600 s of ours from the 2xx", d.Session)
			}
			if !d.OwnsCallID || d.Policy != sessiontimer.DefaultPolicy() || d.Transport != "udp" || d.LocalAddr != us || d.LocalCSeq != c.got.CSeq().SeqNo || !d.PeerTimer {
				t.Errorf("stored is %+v", d)
			}
			if client := c.f.dialog.SentBy(); (client != nil) != (by != nil) || by != nil && client != c.f.r.client {
				t.Errorf("%s: its requests are sent by %p", name, client)
			}
			if !c.f.set.Lives(tag) {
				t.Error("the dialog does not live")
			}
		})
	}
}

// What a party said while it rang counts if its 2xx says nothing about it. Responses add up, and
// the latest Allow counts (RFC 3311 §4). Those of eight parties are kept.
func TestHear(t *testing.T) {
	f := new(firstInvite)
	hear := func(tag string, headers ...sip.Header) {
		res := sip.NewResponse(180, "Ringing")
		for _, h := range headers {
			res.AppendHeader(h)
		}
		f.hear(tag, res)
	}
	want := func(tag string, supported, hasAllow, update bool) {
		t.Helper()
		h := f.heard[tag]
		if h.Supported != supported || h.HasAllow != hasAllow || h.AllowUpdate != update {
			t.Errorf("%q: supported: %t, Allow: %t, UPDATE: %t; want %t, %t, %t", tag, h.Supported, h.HasAllow, h.AllowUpdate, supported, hasAllow, update)
		}
	}
	supported := sip.NewHeader("Supported", "timer")
	hear("a")
	want("a", false, false, false)
	hear("a", supported)
	want("a", true, false, false)
	hear("a", sip.NewHeader("Allow", "INVITE, UPDATE"))
	want("a", true, true, true)
	hear("a")
	want("a", true, true, true)
	hear("a", sip.NewHeader("Allow", "INVITE"))
	want("a", true, true, false)
	hear("", supported)
	for i := range 2 * keptEarly {
		hear(fmt.Sprint(i), supported)
	}
	hear("0", sip.NewHeader("Allow", "UPDATE"))
	want("0", true, true, true)
	want(fmt.Sprint(keptEarly-2), true, false, false)
	want(fmt.Sprint(keptEarly-1), false, false, false)
	if _, known := f.heard[""]; known || len(f.heard) != keptEarly {
		t.Errorf("%d parties are kept, one without a tag: %t; want %d", len(f.heard), known, keptEarly)
	}
}

// The 2xx of a party that has said before that it allows UPDATE need not repeat it.
func TestHeardBefore2xx(t *testing.T) {
	inCalling(t, nil, func(t *testing.T, c *calling) {
		c.peer.Reply(c.got, 180, "Ringing", "Allow: INVITE, UPDATE")
		<-c.tx.Responses()
		res := c.peer.Reply(c.got, 200, "OK", "-Allow")
		<-c.tx.Responses()
		tag, _ := res.To().Params.Get("tag")
		if d, ok := c.stored(tag); !ok || !d.PeerUpdate {
			t.Errorf("stored: %t, UPDATE allowed: %t; want both", ok, d.PeerUpdate)
		}
	})
}

// A 2xx makes a dialog unless it names another call or no party. After a CANCEL (RFC 3261 §9.1),
// or if it has names that must not be stored, it makes none that has a timer.
func TestFirstNotAccepted(t *testing.T) {
	long := strings.Repeat("x", 600)
	other := sip.CallIDHeader("other")
	for _, c := range []struct {
		name      string
		cancelled bool
		change    func(*sip.Response)
		tag       string
		logged    bool
	}{
		{"it was cancelled", true, nil, "theirs", false},
		{"no tag", false, nil, "", false},
		{"another call", false, func(res *sip.Response) { res.ReplaceHeader(&other) }, "theirs", true},
		{"a tag that is too long", false, nil, long, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCalling(t, nil, func(t *testing.T, call *calling) {
				call.f.cancelled = c.cancelled
				res := call.success(c.tag)
				if c.change != nil {
					c.change(res)
				}
				call.f.accepted(t.Context(), res)
				if _, ok := call.stored(c.tag); ok {
					t.Error("it is stored")
				}
				times := 0
				if c.logged {
					times = 1
				}
				call.wantLog(t, times, "no session timer for the call", call.f.set.ID(c.tag), "error=")
				if c.cancelled {
					call.f.set.TakeFork(t.Context(), c.tag)
					if _, ok := call.stored(c.tag); !ok {
						t.Error("the application has acknowledged it all the same, and it is not stored")
					}
				}
			})
		})
	}
}

// A Session-Expires that cannot be parsed is logged with the names of the dialog.
func TestFirstMalformed(t *testing.T) {
	inCalling(t, nil, func(t *testing.T, c *calling) {
		c.f.accepted(t.Context(), c.success("theirs", sip.NewHeader(sessiontimer.HeaderSessionExpires, "soon")))
		c.wantLog(t, 1, "malformed", c.f.set.ID("theirs"), "error=")
		c.f.accepted(t.Context(), c.success("theirs", sip.NewHeader(sessiontimer.HeaderSessionExpires, "soon")))
		c.wantLog(t, 1, "malformed", c.f.set.ID("theirs"))
	})
}

// RFC 4028 §7.2: each 2xx of a forked INVITE makes a dialog, which counts from the arrival of
// the 2xx, but only with the ACK of the application (RFC 3261 §13.2.2.4).
func TestFork(t *testing.T) {
	refusal := func(res *sip.Response) *sip.Response { res.StatusCode = 486; return res }
	interval := sip.NewHeader(sessiontimer.HeaderSessionExpires, "600;refresher=uac")
	inCalling(t, nil, func(t *testing.T, c *calling) {
		c.f.accepted(ended(), c.success("first", interval)) // nobody waits any more
		if _, ok := c.stored("first"); !ok {
			t.Error("the first is not stored")
		}
		since := time.Now()
		for _, res := range []*sip.Response{
			c.success("first", interval), c.success("second", interval), c.success("second", interval), c.success(""),
			refusal(c.success("refused")), c.success(strings.Repeat("x", 600)),
		} {
			c.f.repeated(res)
		}
		for _, tag := range []string{"second", "refused"} {
			if _, ok := c.stored(tag); ok {
				t.Errorf("%s: it is stored before the ACK", tag)
			}
		}
		time.Sleep(5 * time.Second)
		for _, tag := range []string{"second", "refused", "", strings.Repeat("x", 600)} {
			c.f.set.TakeFork(t.Context(), tag)
			d, ok := c.stored(tag)
			if ok != (tag == "second") || ok && (!d.Session.Since.Equal(since) || d.Session.Interval != 600*time.Second || d.LocalCSeq != c.got.CSeq().SeqNo) {
				t.Errorf("%.9q: stored: %t, session %+v after CSeq %d", tag, ok, d.Session, d.LocalCSeq)
			}
		}
		if c.log.Count("no session timer") > 0 {
			t.Errorf("what makes no dialog is logged: %s", c.log.String())
		}
	})
}

// A further 2xx arrives after the application has its response.
func TestForkArrives(t *testing.T) {
	inCalling(t, nil, func(t *testing.T, c *calling) {
		c.peer.Reply(c.got, 200, "OK")
		<-c.tx.Responses()
		c.peer.Reply(c.got, 200, "OK", "To: <sip:peer@"+them+">;tag=second")
		synctest.Wait()
		c.f.set.TakeFork(t.Context(), "second")
		if _, ok := c.stored("second"); !ok {
			t.Error("its dialog is not stored")
		}
	})
}

// RFC 3261 §13.2.1: the INVITE has the offer and the 2xx the answer, or a provisional response
// before it, of the same party.
func TestFirstAgrees(t *testing.T) {
	for _, early := range []bool{false, true} {
		inCalling(t, nil, func(t *testing.T, c *calling) {
			answer := "v=0 theirs"
			if early {
				c.peer.Reply(c.got, 183, "Session Progress", "Content-Type: application/sdp", answer)
				<-c.tx.Responses()
				answer = ""
			}
			res := c.peer.Reply(c.got, 200, "OK", answer)
			<-c.tx.Responses()
			tag, _ := res.To().Params.Get("tag")
			if d, ok := c.stored(tag); !ok || string(d.SDP) != "v=0 ours" || string(d.PeerSDP) != "v=0 theirs" || !d.SDPOffered {
				t.Errorf("early: %t: stored: %t; agreed are %q and %q", early, ok, d.SDP, d.PeerSDP)
			}
		})
	}
}

// RFC 4028 §7.3, §7.4: the Min-SE of a 422 counts for the next INVITE of the call, too.
func TestFirstTooSmall(t *testing.T) {
	inCalling(t, nil, func(t *testing.T, c *calling) {
		c.peer.Reply(c.got, 422, "Session Interval Too Small", "Min-SE: 2000")
		time.Sleep(time.Second)
		if got := c.f.set.Learned(); got != 2000*time.Second {
			t.Errorf("learned %v, want 2000 s", got)
		}
		again := c.r.newFirstInvite(c.anInvite(t), sessiontimer.DefaultPolicy())
		if tx, err := again.begin(t.Context()); err != nil || again.proposal.MinSE != 2000*time.Second {
			t.Errorf("%v, Min-SE %v; want 2000 s", err, again.proposal.MinSE)
		} else {
			tx.Terminate()
		}
	})
}

// An INVITE shows its peer who we are and what we support, before there is a dialog.
func TestFirstTells(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		req := s.anInvite(t)
		req.AppendHeader(sip.NewHeader("Supported", "replaces"))
		contact := &sip.ContactHeader{Address: uri(t, "sip:us@"+us)}
		req.AppendHeader(contact)
		f := s.r.newFirstInvite(req, sessiontimer.DefaultPolicy())
		tx, err := f.begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if told, early := f.set.Early("anybody"); !early || told.Contact != contact || told.Extensions != "replaces," {
			t.Errorf("early: %t, told %+v", early, told)
		}
		for d := range s.calls.Store.All(t.Context()) {
			t.Errorf("%v is stored before its 2xx", d.ID)
		}
		tx.Terminate()
	})
}

// RFC 4028 §7.1, §7.3: a 422, and a 420 that does not support timers, refuse the timer.
func TestTimerRefused(t *testing.T) {
	for _, c := range []struct {
		status      int
		unsupported string
		want        bool
	}{{422, "", true}, {420, "timer", true}, {420, "replaces, Timer", true}, {420, "replaces", false}, {420, "", false}, {486, "timer", false}} {
		res := sip.NewResponse(c.status, "")
		if c.unsupported != "" {
			res.AppendHeader(sip.NewHeader("Unsupported", c.unsupported))
		}
		if got := new(firstInvite).timerRefused(res); got != c.want {
			t.Errorf("%d with Unsupported: %s: %t, want %t", c.status, c.unsupported, got, c.want)
		}
	}
}

// After a refusal that the application may follow with another INVITE, or a CANCEL, which a 2xx
// may cross, the set is kept for a while, since that needs its CSeq. Otherwise it goes at once,
// unless it is needed. A refusal of the timer is counted once.
func TestFirstOver(t *testing.T) {
	for _, c := range []struct {
		name      string
		status    int // 0 for no response
		cancelled bool
		needed    bool
		kept      time.Duration
		counted   uint64
	}{
		{"refused", 486, false, false, 0, 0},
		{"no response", 0, false, false, 0, 0},
		{"a challenge", 401, false, false, dialogset.Life(), 0},
		{"a challenge of a proxy", 407, false, false, dialogset.Life(), 0},
		{"several places", 300, false, false, dialogset.Life(), 0},
		{"moved for good", 301, false, false, dialogset.Life(), 0},
		{"moved", 302, false, false, dialogset.Life(), 0},
		{"by another proxy", 305, false, false, dialogset.Life(), 0},
		{"another service", 380, false, false, dialogset.Life(), 0},
		{"an extension refused", 420, false, false, dialogset.Life(), 0},
		{"a timer wanted", 421, false, false, dialogset.Life(), 0},
		{"the timer refused", 422, false, false, 0, 1},
		{"cancelled", 487, true, false, dialogset.Life(), 0},
		{"cancelled, no response", 0, true, false, dialogset.Life(), 0},
		{"refused beside an early dialog", 486, false, true, time.Hour, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCalling(t, nil, func(t *testing.T, call *calling) {
				call.f.cancelled = c.cancelled
				if c.needed {
					call.f.set.Ring("theirs", 1, dialogset.Told{})
				}
				var res *sip.Response
				if c.status > 0 {
					res = sip.NewResponseFromRequest(call.f.req, c.status, "", nil)
				}
				call.f.over(res)
				call.f.over(res)
				if n := call.calls.Figures.Read()[""].Negotiated[calls.Outgoing][calls.TimerRefused]; n != c.counted {
					t.Errorf("%d refusals of the timer are counted, want %d", n, c.counted)
				}
				if kept := call.calls.Sets.Len() == 1; kept != (c.kept > 0) {
					t.Errorf("the set is there: %t", kept)
				}
				if time.Sleep(2 * dialogset.Life()); (call.calls.Sets.Len() == 1) != (c.kept > dialogset.Life()) {
					t.Errorf("a minute later there are %d sets", call.calls.Sets.Len())
				}
				begun := time.Now()
				if err := call.f.dialog.BeginOwn(t.Context(), func() {}, true); err != nil || time.Since(begun) != 0 {
					t.Errorf("the INVITE is still in flight, or was finished twice: %v after %v", err, time.Since(begun))
				}
				call.f.dialog.FinishOwn()
			})
		})
	}
}
