package sessiontimer

import (
	"errors"
	"strings"
	"testing"
)

// header is one header field of a message as a test writes it.
type header struct{ name, value string }

// message reads header fields the way the middleware does, one by one.
func message(headers ...header) Fields {
	var f Fields
	for _, h := range headers {
		f.Add(h.name, h.value)
	}
	return f
}

func TestFieldsAdd(t *testing.T) {
	tests := []struct {
		name    string
		headers []header
		want    Fields
	}{
		{"A-01 nothing", nil, Fields{}},
		{"A-02 compact x and k", []header{{"x", "1800;refresher=uas"}, {"k", "timer"}},
			Fields{SessionExpires: SessionExpires{seconds(1800), UAS}, HasSessionExpires: true, Supported: true}},
		{"A-02 compact forms in upper case", []header{{"X", "1800"}, {"K", "timer"}},
			Fields{SessionExpires: SessionExpires{seconds(1800), NoRole}, HasSessionExpires: true, Supported: true}},
		{"A-02 Min-SE has no compact form", []header{{"m", "90"}, {"n", "90"}, {"s", "90"}}, Fields{}},
		{"A-03 names and tags in upper case", []header{{"SESSION-EXPIRES", "1800;Refresher=UAC"}, {"SUPPORTED", "TIMER"}, {"MIN-SE", "120"}},
			Fields{SessionExpires: SessionExpires{seconds(1800), UAC}, HasSessionExpires: true, Supported: true, MinSE: seconds(120)}},
		{"A-03 names and tags in lower case", []header{{"session-expires", "1800;refresher=uac"}, {"supported", "timer"}, {"min-se", "120"}},
			Fields{SessionExpires: SessionExpires{seconds(1800), UAC}, HasSessionExpires: true, Supported: true, MinSE: seconds(120)}},
		{"A-09 clamped Min-SE", []header{{"Min-SE", "99999999999999999999"}}, Fields{MinSE: seconds(4294967295)}},
		{"A-12 second instance is ignored", []header{{"Session-Expires", "1800"}, {"x", "90"}},
			Fields{SessionExpires: SessionExpires{seconds(1800), NoRole}, HasSessionExpires: true}},
		{"A-12 second instance is ignored, compact first", []header{{"x", "90;refresher=uac"}, {"Session-Expires", "1800"}},
			Fields{SessionExpires: SessionExpires{seconds(90), UAC}, HasSessionExpires: true}},
		{"A-12 zero is a first instance", []header{{"Session-Expires", "0"}, {"Session-Expires", "1800"}},
			Fields{HasSessionExpires: true}},
		{"A-12 second Min-SE is ignored", []header{{"Min-SE", "120"}, {"Min-SE", "3600"}}, Fields{MinSE: seconds(120)}},
		{"A-18 list, blanks, compact form, repeated lines", []header{{"k", "replaces"}, {"Supported", "100rel ,timer"}}, Fields{Supported: true}},
		{"A-18 folded list", []header{{"Supported", "100rel,\r\n\ttimer\r\n , replaces"}}, Fields{Supported: true}},
		{"A-18 a later line without timer takes nothing back", []header{{"Supported", "timer"}, {"k", "replaces"}, {"Supported", ""}}, Fields{Supported: true}},
		{"A-18 empty Supported", []header{{"Supported", ""}}, Fields{}},
		{"A-18 not by substring", []header{{"Supported", "timer-x, xtimer, timers"}, {"Require", "nottimer"}, {"Unsupported", "timer2"}}, Fields{}},
		{"A-03 Require in any case", []header{{"REQUIRE", "timer"}}, Fields{Supported: true, Required: true}},
		{"A-03 Proxy-Require in any case", []header{{"proxy-require", "timer"}}, Fields{Supported: true}},
		{"A-03 Unsupported in any case", []header{{"unsupported", "timer"}}, Fields{Unsupported: true}},
		{"A-18 Require", []header{{"Require", "100rel,timer"}}, Fields{Supported: true, Required: true}},
		{"A-18 Require of something else", []header{{"Require", "100rel"}}, Fields{}},
		{"A-18 Proxy-Require", []header{{"Proxy-Require", "timer"}}, Fields{Supported: true}},
		{"A-18 Unsupported", []header{{"Unsupported", "foo, Timer"}}, Fields{Unsupported: true}},
		{"C-24 Allow with UPDATE", []header{{"Allow", "INVITE, UPDATE"}}, Fields{HasAllow: true, AllowUpdate: true}},
		{"C-24 Allow without UPDATE", []header{{"allow", "INVITE, ACK, BYE"}}, Fields{HasAllow: true}},
		{"C-24 Allow over several lines", []header{{"Allow", "INVITE"}, {"Allow", "UPDATE"}, {"Allow", "BYE"}}, Fields{HasAllow: true, AllowUpdate: true}},
		{"C-24 empty Allow", []header{{"Allow", ""}}, Fields{HasAllow: true}},
		{"C-24 methods are case-sensitive", []header{{"Allow", "update"}}, Fields{HasAllow: true}},
		{"other fields of the same length", []header{{"Y", "90"}, {"Route", "UPDATE"}, {"Accept", "120"}, {"Contact", "timer"}, {"Allow-Foo", "timer"}, {"X-Forwarded", "timer"},
			{"Retry-Later", "timer"}, {"Session-Exp1res", "90"}, {"Proxy-Reqvire", "timer"}, {"", "timer"}}, Fields{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := message(tt.headers...); got != tt.want {
				t.Errorf("%q\n says  %+v\nshould %+v", tt.headers, got, tt.want)
			}
		})
	}
}

// An unreadable field counts as absent and is kept for the log.
func TestFieldsMalformed(t *testing.T) {
	tests := []struct {
		name    string
		headers []header
		want    Fields // but for Malformed
	}{
		{"A-10 Session-Expires", []header{{"Session-Expires", "abc"}, {"Supported", "timer"}}, Fields{Supported: true}},
		{"A-10 Min-SE", []header{{"Min-SE", "1.5"}}, Fields{}},
		{"A-11 no seconds", []header{{"Session-Expires", ";refresher=uac"}, {"Require", "timer"}}, Fields{Supported: true, Required: true}},
		{"A-12 comma list", []header{{"Session-Expires", "1800,90"}}, Fields{}},
		{"A-12 the first readable instance counts", []header{{"Session-Expires", "abc"}, {"x", "1800"}},
			Fields{SessionExpires: SessionExpires{seconds(1800), NoRole}, HasSessionExpires: true}},
		{"A-10 one bad field leaves the other", []header{{"Min-SE", "x"}, {"Session-Expires", "1800"}},
			Fields{SessionExpires: SessionExpires{seconds(1800), NoRole}, HasSessionExpires: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := message(tt.headers...)
			if !errors.Is(got.Malformed, ErrMalformed) {
				t.Errorf("%q: Malformed is %v, should wrap ErrMalformed", tt.headers, got.Malformed)
			}
			got.Malformed = nil
			if got != tt.want {
				t.Errorf("%q\n says  %+v\nshould %+v", tt.headers, got, tt.want)
			}
		})
	}
}

// the seconds of a malformed field are read if they are unambiguous; strictly, it counts
// as absent. Either way there is an error for the log.
func TestFieldsMended(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		want        SessionExpires
	}{
		{"A-01 semicolon and nothing", "1800;", SessionExpires{seconds(1800), NoRole}},
		{"A-01 semicolon and blanks", " 1800 ; \t", SessionExpires{seconds(1800), NoRole}},
		{"A-12 parameter behind a comma", "1800,refresher=uas", SessionExpires{seconds(1800), NoRole}},
		{"A-12 the same with blanks", "1800 , Refresher = uac ; foo", SessionExpires{seconds(1800), NoRole}},
		{"A-12 the first letter", "1800,a=1", SessionExpires{seconds(1800), NoRole}},
		{"A-12 the last letter", "1800,z=1", SessionExpires{seconds(1800), NoRole}},
		{"A-12 the first capital", "1800,A=1", SessionExpires{seconds(1800), NoRole}},
		{"A-12 the last capital", "1800,Z=1", SessionExpires{seconds(1800), NoRole}},
		{"A-12 as long as is read", "1800," + strings.Repeat("a", maxFieldLength-len("1800,")), SessionExpires{seconds(1800), NoRole}},
		{"A-12 comma and nothing", "1800, ", SessionExpires{seconds(1800), NoRole}},
		{"A-08 fraction of nothing", "1800.0", SessionExpires{seconds(1800), NoRole}},
		{"A-08 point and nothing", "1800.", SessionExpires{seconds(1800), NoRole}},
		{"A-08 fraction before a parameter", "1800.00 ; refresher=uas", SessionExpires{seconds(1800), UAS}},
		{"A-08 fraction before a semicolon", "90.0;", SessionExpires{seconds(90), NoRole}},
		{"A-09 clamped all the same", "99999999999999999999.0", SessionExpires{seconds(maxDelta), NoRole}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, strict := range []bool{false, true} {
				f, want := Fields{Strict: strict}, Fields{Strict: strict}
				f.Add("Session-Expires", tt.value)
				f.Add("Min-SE", tt.value)
				if !strict {
					want.SessionExpires, want.HasSessionExpires, want.MinSE = tt.want, true, tt.want.Interval
				}
				if !errors.Is(f.Malformed, ErrMalformed) {
					t.Errorf("%q: Malformed is %v, should wrap ErrMalformed", tt.value, f.Malformed)
				}
				if f.Malformed = nil; f != want {
					t.Errorf("%q, strict %v\n says  %+v\nshould %+v", tt.value, strict, f, want)
				}
			}
		})
	}
}

// ambiguous values are not guessed.
func TestFieldsNotMended(t *testing.T) {
	for _, value := range []string{"1800, 90", "1800,90;refresher=uas", "1800;refresher=uac, 90;refresher=uas", "1,800", "1.800", "1.000", "1800.5",
		"18.0.0", ".0", ".", ";", ",", ",refresher=uac", "-1.0", "18 00;", "1e3;", `1800;q="open`, `1800,"`, "١٨٠٠;",
		"1800,@=1", "1800,[=1", "1800,`=1", "1800,{=1", "1800," + strings.Repeat("a", 1025-len("1800,"))} {
		if f := message(header{"Session-Expires", value}, header{"Min-SE", value}); f.HasSessionExpires || f.MinSE != 0 || f.Malformed == nil {
			t.Errorf("%.40q says %+v, should say nothing but that it is malformed", value, f)
		}
	}
}

func TestFieldsKeepsFirstFault(t *testing.T) {
	first := message(header{"Session-Expires", "abc"}).Malformed
	both := message(header{"Session-Expires", "abc"}, header{"Min-SE", "xyz"}).Malformed
	if both == nil || both.Error() != first.Error() {
		t.Errorf("Malformed is %v, should be the first fault, %v", both, first)
	}
}

func TestHasToken(t *testing.T) {
	tests := []struct {
		name, list string
		want       bool
	}{
		{"A-18 alone", "timer", true},
		{"A-18 last", "100rel, replaces , timer", true},
		{"A-18 first", "timer,100rel", true},
		{"A-03 upper case", "TIMER", true},
		{"A-18 empty items", ",, timer ,", true},
		{"A-18 longer", "timer-x", false},
		{"A-18 folded", "100rel,\r\n\ttimer", true},
		{"A-04 no-break space is no blank", "100rel,\u00a0timer", false},
		{"A-18 two words", "timer 100rel", false},
		{"A-18 empty", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := HasToken(tt.list, OptionTag); got != tt.want {
				t.Errorf("timer in %q is %v, should be %v", tt.list, got, tt.want)
			}
		})
	}
	if HasToken("replaceſ", "replaces") {
		t.Error("A-03: a long s is taken for an s, should compare ASCII only")
	}
}
