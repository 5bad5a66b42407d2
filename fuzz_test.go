package sessiontimer

import (
	"errors"
	"math/big"
	"regexp"
	"testing"
	"time"
)

// failer is what testing.T and rapid.T share.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// leadingDelta is delta-seconds as the grammar has them, up to a parameter.
var leadingDelta = regexp.MustCompile(`^[ \t\r\n]*([0-9]+)[ \t\r\n]*(;|$)`)

// wantDelta reads the seconds a second way: with a number that cannot overflow.
func wantDelta(value string) (time.Duration, bool) {
	m := leadingDelta.FindStringSubmatch(value)
	if m == nil {
		return 0, false
	}
	n, _ := new(big.Int).SetString(m[1], 10)
	if n.Cmp(big.NewInt(maxDelta)) > 0 {
		return seconds(maxDelta), true
	}
	return seconds(n.Int64()), true
}

// checkSessionExpires holds for any string whatever.
func checkSessionExpires(t failer, value string) {
	t.Helper()
	got, err := ParseSessionExpires(value)
	if err != nil {
		if !errors.Is(err, ErrMalformed) || got != (SessionExpires{}) {
			t.Fatalf("Session-Expires: %q gives %v and error %v, should be nothing and wrap ErrMalformed", value, got, err)
		}
		return
	}
	if want, ok := wantDelta(value); !ok || got.Interval != want {
		t.Fatalf("Session-Expires: %q is read as %v; by the grammar it has %v seconds: %v", value, got.Interval, want, ok)
	}
	if got.Interval < 0 || got.Interval > seconds(maxDelta) || got.Interval%time.Second != 0 || got.Refresher > UAS {
		t.Fatalf("Session-Expires: %q is read as %+v, should be whole seconds from 0 to 2^32-1", value, got)
	}
	if again, err := ParseSessionExpires(got.String()); err != nil || again != got {
		t.Fatalf("Session-Expires: %q prints as %q, which is read as %+v, %v", value, got, again, err)
	}
}

// checkMinSE holds for any string whatever.
func checkMinSE(t failer, value string) {
	t.Helper()
	got, err := ParseMinSE(value)
	if se, seErr := ParseSessionExpires(value); (err == nil) != (seErr == nil) || got != se.Interval {
		t.Fatalf("Min-SE: %q is %v, %v; as Session-Expires it is %v, %v; should be the same", value, got, err, se.Interval, seErr)
	}
	if err != nil {
		if !errors.Is(err, ErrMalformed) || got != 0 {
			t.Fatalf("Min-SE: %q gives %v and error %v, should be 0 and wrap ErrMalformed", value, got, err)
		}
		return
	}
	if got < 0 || got > seconds(maxDelta) || got%time.Second != 0 {
		t.Fatalf("Min-SE: %q is read as %v, should be whole seconds from 0 to 2^32-1", value, got)
	}
	if again, err := ParseMinSE(FormatSeconds(got)); err != nil || again != got {
		t.Fatalf("Min-SE: %q prints as %q, which is read as %v, %v", value, FormatSeconds(got), again, err)
	}
}

// seedValues adds inputs that peers were seen to send, and worse.
func seedValues(add func(value string)) {
	for _, tt := range goodSessionExpires {
		add(tt.value)
	}
	for _, tt := range badDelta {
		add(tt.value)
	}
	add("120;foo=bar")
	add("30")
}

func FuzzParseSessionExpires(f *testing.F) {
	seedValues(func(value string) { f.Add(value) })
	f.Fuzz(func(t *testing.T, value string) { checkSessionExpires(t, value) })
}

func FuzzParseMinSE(f *testing.F) {
	seedValues(func(value string) { f.Add(value) })
	f.Fuzz(func(t *testing.T, value string) { checkMinSE(t, value) })
}

// FuzzFields reads a message of three header fields.
func FuzzFields(f *testing.F) {
	seedValues(func(value string) {
		f.Add("Session-Expires", value, "Supported", "timer", "Min-SE", "90")
		f.Add("x", "1800", "k", "100rel ,timer", "MIN-SE", value)
	})
	f.Add("SESSION-EXPIRES", "1800;Refresher=UAC", "SUPPORTED", "TIMER", "Allow", "INVITE, UPDATE")
	f.Add("Session-Expires", "1800", "x", "90", "Require", "timer")
	f.Add("x", "1800.0;", "Min-SE", "90,refresher=uac", "Session-Expires", "1800,")
	f.Add("Unsupported", "timer", "Proxy-Require", "timer", "Supported", "")
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2, name3, value3 string) {
		headers := []header{{name1, value1}, {name2, value2}, {name3, value3}}
		got := message(headers...)
		switch {
		case got.Malformed != nil && !errors.Is(got.Malformed, ErrMalformed):
			t.Fatalf("%q: Malformed is %v, should wrap ErrMalformed", headers, got.Malformed)
		case got.Required && !got.Supported:
			t.Fatalf("%q: requires timer but does not support it", headers)
		case got.AllowUpdate && !got.HasAllow:
			t.Fatalf("%q: allows UPDATE without an Allow", headers)
		case !got.HasSessionExpires && got.SessionExpires != (SessionExpires{}):
			t.Fatalf("%q: absent Session-Expires is %v, should be nothing", headers, got.SessionExpires)
		case got.SessionExpires.Interval < 0 || got.SessionExpires.Interval > seconds(maxDelta) || got.MinSE < 0 || got.MinSE > seconds(maxDelta):
			t.Fatalf("%q: says %+v, should be from 0 to 2^32-1 s", headers, got)
		}
		twice := got
		for _, h := range headers {
			twice.Add(h.name, h.value)
		}
		if twice != got {
			t.Fatalf("A-12: %q said twice\n is     %+v\nshould %+v", headers, twice, got)
		}
		checkReaction(t, got)
	})
}

// checkReaction is H-01 and E-09 for the default policy.
func checkReaction(t failer, req Fields) {
	t.Helper()
	p := DefaultPolicy()
	if minSE, refuse := p.TooSmall(req); refuse {
		if minSE < Floor || minSE <= req.SessionExpires.Interval {
			t.Fatalf("%+v gets 422 with Min-SE %v, should be above what it asked for and 90 s or more", req, minSE)
		}
		return
	}
	a := p.Respond(req, Session{}, start)
	if !a.Send {
		return
	}
	if a.SessionExpires.Interval < Floor || req.HasSessionExpires && a.SessionExpires.Interval > req.SessionExpires.Interval {
		t.Fatalf("%+v gets %s, should be 90 s or more and no more than asked for", req, a.wire())
	}
}
