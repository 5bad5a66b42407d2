package sipmsg

import (
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
)

// RFC 4028 §4, §5: the session timer of a message is read whatever its fields are called, and
// by the letter only where the policy asks for it.
func TestFields(t *testing.T) {
	m := invite(t, "Via: SIP/2.0/UDP h;branch=z9hG4bK1", "To: <sip:timer@h>", "x: 1800;", "MIN-SE: 120", "k: 100rel, timer", "Allow: UPDATE")
	f := Fields(m, sessiontimer.DefaultPolicy())
	if !f.HasSessionExpires || f.SessionExpires.Interval.Seconds() != 1800 || f.MinSE.Seconds() != 120 || !f.Supported || !f.AllowUpdate || f.Required {
		t.Errorf("read %+v", f)
	}
	if f := Fields(m, sessiontimer.Policy{Strict: true}); f.HasSessionExpires || f.Malformed == nil || f.MinSE.Seconds() != 120 {
		t.Errorf("by the letter: %+v, want no Session-Expires", f)
	}
	if f := Fields(invite(t), sessiontimer.Policy{}); f != (sessiontimer.Fields{}) {
		t.Errorf("of a message without any field: %+v", f)
	}
}

// Set leaves one field of a name, at the end; an empty value leaves none. The compact form is
// the same name (RFC 3261 §7.3.3).
func TestSet(t *testing.T) {
	for _, c := range []struct{ name, before, value, after string }{
		{"added", "Allow: BYE", "90", "Allow: BYE\nSession-Expires: 90"},
		{"replaced", "Session-Expires: 1800\nAllow: BYE", "90", "Allow: BYE\nSession-Expires: 90"},
		{"all of them, in any case", "x: 1\nsession-expires: 2\nAllow: BYE\nX: 3", "90", "Allow: BYE\nSession-Expires: 90"},
		{"removed", "x: 1\nAllow: BYE\nSession-Expires: 2", "", "Allow: BYE"},
		{"removed where there is none", "Allow: BYE", "", "Allow: BYE"},
	} {
		m := invite(t, strings.Split(c.before, "\n")...)
		if Set(m, "Session-Expires", "x", c.value); fieldsOf(m) != c.after {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, fieldsOf(m), c.after)
		}
	}
	m := invite(t, "Min-SE: 90", "x: 1800")
	if Remove(m, "Min-SE", ""); fieldsOf(m) != "x: 1800" {
		t.Errorf("a name without a compact form: %s", fieldsOf(m))
	}
}

// Copy takes over every field of the name, as it is called there.
func TestCopy(t *testing.T) {
	for _, c := range []struct{ name, from, before, after string }{
		{"of both names", "k: timer\nAllow: BYE\nSupported: 100rel", "Supported: path\nRequire: timer\nK: x", "Require: timer\nk: timer\nSupported: 100rel"},
		{"none", "Allow: BYE", "Supported: path\nRequire: timer", "Require: timer"},
	} {
		m := invite(t, strings.Split(c.before, "\n")...)
		if Copy(m, invite(t, strings.Split(c.from, "\n")...), "Supported", "k"); fieldsOf(m) != c.after {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, fieldsOf(m), c.after)
		}
	}
}

// First knows a name in any case, and its compact form if it has one.
func TestFirst(t *testing.T) {
	m := invite(t, "Supportedx: 0", "K: 1", "Supported: 2", "REQUIRE: 3")
	for _, c := range []struct{ name, short, want string }{
		{"Supported", "k", "1"},
		{"Supported", "", "2"},
		{"Require", "", "3"},
		{"Min-SE", "", ""},
		{"Session-Expires", "x", ""},
	} {
		got := ""
		if h := First(m, c.name, c.short); h != nil {
			got = h.Value()
		}
		if got != c.want {
			t.Errorf("%s or %q: %q, want %q", c.name, c.short, got, c.want)
		}
	}
}

// A list may span several fields of either name (RFC 3261 §7.3.1). A token is never part of
// another.
func TestHasToken(t *testing.T) {
	for _, c := range []struct {
		fields string
		want   bool
	}{
		{"Supported: timer", true},
		{"Supported: 100rel ,\tTIMER", true},
		{"Supported: 100rel\nk: timer", true},
		{"k: 100rel\nsupported: timer", true},
		{"Supported: timer-x, xtimer", false},
		{"Require: timer", false},
		{"Supported:", false},
	} {
		if got := HasToken(invite(t, strings.Split(c.fields, "\n")...), "Supported", "k", "timer"); got != c.want {
			t.Errorf("%q: %v", c.fields, got)
		}
	}
	if HasToken(invite(t, "k: timer"), "Supported", "", "timer") {
		t.Error("a name without a compact form has been found by one")
	}
}

// A token is added once, to the first field of the name.
func TestAddToken(t *testing.T) {
	for _, c := range []struct{ before, after string }{
		{"Allow: BYE", "Allow: BYE\nSupported: timer"},
		{"supported: 100rel \nk: replaces", "supported: 100rel, timer\nk: replaces"},
		{"k: 100rel\nSupported: replaces", "k: 100rel, timer\nSupported: replaces"},
		{"Supported:", "Supported: timer"},
		{"Supported: 100rel\nk: Timer", "Supported: 100rel\nk: Timer"},
	} {
		m := invite(t, strings.Split(c.before, "\n")...)
		for range 2 {
			if AddToken(m, SupportedTimer, "k"); fieldsOf(m) != c.after {
				t.Errorf("%q becomes\n%s\nwant\n%s", c.before, fieldsOf(m), c.after)
			}
		}
	}
	m := sip.NewResponse(200, "OK")
	m.AppendHeader(sip.NewHeader("Supported", " 100rel ")) // as an application may write it
	if AddToken(m, SupportedTimer, "k"); fieldsOf(m) != "Supported: 100rel, timer" {
		t.Errorf("of spaces around a list: %q", fieldsOf(m))
	}
	if got := SupportedTimer.Value() + RequireTimer.Value() + AllowUpdate.Value(); got != "timertimerUPDATE" {
		t.Errorf("messages share these fields, which have become %s", got)
	}
}

// A token is removed wherever the list has it, and a field that had nothing else goes with it.
func TestRemoveToken(t *testing.T) {
	for _, c := range []struct{ before, after string }{
		{"Supported: timer\nAllow: BYE", "Allow: BYE"},
		{"Supported: 100rel , TIMER,timer, replaces", "Supported: 100rel, replaces"},
		{"k: timer, 100rel", "k: 100rel"},
		{"Supported: timer-x", "Supported: timer-x"},
		{"Supported: 100rel,replaces", "Supported: 100rel,replaces"},
		{"Allow: BYE", "Allow: BYE"},
		{"Supported: 100rel\nSupported: timer", "Supported: 100rel"},
		{"Supported: 100rel\nk: replaces, timer", "Supported: 100rel, replaces"},
		{"Supported: timer\nk: timer", ""},
	} {
		m := invite(t, strings.Split(c.before, "\n")...)
		if RemoveToken(m, "Supported", "k", "timer"); fieldsOf(m) != c.after {
			t.Errorf("%q becomes\n%s\nwant\n%s", c.before, fieldsOf(m), c.after)
		}
	}
	m := invite(t, "Require: timer, 100rel", "k: timer")
	if RemoveToken(m, "Require", "", "timer"); fieldsOf(m) != "k: timer\nRequire: 100rel" {
		t.Errorf("of Require alone:\n%s", fieldsOf(m))
	}
}

// RFC 4028 §7.4: a refresh repeats the option tags of the first request, but timer, which it
// adds itself, and 100rel, which would ask for a PRACK.
func TestOptionTags(t *testing.T) {
	for _, c := range []struct{ fields, want string }{
		{"Supported: replaces, 100REL, Timer, , norefersub", "replaces, norefersub"},
		{"k: replaces\nRequire: precondition\nsupported:\tpath ", "replaces, path"},
		{"Supported: timer,100rel", ""},
		{"Allow: BYE", ""},
	} {
		if got := OptionTags(invite(t, strings.Split(c.fields, "\n")...), "Supported", "k"); got != c.want {
			t.Errorf("%q: %q, want %q", c.fields, got, c.want)
		}
	}
	if got := OptionTags(invite(t, "k: replaces", "Require: precondition"), "Require", ""); got != "precondition" {
		t.Errorf("Require: %q", got)
	}
	if got := OptionTags(sip.NewResponse(200, "OK"), "Require", ""); got != "" {
		t.Errorf("of a response without any field: %q", got)
	}
}
