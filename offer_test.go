package sessiontimer

import (
	"math"
	"strings"
	"testing"
	"time"
)

// wire prints what a request of ours carries; Supported: timer always does.
func (o Proposal) wire() string {
	var lines []string
	if o.Send {
		lines = append(lines, "Session-Expires: "+o.SessionExpires.String())
	}
	if o.MinSE > 0 {
		lines = append(lines, "Min-SE: "+FormatSeconds(o.MinSE))
	}
	if o.Require {
		lines = append(lines, "Require: timer")
	}
	if len(lines) == 0 {
		return "nothing"
	}
	return strings.Join(lines, ", ")
}

// read is what the other side reads of it, by way of the wire.
func (o Proposal) read() Fields {
	f := message(header{"Supported", OptionTag})
	if o.Send {
		f.Add(HeaderSessionExpires, o.SessionExpires.String())
	}
	if o.MinSE > 0 {
		f.Add(HeaderMinSE, FormatSeconds(o.MinSE))
	}
	if o.Require {
		f.Add("Require", OptionTag)
	}
	return f
}

// running is a session that the 2xx at start settled.
func running(interval int64, refresher Refresher) Session {
	return Session{Interval: seconds(interval), Refresher: refresher, Since: start}
}

func TestPropose(t *testing.T) {
	ours, theirs := running(600, Local), running(600, Peer)
	tests := []struct {
		name      string
		policy    Policy
		current   Session
		learned   int64
		peerTimer bool
		want      string
	}{
		{"B-05 B-07 default initial INVITE", DefaultPolicy(), Session{}, 0, false, "Session-Expires: 1800"},
		{"B-02 B-03 only Require says Require", wishing(Require, 1800, 90), Session{}, 0, false, "Session-Expires: 1800, Require: timer"},
		{"B-04 accept only", wishing(Accept, 1800, 90), Session{}, 0, false, "nothing"},
		{"C-06 always asks too", wishing(Always, 1800, 90), Session{}, 0, false, "Session-Expires: 1800"},
		{"B-06 own Min-SE above 90 is said", wishing(Offer, 1800, 120), Session{}, 0, false, "Session-Expires: 1800, Min-SE: 120"},
		{"E-12 accept only may say its Min-SE", wishing(Accept, 1800, 120), Session{}, 0, false, "Min-SE: 120"},
		{"B-07 we want to refresh", policy(func(p *Policy) { p.Refresher = Local }), Session{}, 0, false, "Session-Expires: 1800;refresher=uac"},
		{"B-08 uas is not offered at first", policy(func(p *Policy) { p.Refresher = Peer }), Session{}, 0, true, "Session-Expires: 1800"},
		{"B-10 Min-SE learned for this Call-ID", DefaultPolicy(), Session{}, 3600, false, "Session-Expires: 3600, Min-SE: 3600"},
		{"B-10 learned below the wish", DefaultPolicy(), Session{}, 600, false, "Session-Expires: 1800, Min-SE: 600"},
		{"A-14 H-01 learned below 90", DefaultPolicy(), Session{}, 30, false, "Session-Expires: 1800, Min-SE: 90"},
		{"B-06 the larger Min-SE", wishing(Offer, 1800, 900), Session{}, 600, false, "Session-Expires: 1800, Min-SE: 900"},

		{"D-02 we refresh", DefaultPolicy(), ours, 0, true, "Session-Expires: 600;refresher=uac"},
		{"D-02 we refresh, peer without timers", DefaultPolicy(), ours, 0, false, "Session-Expires: 600;refresher=uac"},
		{"D-03 hold while the peer refreshes", DefaultPolicy(), theirs, 0, true, "Session-Expires: 600;refresher=uas"},
		{"D-04 uas only to a peer that has timers", DefaultPolicy(), theirs, 0, false, "Session-Expires: 600;refresher=uac"},
		{"D-05 interval in force, not the configured", wishing(Offer, 7200, 90), ours, 0, true, "Session-Expires: 600;refresher=uac"},
		{"D-05 not lowered to the configured", wishing(Offer, 300, 90), ours, 0, true, "Session-Expires: 600;refresher=uac"},
		{"D-05 raised to Min-SE", DefaultPolicy(), ours, 900, true, "Session-Expires: 900;refresher=uac, Min-SE: 900"},
		{"D-06 accept only keeps a running timer", wishing(Accept, 1800, 90), ours, 0, true, "Session-Expires: 600;refresher=uac"},
		{"D-06 wish does not move roles", policy(func(p *Policy) { p.Refresher = Local }), theirs, 0, true, "Session-Expires: 600;refresher=uas"},
		{"D-07 Require as in the initial request", wishing(Require, 1800, 90), ours, 0, true, "Session-Expires: 600;refresher=uac, Require: timer"},
		{"D-08 Min-SE of the dialog", DefaultPolicy(), ours, 300, true, "Session-Expires: 600;refresher=uac, Min-SE: 300"},
		{"D-08 own opinion", wishing(Offer, 1800, 120), theirs, 0, true, "Session-Expires: 600;refresher=uas, Min-SE: 120"},
		{"D-10 callee of INVITE Min-SE 3600", DefaultPolicy(), theirs, 3600, true, "Session-Expires: 3600;refresher=uas, Min-SE: 3600"},
		{"C-13 session below 90", DefaultPolicy(), running(5, Local), 0, true, "Session-Expires: 90;refresher=uac"},
		{"C-07 later request without a timer asks again", DefaultPolicy(), Session{}, 0, true, "Session-Expires: 1800"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := tt.policy.Propose(tt.current, seconds(tt.learned), tt.peerTimer)
			if got := o.wire(); got != tt.want {
				t.Errorf("the request carries %s\n              should %s", got, tt.want)
			}
			if o.Retries != 0 {
				t.Errorf("a fresh request counts %d retries, should be 0", o.Retries)
			}
		})
	}
}

// after422 is one 422 to our request and what is asked for next.
type after422 struct {
	minSE string // Min-SE of the 422; empty for none
	want  string // the next request; "give up" if there is none
}

func TestRetry(t *testing.T) {
	const giveUp = "give up"
	fifty := policy(func(p *Policy) { p.Unsafe, p.MinSE, p.SessionExpires = true, time.Second, 50*time.Second })
	tests := []struct {
		name    string
		policy  Policy
		current Session
		steps   []after422
	}{
		{"I-01 I-03 I-05 flow of RFC 4028 §13", fifty, Session{}, []after422{
			{"3600", "Session-Expires: 3600, Min-SE: 3600"},
			{"4000", "Session-Expires: 4000, Min-SE: 4000"},
		}},
		{"C-17 rising again and again", DefaultPolicy(), Session{}, []after422{
			{"2000", "Session-Expires: 2000, Min-SE: 2000"},
			{"3000", "Session-Expires: 3000, Min-SE: 3000"},
			{"3001", "Session-Expires: 3001, Min-SE: 3001"},
		}},
		{"C-15 the largest Min-SE stays", fifty, Session{}, []after422{
			{"3600", "Session-Expires: 3600, Min-SE: 3600"},
			{"1000", giveUp},
		}},
		{"C-15 own higher wish stays", DefaultPolicy(), Session{}, []after422{
			{"900", "Session-Expires: 1800, Min-SE: 900"},
			{"1200", "Session-Expires: 1800, Min-SE: 1200"},
		}},
		{"C-18 C-19 heeded but for the header", DefaultPolicy(), Session{}, []after422{
			{"1800", "Session-Expires: 1800, Min-SE: 1800"},
			{"1800", giveUp},
		}},
		{"C-19 five responses and no more", DefaultPolicy(), Session{}, []after422{
			{"2001", "Session-Expires: 2001, Min-SE: 2001"},
			{"2002", "Session-Expires: 2002, Min-SE: 2002"},
			{"2003", "Session-Expires: 2003, Min-SE: 2003"},
			{"2004", "Session-Expires: 2004, Min-SE: 2004"},
			{"2005", "Session-Expires: 2005, Min-SE: 2005"},
			{"2006", giveUp},
		}},
		{"C-19 H-04 up to the local maximum", DefaultPolicy(), Session{}, []after422{
			{"86400", "Session-Expires: 86400, Min-SE: 86400"},
			{"86401", giveUp},
		}},
		{"H-04 largest Min-SE", DefaultPolicy(), Session{}, []after422{{"4294967295", giveUp}}},
		{"H-04 Min-SE beyond 64 bits", DefaultPolicy(), Session{}, []after422{{"99999999999999999999", giveUp}}},
		{"C-20 no Min-SE", DefaultPolicy(), Session{}, []after422{{"", giveUp}}},
		{"C-20 unreadable Min-SE", DefaultPolicy(), Session{}, []after422{{"1800.5", giveUp}}},
		{"C-20 Min-SE of zero is unusable", DefaultPolicy(), Session{}, []after422{{"0", giveUp}}},
		{"C-20 H-01 Min-SE below 90 is 90", DefaultPolicy(), Session{}, []after422{
			{"30", "Session-Expires: 1800, Min-SE: 90"},
			{"30", giveUp},
		}},
		{"C-22 a request that did not ask asks now", wishing(Accept, 1800, 90), Session{}, []after422{
			{"600", "Session-Expires: 600, Min-SE: 600"},
		}},
		{"D-07 Require stays", wishing(Require, 1800, 90), Session{}, []after422{
			{"3600", "Session-Expires: 3600, Min-SE: 3600, Require: timer"},
		}},
		{"B-07 refresher stays", policy(func(p *Policy) { p.Refresher = Local }), Session{}, []after422{
			{"3600", "Session-Expires: 3600;refresher=uac, Min-SE: 3600"},
		}},
		{"I-09 D-22 refresh of ours", DefaultPolicy(), running(180, Local), []after422{
			{"600", "Session-Expires: 600;refresher=uac, Min-SE: 600"},
		}},
		{"I-09 D-03 hold of ours", DefaultPolicy(), running(180, Peer), []after422{
			{"600", "Session-Expires: 600;refresher=uas, Min-SE: 600"},
		}},
		{"I-10 1000 against 2000", wishing(Offer, 1000, 90), Session{}, []after422{
			{"2000", "Session-Expires: 2000, Min-SE: 2000"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := tt.policy.Propose(tt.current, 0, true)
			for i, step := range tt.steps {
				var res Fields
				if step.minSE != "" {
					res = message(header{"Min-SE", step.minSE})
				}
				before := o
				next, again := tt.policy.Retry(o, res)
				got := giveUp
				if again {
					got = next.wire()
				}
				if got != step.want {
					t.Fatalf("after 422 number %d with Min-SE %q: %s\n                               should %s", i+1, step.minSE, got, step.want)
				}
				if !again && next != before {
					t.Errorf("giving up turns the proposal into %+v, should leave it at %+v", next, before)
				}
				o = next
			}
		})
	}
}

func TestSettle(t *testing.T) {
	const (
		nobody = "no timer"
		always = Always
	)
	asks := DefaultPolicy().Propose(Session{}, 0, false)
	asks600 := wishing(Offer, 600, 90).Propose(Session{}, 0, false)
	silent := wishing(Accept, 1800, 90).Propose(Session{}, 0, false)
	refresh := DefaultPolicy().Propose(running(600, Local), 0, true)
	hold := DefaultPolicy().Propose(running(600, Peer), 0, true)
	holdAlone := DefaultPolicy().Propose(running(600, Peer), 0, false)
	require := header{"Require", "timer"}
	expires := func(value string) header { return header{"Session-Expires", value} }
	// Times are seconds after the 2xx; refresh is 0 where the peer does it.
	tests := []struct {
		name            string
		mode            Mode
		request         Proposal
		current         Session
		response        []header
		want            string
		refresh, hangup int64
	}{
		{"C-01 uac refreshes", Offer, asks, Session{}, []header{require, expires("1800;refresher=uac")}, "30m0s local", 900, 1800},
		{"C-02 not asked", Accept, silent, Session{}, []header{require, expires("1800;refresher=uac")}, "30m0s local", 900, 1800},
		{"C-03 uas refreshes", Offer, asks, Session{}, []header{require, expires("1800;refresher=uas")}, "30m0s peer", 0, 1768},
		{"C-04 without Require", Offer, asks, Session{}, []header{expires("1800;refresher=uac")}, "30m0s local", 900, 1800},
		{"C-04 lower than asked", Offer, asks, Session{}, []header{expires("600;refresher=uac")}, "10m0s local", 300, 600},
		{"C-05 refresher forgotten", Offer, asks, Session{}, []header{expires("1800")}, "30m0s local", 900, 1800},
		{"C-05 refresher senseless", Offer, asks, Session{}, []header{expires("1800;refresher=proxy")}, "30m0s local", 900, 1800},
		{"C-05 refresher forgotten, not asked", Accept, silent, Session{}, []header{expires("1800")}, "30m0s local", 900, 1800},
		{"C-05 refresher forgotten after our refresh", Offer, refresh, running(600, Local), []header{expires("600")}, "10m0s local", 300, 600},
		{"C-05 refresher forgotten after our hold", Offer, hold, running(600, Peer), []header{expires("600")}, "10m0s peer", 0, 568},
		{"C-05 D-04 refresher forgotten after we took over", Offer, holdAlone, running(600, Peer), []header{expires("600")}, "10m0s local", 300, 600},
		{"C-06 off", Offer, asks, Session{}, nil, nobody, 0, 0},
		{"C-06 one-sided", always, asks, Session{}, nil, "30m0s local", 900, 1800},
		{"C-07 not asked, not said", Accept, silent, Session{}, nil, nobody, 0, 0},
		{"C-07 not asked, not said, whatever the mode", always, silent, Session{}, nil, nobody, 0, 0},
		{"C-08 Require without Session-Expires", Offer, asks, Session{}, []header{require}, "30m0s local", 900, 1800},
		{"C-08 Require without Session-Expires, not asked", Accept, silent, Session{}, []header{require}, nobody, 0, 0},
		{"C-08 Require without Session-Expires after our hold", Offer, hold, running(600, Peer), []header{require}, "10m0s local", 300, 600},
		{"C-08 one-sided", always, asks, Session{}, []header{require}, "30m0s local", 900, 1800},
		{"C-09 switched off by the peer that refreshed", Offer, hold, running(600, Peer), nil, nobody, 0, 0},
		{"C-09 switched off, whatever the mode", always, hold, running(600, Peer), nil, nobody, 0, 0},
		{"C-09 we refresh and go on", Offer, refresh, running(600, Local), nil, "10m0s local", 300, 600},
		{"C-09 request without Session-Expires", Offer, Proposal{}, running(600, Local), nil, nobody, 0, 0},
		{"C-10 the most recent 2xx counts", Offer, hold, running(1800, Peer), []header{expires("300;refresher=uac")}, "5m0s local", 150, 300},
		{"E-25 the role moves away", Offer, refresh, running(600, Local), []header{expires("600;refresher=uas")}, "10m0s peer", 0, 568},
		{"A-10 A-11 malformed counts as absent", Offer, asks, Session{}, []header{expires(";refresher=uac")}, nobody, 0, 0},
		{"A-11 C-08 malformed and required", Offer, asks, Session{}, []header{require, expires(";refresher=uac")}, "30m0s local", 900, 1800},
		{"A-11 malformed in a one-sided policy", always, asks, Session{}, []header{expires("abc")}, "30m0s local", 900, 1800},
		{"A-16 A-17 Min-SE of a 2xx means nothing", Offer, asks, Session{}, []header{expires("600;refresher=uac"), {"Min-SE", "3600"}}, "10m0s local", 300, 600},
		{"C-12 raised, we refresh", Offer, asks600, Session{}, []header{expires("1800;refresher=uac")}, "30m0s local", 300, 1800},
		{"C-12 raised, the peer refreshes", Offer, asks600, Session{}, []header{expires("1800;refresher=uas")}, "30m0s peer", 0, 1768},
		{"C-12 not asked is not raised", Accept, silent, Session{}, []header{expires("7200;refresher=uac")}, "2h0m0s local", 3600, 7200},
		{"C-13 below 90", Offer, asks, Session{}, []header{expires("30;refresher=uac")}, "1m30s local", 15, 90},
		{"C-13 just below 90, no refresher", Offer, asks, Session{}, []header{expires("88")}, "1m30s local", 44, 90},
		{"C-13 below 90, a refresh's answer", Offer, refresh, running(600, Local), []header{expires("60;refresher=uac")}, "1m30s local", 30, 90},
		{"C-13 H-03 far below 90", Offer, asks, Session{}, []header{expires("5;refresher=uac")}, "1m30s local", 10, 90},
		{"C-13 zero", Offer, asks, Session{}, []header{expires("0;refresher=uac")}, "1m30s local", 10, 90},
		{"C-13 below our Min-SE", Offer, wishing(Offer, 1800, 900).Propose(Session{}, 0, false), Session{}, []header{expires("600;refresher=uac")}, "10m0s local", 300, 600},
		{"C-13 far below 90, the peer refreshes", Offer, asks, Session{}, []header{expires("5;refresher=uas")}, "1m30s peer", 0, 60},
		{"H-04 A-09 longest, not asked", Accept, silent, Session{}, []header{expires("4294967297;refresher=uac")}, "1193046h28m15s local", 43200, math.MaxUint32},
		{"H-04 longest, the peer refreshes", Offer, asks, Session{}, []header{expires("4294967295;refresher=uas")}, "1193046h28m15s peer", 0, math.MaxUint32 - 32},
		{"H-04 C-09 long session goes on alone", Offer, DefaultPolicy().Propose(running(100000, Local), 0, true), running(100000, Local), nil, "27h46m40s local", 43200, 100000},
		{"H-04 longest, asked", Offer, asks, Session{}, []header{expires("4294967295;refresher=uac")}, "1193046h28m15s local", 900, math.MaxUint32},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := policy(func(p *Policy) { p.Mode = tt.mode })
			s := p.Settle(tt.request, message(tt.response...), tt.current, start)
			checkSession(t, s, tt.want, tt.refresh, tt.hangup)
		})
	}
}

// checkSession compares a session with "10m0s local" or "no timer" and with its
// deadlines in seconds after the 2xx; refresh is 0 if it is not ours.
func checkSession(t *testing.T, s Session, want string, refresh, hangup int64) {
	t.Helper()
	got := "no timer"
	if s.Active() {
		got = s.Interval.String() + " " + s.Refresher.String()
	}
	if got != want {
		t.Fatalf("settled is %q, should be %q", got, want)
	}
	if !s.Active() {
		if s != (Session{}) {
			t.Errorf("no timer leaves %+v behind, should leave nothing (F-26)", s)
		}
		return
	}
	action, at := s.Next(start, false)
	if s.Refresher == Peer {
		if action != Hangup || since(at) != seconds(hangup) {
			t.Errorf("first comes action %d after %v, should be hanging up after %v", action, since(at), seconds(hangup))
		}
		if s.RefreshAfter != 0 {
			t.Errorf("RefreshAfter is %v, should be 0: the refresh is the peer's", s.RefreshAfter)
		}
		return
	}
	if action != Refresh || since(at) != seconds(refresh) {
		t.Errorf("first comes action %d after %v, should be a refresh after %v", action, since(at), seconds(refresh))
	}
	if _, at = s.Next(at, true); since(at) != seconds(hangup) {
		t.Errorf("with the refresh tried, the end comes after %v, should be %v", since(at), seconds(hangup))
	}
}

// C-11: the caller hands in the moment of the first 2xx; nothing else enters.
func TestSettleCountsFromResponse(t *testing.T) {
	later := start.Add(500 * time.Second)
	p := DefaultPolicy()
	s := p.Settle(p.Propose(running(1800, Local), 0, true), message(header{"Session-Expires", "600;refresher=uac"}), running(1800, Local), later)
	if got := since(s.RefreshAt()); got != seconds(800) {
		t.Errorf("C-10: 2xx at 500 s with 600 s: refresh at %v, should be 800 s and no longer 900 s", got)
	}
	if got := since(s.ExpiresAt()); got != seconds(1100) {
		t.Errorf("C-11: 2xx at 500 s with 600 s: expiry at %v, should be 1100 s", got)
	}
}
