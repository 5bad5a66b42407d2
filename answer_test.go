package sessiontimer

import (
	"math"
	"strings"
	"testing"
	"time"
)

// wire prints what a 2xx of ours carries.
func (a Answer) wire() string {
	var lines []string
	if a.Send {
		lines = append(lines, "Session-Expires: "+a.SessionExpires.String())
	}
	if a.Require {
		lines = append(lines, "Require: timer")
	}
	if len(lines) == 0 {
		return "nothing"
	}
	return strings.Join(lines, ", ")
}

// read is what the other side reads of it, by way of the wire.
func (a Answer) read() Fields {
	f := message(header{"Supported", OptionTag})
	if a.Send {
		f.Add(HeaderSessionExpires, a.SessionExpires.String())
	}
	if a.Require {
		f.Add("Require", OptionTag)
	}
	return f
}

// asking returns a request with the given Session-Expires, with or without Supported: timer.
func asking(supported bool, sessionExpires string, more ...header) Fields {
	f := message(more...)
	if supported {
		f.Add("Supported", OptionTag)
	}
	if sessionExpires != "" {
		f.Add(HeaderSessionExpires, sessionExpires)
	}
	return f
}

// TestTable2 is Table 2 of RFC 4028 §9, row by row, for every wish that the UAS
// can have; only in row four does the wish count.
func TestTable2(t *testing.T) {
	tests := []struct {
		name      string
		supported bool
		asked     string
		auto      string // the 2xx by p.Refresher
		local     string
		peer      string
	}{
		{"E-01 row 1: no timer, none", false, "1800", "uas", "uas", "uas"},
		{"E-02 row 2: no timer, uac", false, "1800;refresher=uac", "uas", "uas", "uas"},
		{"E-03 row 3: no timer, uas", false, "1800;refresher=uas", "uas", "uas", "uas"},
		{"E-04 row 4: timer, none", true, "1800", "uac", "uas", "uac"},
		{"E-05 row 5: timer, uac", true, "1800;refresher=uac", "uac", "uac", "uac"},
		{"E-06 row 6: timer, uas", true, "1800;refresher=uas", "uas", "uas", "uas"},
		{"A-06 senseless refresher is row 4", true, "1800;refresher=proxy", "uac", "uas", "uac"},
		{"A-07 first of two refreshers is row 5", true, "1800;refresher=uac;refresher=uas", "uac", "uac", "uac"},
	}
	for _, tt := range tests {
		for _, mode := range []Mode{Accept, Offer, Require, Always} {
			for wish, role := range map[Refresher]string{Auto: tt.auto, Local: tt.local, Peer: tt.peer} {
				t.Run(tt.name+"/"+mode.String()+"/"+wish.String(), func(t *testing.T) {
					p := policy(func(p *Policy) { p.Mode, p.Refresher = mode, wish })
					a := p.Respond(asking(tt.supported, tt.asked), Session{}, start)
					want := "Session-Expires: 1800;refresher=" + role
					if tt.supported { // E-10, E-11
						want += ", Require: timer"
					}
					if got := a.wire(); got != want {
						t.Errorf("the 2xx carries %s\n          should %s", got, want)
					}
					if role == "uas" {
						checkSession(t, a.Session, "30m0s local", 900, 1800)
					} else {
						checkSession(t, a.Session, "30m0s peer", 0, 1768)
					}
				})
			}
		}
	}
}

func TestRespondInterval(t *testing.T) {
	minSE := func(value string) header { return header{"Min-SE", value} }
	tests := []struct {
		name   string
		policy Policy
		req    Fields
		want   string
	}{
		{"E-07 copied", DefaultPolicy(), asking(true, "1800"), "Session-Expires: 1800;refresher=uac, Require: timer"},
		{"E-07 reduced", wishing(Offer, 600, 90), asking(true, "1800"), "Session-Expires: 600;refresher=uac, Require: timer"},
		{"E-07 reduced in accept mode", wishing(Accept, 600, 90), asking(true, "1800"), "Session-Expires: 600;refresher=uac, Require: timer"},
		{"E-08 not below Min-SE", wishing(Offer, 600, 90), asking(true, "1800", minSE("900")), "Session-Expires: 900;refresher=uac, Require: timer"},
		{"E-08 Min-SE below the wish", wishing(Offer, 600, 90), asking(true, "1800", minSE("300")), "Session-Expires: 600;refresher=uac, Require: timer"},
		{"E-08 not below 90", wishing(Offer, 90, 90), asking(true, "1800"), "Session-Expires: 90;refresher=uac, Require: timer"},
		{"E-09 not raised", wishing(Offer, 3600, 90), asking(true, "1800"), "Session-Expires: 1800;refresher=uac, Require: timer"},
		{"E-09 exactly Min-SE", wishing(Offer, 600, 90), asking(true, "900", minSE("900")), "Session-Expires: 900;refresher=uac, Require: timer"},
		{"A-14 Min-SE 30 with 90", DefaultPolicy(), asking(true, "90", minSE("30")), "Session-Expires: 90;refresher=uac, Require: timer"},
		{"A-14 unreadable Min-SE is 90", wishing(Offer, 100, 90), asking(true, "1800", minSE("x")), "Session-Expires: 100;refresher=uac, Require: timer"},
		{"E-16 below ours without Supported", wishing(Offer, 1800, 900), asking(false, "100"), "Session-Expires: 100;refresher=uas"},
		{"E-16 H-02 below 90 without Supported", DefaultPolicy(), asking(false, "60"), "nothing"},
		{"E-16 H-02 rogue 1 s", DefaultPolicy(), asking(false, "1;refresher=uas"), "nothing"},
		{"A-21 zero without Supported", wishing(Always, 1800, 90), asking(false, "0"), "nothing"},
		{"E-17 below its own Min-SE without Supported", DefaultPolicy(), asking(false, "100", minSE("200")), "Session-Expires: 100;refresher=uas"},
		{"G-03 proxy raised both", DefaultPolicy(), asking(false, "3600", minSE("3600")), "Session-Expires: 3600;refresher=uas"},
		{"H-04 longest is reduced to ours", DefaultPolicy(), asking(true, "4294967295"), "Session-Expires: 1800;refresher=uac, Require: timer"},
		{"H-04 longest Min-SE has to be kept", DefaultPolicy(), asking(true, "4294967295", minSE("4294967295")), "Session-Expires: 4294967295;refresher=uac, Require: timer"},

		{"E-12 supports, accept only", wishing(Accept, 1800, 90), asking(true, ""), "nothing"},
		{"E-12 supports, we offer", DefaultPolicy(), asking(true, ""), "Session-Expires: 1800;refresher=uas, Require: timer"},
		{"E-12 supports, we require", wishing(Require, 1800, 90), asking(true, ""), "Session-Expires: 1800;refresher=uas, Require: timer"},
		{"E-12 supports, the peer should refresh", policy(func(p *Policy) { p.Refresher = Peer }), asking(true, ""), "Session-Expires: 1800;refresher=uac, Require: timer"},
		{"E-12 Min-SE of the request", DefaultPolicy(), asking(true, "", minSE("2000")), "Session-Expires: 2000;refresher=uas, Require: timer"},
		{"E-12 A-10 malformed is not asked", DefaultPolicy(), asking(true, "abc"), "Session-Expires: 1800;refresher=uas, Require: timer"},
		{"A-10 malformed in accept mode", wishing(Accept, 1800, 90), asking(true, "abc"), "nothing"},
		{"E-18 Require alone is no duty", wishing(Accept, 1800, 90), message(header{"Require", "timer"}), "nothing"},
		{"E-18 I-10 Require with Session-Expires", wishing(Accept, 1800, 90), asking(true, "1800", header{"Require", "timer"}), "Session-Expires: 1800;refresher=uac, Require: timer"},
		{"E-20 legacy, accept", wishing(Accept, 1800, 90), asking(false, ""), "nothing"},
		{"E-20 legacy, offer", DefaultPolicy(), asking(false, ""), "nothing"},
		{"E-20 legacy, require", wishing(Require, 1800, 90), asking(false, ""), "nothing"},
		{"E-20 legacy, always", wishing(Always, 1800, 90), asking(false, ""), "Session-Expires: 1800;refresher=uas"},
		{"E-20 legacy, always, proxy's Min-SE", wishing(Always, 1800, 90), asking(false, "", minSE("3600")), "Session-Expires: 3600;refresher=uas"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := tt.policy.Respond(tt.req, Session{}, start)
			if got := a.wire(); got != tt.want {
				t.Errorf("the 2xx carries %s\n          should %s", got, tt.want)
			}
			checkAnswer(t, a)
		})
	}
}

// checkAnswer is E-22: the session is what the 2xx says.
func checkAnswer(t *testing.T, a Answer) {
	t.Helper()
	if !a.Send {
		if a.Session != (Session{}) || a.Require {
			t.Errorf("E-22: a 2xx without Session-Expires settles %+v, should settle nothing", a)
		}
		return
	}
	want := Peer
	if a.SessionExpires.Refresher == UAS {
		want = Local
	}
	if a.Session.Interval != a.SessionExpires.Interval || a.Session.Refresher != want || !a.Session.Since.Equal(start) {
		t.Errorf("E-22: the 2xx says %s, the session is %+v; should be the same and start with the 2xx", a.wire(), a.Session)
	}
}

func TestRespondInDialog(t *testing.T) {
	ours, theirs := running(1800, Local), running(1800, Peer)
	tests := []struct {
		name    string
		policy  Policy
		req     Fields
		current Session
		want    string
	}{
		{"E-24 bare while we refresh", DefaultPolicy(), asking(true, "1800"), ours, "Session-Expires: 1800;refresher=uas, Require: timer"},
		{"E-24 bare while the peer refreshes", DefaultPolicy(), asking(true, "1800"), theirs, "Session-Expires: 1800;refresher=uac, Require: timer"},
		{"E-24 our wish does not move a running role", policy(func(p *Policy) { p.Refresher = Local }), asking(true, "1800"), theirs, "Session-Expires: 1800;refresher=uac, Require: timer"},
		{"E-25 role comes to us", DefaultPolicy(), asking(true, "1800;refresher=uas"), theirs, "Session-Expires: 1800;refresher=uas, Require: timer"},
		{"E-25 role goes to the peer", DefaultPolicy(), asking(true, "1800;refresher=uac"), ours, "Session-Expires: 1800;refresher=uac, Require: timer"},
		{"E-07 new interval", DefaultPolicy(), asking(true, "300;refresher=uac"), ours, "Session-Expires: 300;refresher=uac, Require: timer"},
		{"E-09 not kept above what is asked", wishing(Offer, 1800, 90), asking(false, "300"), ours, "Session-Expires: 300;refresher=uas"},
		{"E-26 not asked while we refresh", DefaultPolicy(), asking(true, ""), ours, "Session-Expires: 1800;refresher=uas, Require: timer"},
		{"E-26 not asked while the peer refreshes", DefaultPolicy(), asking(true, ""), theirs, "Session-Expires: 1800;refresher=uac, Require: timer"},
		{"E-26 not asked in accept mode", wishing(Accept, 90, 90), asking(true, ""), theirs, "Session-Expires: 1800;refresher=uac, Require: timer"},
		{"E-26 running interval, not the configured", wishing(Offer, 7200, 90), asking(true, ""), theirs, "Session-Expires: 1800;refresher=uac, Require: timer"},
		{"E-26 Min-SE of the request", DefaultPolicy(), asking(true, "", header{"Min-SE", "3600"}), ours, "Session-Expires: 3600;refresher=uas, Require: timer"},
		{"E-27 legacy while the peer refreshed", DefaultPolicy(), asking(false, ""), theirs, "Session-Expires: 1800;refresher=uas"},
		{"E-27 legacy while we refresh", DefaultPolicy(), asking(false, ""), ours, "Session-Expires: 1800;refresher=uas"},
		{"E-27 legacy with Min-SE", DefaultPolicy(), asking(false, "", header{"Min-SE", "3600"}), theirs, "Session-Expires: 3600;refresher=uas"},
		{"E-01 asked by a proxy in the dialog", DefaultPolicy(), asking(false, "1800"), theirs, "Session-Expires: 1800;refresher=uas"},
		{"E-16 below 90 switches off", DefaultPolicy(), asking(false, "60"), theirs, "nothing"},
		{"H-01 running below 90", DefaultPolicy(), asking(true, ""), running(5, Local), "Session-Expires: 90;refresher=uas, Require: timer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.current.Since = start.Add(-700 * time.Second)
			a := tt.policy.Respond(tt.req, tt.current, start)
			if got := a.wire(); got != tt.want {
				t.Errorf("the 2xx carries %s\n          should %s", got, tt.want)
			}
			checkAnswer(t, a)
		})
	}
}

// H-04: a huge Min-SE is answered as the RFC demands, but the refresher does not sleep for 136
// years.
func TestRespondRefreshesWithinMaxInterval(t *testing.T) {
	p := policy(func(p *Policy) { p.MaxInterval = seconds(7200) })
	a := p.Respond(asking(true, "4294967295;refresher=uas", header{"Min-SE", "4294967295"}), Session{}, start)
	checkSession(t, a.Session, "1193046h28m15s local", 3600, math.MaxUint32)
	a = p.Respond(asking(true, "7200;refresher=uas", header{"Min-SE", "7200"}), Session{}, start)
	checkSession(t, a.Session, "2h0m0s local", 3600, 7200)
}

func TestTooSmall(t *testing.T) {
	minSE := func(value string) header { return header{"Min-SE", value} }
	tests := []struct {
		name   string
		policy Policy
		req    Fields
		want   string
	}{
		{"E-13 below ours", wishing(Offer, 2000, 2000), asking(true, "1800"), "422 Min-SE: 2000"},
		{"E-13 just below ours", wishing(Offer, 2000, 2000), asking(true, "1999"), "422 Min-SE: 2000"},
		{"E-13 exactly ours", wishing(Offer, 2000, 2000), asking(true, "2000"), "no 422"},
		{"E-13 in accept mode", wishing(Accept, 2000, 2000), asking(true, "1800"), "422 Min-SE: 2000"},
		{"E-13 compact form", wishing(Offer, 2000, 2000), message(header{"x", "1800"}, header{"k", "timer"}), "422 Min-SE: 2000"},
		{"E-13 refresher makes no difference", wishing(Offer, 2000, 2000), asking(true, "1800;refresher=uas"), "422 Min-SE: 2000"},
		{"E-14 I-02 below 90", DefaultPolicy(), asking(true, "50"), "422 Min-SE: 90"},
		{"E-14 89", DefaultPolicy(), asking(true, "89"), "422 Min-SE: 90"},
		{"E-14 90", DefaultPolicy(), asking(true, "90"), "no 422"},
		{"A-21 zero", DefaultPolicy(), asking(true, "0"), "422 Min-SE: 90"},
		{"H-02 rogue 1 s", DefaultPolicy(), asking(true, "1;refresher=uas"), "422 Min-SE: 90"},
		{"E-15 without Supported", DefaultPolicy(), asking(false, "60"), "no 422"},
		{"E-15 below ours without Supported", wishing(Offer, 2000, 2000), asking(false, "1800"), "no 422"},
		{"E-17 below its own Min-SE", DefaultPolicy(), asking(true, "100", minSE("200")), "422 Min-SE: 200"},
		{"E-17 below both", wishing(Offer, 2000, 900), asking(true, "100", minSE("200")), "422 Min-SE: 900"},
		{"E-17 its own Min-SE is the larger", wishing(Offer, 2000, 900), asking(true, "1000", minSE("1200")), "422 Min-SE: 1200"},
		{"A-14 Min-SE 30", DefaultPolicy(), asking(true, "60", minSE("30")), "422 Min-SE: 90"},
		{"E-12 not asked", wishing(Offer, 2000, 2000), asking(true, ""), "no 422"},
		{"A-10 malformed", wishing(Offer, 2000, 2000), asking(true, "abc"), "no 422"},
		{"H-01 unsafe", policy(func(p *Policy) { p.Unsafe, p.MinSE = true, time.Second }), asking(true, "3"), "no 422"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := "no 422"
			if minSE, refuse := tt.policy.TooSmall(tt.req); refuse {
				got = "422 Min-SE: " + FormatSeconds(minSE)
			}
			if got != tt.want {
				t.Errorf("the answer is %q, should be %q", got, tt.want)
			}
		})
	}
}

// C-13, E-26: the early refresh stays with the interval, in our answers and after a 2xx
// without Session-Expires.
func TestHasteStays(t *testing.T) {
	hasty := running(90, Local)
	hasty.RefreshAfter = 15 * time.Second
	asks := DefaultPolicy().Propose(hasty, 0, true)
	for _, c := range []struct {
		name string
		got  Session
		want time.Duration
	}{
		{"C-13 a request that asks for nothing", DefaultPolicy().Respond(message(header{"Supported", "timer"}), hasty, start).Session, 15 * time.Second},
		{"C-13 a request without timers", DefaultPolicy().Respond(message(), hasty, start).Session, 15 * time.Second},
		{"C-13 the same interval", DefaultPolicy().Respond(message(header{"Supported", "timer"}, header{"Session-Expires", "90;refresher=uas"}), hasty, start).Session, 15 * time.Second},
		{"C-13 another interval", DefaultPolicy().Respond(message(header{"Supported", "timer"}, header{"Session-Expires", "600;refresher=uas"}), hasty, start).Session, 300 * time.Second},
		{"C-13 a 2xx without", DefaultPolicy().Settle(asks, message(), hasty, start), 15 * time.Second},
		{"C-13 a 2xx with the interval", DefaultPolicy().Settle(asks, message(header{"Session-Expires", "90;refresher=uac"}), hasty, start), 45 * time.Second},
		{"H-03 never within 10 s", DefaultPolicy().Respond(message(), Session{Interval: 90 * time.Second, Refresher: Local, RefreshAfter: time.Second}, start).Session, 10 * time.Second},
	} {
		if got := c.got.RefreshAt().Sub(start); got != c.want {
			t.Errorf("%s: refreshed %v after it, want %v", c.name, got, c.want)
		}
	}
}
