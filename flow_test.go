package sessiontimer

import (
	"testing"
	"time"
)

// TestCallFlow is the call flow of RFC 4028 §13: Alice asks for 50 s, one proxy
// wants 3600 s, the next 4000 s, Bob accepts.
func TestCallFlow(t *testing.T) {
	alice := policy(func(p *Policy) {
		p.Unsafe, p.MinSE, p.SessionExpires, p.Refresher = true, time.Second, 50*time.Second, Auto
	})
	bob := wishing(Offer, 7200, 90)
	invite := alice.Propose(Session{}, 0, false)
	step := func(row, got, want string) {
		t.Helper()
		if got != want {
			t.Fatalf("%s: %s, should be %s", row, got, want)
		}
	}
	step("I-01", invite.wire(), "Session-Expires: 50")
	for _, proxy := range []struct {
		row    string
		policy Policy
		min    string
		next   string
	}{
		{"I-02 I-03", wishing(Offer, 3600, 3600), "3600", "Session-Expires: 3600, Min-SE: 3600"},
		{"I-04 I-05", wishing(Offer, 4000, 4000), "4000", "Session-Expires: 4000, Min-SE: 4000"},
	} {
		minSE, refuse := proxy.policy.TooSmall(invite.read())
		if !refuse {
			t.Fatalf("%s: %s is let through, should get 422", proxy.row, invite.wire())
		}
		step(proxy.row, "Min-SE: "+FormatSeconds(minSE), "Min-SE: "+proxy.min)
		next, again := alice.Retry(invite, message(header{"Min-SE", FormatSeconds(minSE)}))
		if !again {
			t.Fatalf("%s: Alice gives up, should ask for %s", proxy.row, proxy.next)
		}
		invite = next
		step(proxy.row, invite.wire(), proxy.next)
	}
	if minSE, refuse := bob.TooSmall(invite.read()); refuse {
		t.Fatalf("I-06: Bob refuses %s and wants %v, should accept", invite.wire(), minSE)
	}
	ok := bob.Respond(invite.read(), Session{}, start)
	step("I-06", ok.wire(), "Session-Expires: 4000;refresher=uac, Require: timer")
	call := alice.Settle(invite, ok.read(), Session{}, start)
	checkSession(t, call, "1h6m40s local", 2000, 4000)

	// D-09: what was learned before the dialog is forgotten with it confirmed.
	update := alice.Propose(call, 0, true)
	step("I-07", update.wire(), "Session-Expires: 4000;refresher=uac")
	again := start.Add(2000 * time.Second)
	ok = bob.Respond(update.read(), ok.Session, again)
	step("I-08", ok.wire(), "Session-Expires: 4000;refresher=uac, Require: timer")
	if got := ok.Session.HangupAt().Sub(again); got != seconds(3968) {
		t.Errorf("I-08: Bob hangs up %v after his last 2xx, should be 3968 s", got)
	}
}

// I-09: a 422 within the dialog changes the interval only with the next 2xx.
func TestRefusedRefresh(t *testing.T) {
	p := DefaultPolicy()
	call := running(180, Local)
	update, again := p.Retry(p.Propose(call, 0, true), message(header{"Min-SE", "600"}))
	if !again {
		t.Fatal("gives up after 422 with Min-SE: 600, should ask for 600")
	}
	later := start.Add(90 * time.Second)
	call = p.Settle(update, message(header{"Session-Expires", "600;refresher=uac"}), call, later)
	if got := since(call.ExpiresAt()); got != seconds(690) {
		t.Errorf("D-22: expiry is %v after the first 2xx, should be 690 s", got)
	}
	if got := p.Propose(call, update.MinSE, true).wire(); got != "Session-Expires: 600;refresher=uac, Min-SE: 600" {
		t.Errorf("I-09: a later refresh carries %s, should repeat Min-SE: 600", got)
	}
}
