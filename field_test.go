package sessiontimer

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// seconds is the interval that the wire writes as n.
func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

// goodSessionExpires are values that have to be understood, and how.
var goodSessionExpires = []struct {
	name  string
	value string
	want  SessionExpires
}{
	{"A-01 seconds and refresher", "4000;refresher=uac", SessionExpires{seconds(4000), UAC}},
	{"A-01 seconds alone", "1800", SessionExpires{seconds(1800), NoRole}},
	{"A-01 any number of parameters", "90;a;b;c;d;e;f;refresher=uas;g", SessionExpires{seconds(90), UAS}},
	{"A-03 upper case", "1800;Refresher=UAC", SessionExpires{seconds(1800), UAC}},
	{"A-03 mixed case", "1800;rEfReShEr=uAs", SessionExpires{seconds(1800), UAS}},
	{"A-04 blanks and folding", "  1800 ;\r\n refresher = uas", SessionExpires{seconds(1800), UAS}},
	{"A-04 tabs", "\t1800\t;\trefresher\t=\tuac\t", SessionExpires{seconds(1800), UAC}},
	{"A-05 unknown parameters before", `1800;foo;a=b;q="x;refresher=uac";refresher=uas`, SessionExpires{seconds(1800), UAS}},
	{"A-05 unknown parameters after", "1800;refresher=uac;foo=bar", SessionExpires{seconds(1800), UAC}},
	{"A-05 comma and semicolon in quotes", `1800;q="a,b;c";refresher=uac`, SessionExpires{seconds(1800), UAC}},
	{"A-05 escaped quote in quotes", `1800;q="a\";refresher=uac;\\";refresher=uas`, SessionExpires{seconds(1800), UAS}},
	{"A-05 host as value", "1800;h=[2001:db8::1];refresher=uas", SessionExpires{seconds(1800), UAS}},
	{"A-05 name that only begins alike", "1800;refresher2=uac;xrefresher=uac", SessionExpires{seconds(1800), NoRole}},
	{"A-06 unknown refresher", "1800;refresher=proxy", SessionExpires{seconds(1800), NoRole}},
	{"A-06 refresher without value", "1800;refresher", SessionExpires{seconds(1800), NoRole}},
	{"A-06 refresher with empty value", "1800;refresher=", SessionExpires{seconds(1800), NoRole}},
	{"A-06 quoted refresher", `1800;refresher="uac"`, SessionExpires{seconds(1800), NoRole}},
	{"A-06 refresher that only begins alike", "1800;refresher=uacs", SessionExpires{seconds(1800), NoRole}},
	{"A-06 long s is not an s", "1800;refresher=uaſ;refreſher=uac", SessionExpires{seconds(1800), NoRole}},
	{"A-07 first of two refreshers counts", "1800;refresher=uac;refresher=uas", SessionExpires{seconds(1800), UAC}},
	{"A-07 first of two refreshers counts, other way", "1800;refresher=uas;refresher=uac", SessionExpires{seconds(1800), UAS}},
	{"A-07 a senseless refresher is not the first", "1800;refresher=proxy;refresher=uas", SessionExpires{seconds(1800), UAS}},
	{"A-08 leading zeros", "0001800", SessionExpires{seconds(1800), NoRole}},
	{"A-08 only zeros", "000", SessionExpires{0, NoRole}},
	{"A-09 largest value kept", "4294967295", SessionExpires{seconds(math.MaxUint32), NoRole}},
	{"A-09 one more is clamped", "4294967296", SessionExpires{seconds(math.MaxUint32), NoRole}},
	{"A-09 never wraps to 1", "4294967297;refresher=uas", SessionExpires{seconds(math.MaxUint32), UAS}},
	{"A-09 beyond 64 bits", "99999999999999999999", SessionExpires{seconds(math.MaxUint32), NoRole}},
	{"A-09 a thousand digits", strings.Repeat("9", 1000), SessionExpires{seconds(math.MaxUint32), NoRole}},
	{"A-09 as many zeros as are read", strings.Repeat("0", maxFieldLength-2) + "90", SessionExpires{seconds(90), NoRole}},
	{"A-09 a thousand zeros", strings.Repeat("0", 1000) + "90", SessionExpires{seconds(90), NoRole}},
	{"A-21 zero is a value", "0", SessionExpires{0, NoRole}},
	{"A-21 below 90 is a value", "50;refresher=uac", SessionExpires{seconds(50), UAC}},
}

// badDelta are values that neither Session-Expires nor Min-SE can have.
var badDelta = []struct{ name, value string }{
	{"A-08 minus", "-1"},
	{"A-08 plus", "+90"},
	{"A-08 fraction", "1800.5"},
	{"A-08 exponent", "18e2"},
	{"A-08 hexadecimal", "0x708"},
	{"A-08 empty", ""},
	{"A-08 blanks", " \t"},
	{"A-08 word", "abc"},
	{"A-08 blank inside", "18 00"},
	{"A-08 digits of another script", "١٨٠٠"},
	{"A-08 underscore", "1_800"},
	{"A-04 vertical tab is no blank", "1800\v"},
	{"A-04 form feed is no blank", "\f1800"},
	{"A-04 no-break space is no blank", "1800\u00a0;refresher=uac"},
	{"A-08 NUL", "1800\x00"},
	{"A-11 no seconds", ";refresher=uac"},
	{"A-12 comma list", "1800, 90"},
	{"A-12 comma list after a parameter", "1800;refresher=uac, 90;refresher=uas"},
	{"A-12 comma at the end", "1800;refresher=uac,"},
	{"A-01 semicolon and nothing", "1800;"},
	{"A-01 semicolon and blanks", "1800 ; \t"},
	{"A-05 open quote", `1800;q="x;refresher=uac`},
	{"A-05 quote that ends in an escape", `1800;q="x\"`},
	{"A-09 longer than is read", strings.Repeat("1", 1025)},
	{"A-05 more parameters than are read", "1800" + strings.Repeat(";a=b", 1024)},
}

func TestParseSessionExpires(t *testing.T) {
	for _, tt := range goodSessionExpires {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseSessionExpires(tt.value)
			if err != nil {
				t.Fatalf("Session-Expires: %.60q is refused with %v, should be read as %v", tt.value, err, tt.want)
			}
			if got != tt.want {
				t.Errorf("Session-Expires: %.60q is read as %v, should be %v", tt.value, got, tt.want)
			}
		})
	}
}

func TestParseSessionExpiresMalformed(t *testing.T) {
	for _, tt := range badDelta {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseSessionExpires(tt.value)
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("Session-Expires: %.60q gives error %v, should wrap ErrMalformed", tt.value, err)
			}
			if got != (SessionExpires{}) {
				t.Errorf("Session-Expires: %.60q is read as %v beside its error, should be nothing", tt.value, got)
			}
		})
	}
}

func TestParseMinSE(t *testing.T) {
	tests := []struct {
		name  string
		value string
		want  time.Duration
	}{
		{"A-13 bare", "120", seconds(120)},
		{"A-13 parameters accepted", "120;foo=bar", seconds(120)},
		{"A-13 quoted parameter", `120 ; q="1;2,3" ; b`, seconds(120)},
		{"A-14 below 90 is still read", "30", seconds(30)},
		{"A-04 blanks", " \t120 ", seconds(120)},
		{"A-08 leading zeros", "00120", seconds(120)},
		{"A-09 clamped", "4294967297", seconds(math.MaxUint32)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseMinSE(tt.value)
			if err != nil || got != tt.want {
				t.Errorf("Min-SE: %q is read as %v, %v; should be %v without error", tt.value, got, err, tt.want)
			}
		})
	}
}

func TestParseMinSEMalformed(t *testing.T) {
	for _, tt := range badDelta {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseMinSE(tt.value)
			if !errors.Is(err, ErrMalformed) || got != 0 {
				t.Errorf("Min-SE: %.60q gives %v, %v; should be 0 and an error that wraps ErrMalformed", tt.value, got, err)
			}
		})
	}
}

// The error of a malformed field goes into a log: it shows what was there.
func TestMalformedShowsValue(t *testing.T) {
	_, err := ParseSessionExpires("18 00")
	if err == nil || !strings.Contains(err.Error(), `"18 00"`) {
		t.Errorf("error is %v, should quote the value", err)
	}
	for _, n := range []int{64, 65, 4000} {
		value := strings.Repeat("x", n)
		want := fmt.Sprintf("%q", value)
		if n > 64 {
			want = fmt.Sprintf("%d bytes beginning with %q", n, value[:64])
		}
		if _, err := ParseMinSE(value); err == nil || !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("error for %d letters is %v, should end with %s", n, err, want)
		}
	}
}

func TestSessionExpiresString(t *testing.T) {
	tests := []struct {
		name string
		se   SessionExpires
		want string
	}{
		{"A-20 refresher uac", SessionExpires{seconds(1800), UAC}, "1800;refresher=uac"},
		{"A-20 refresher uas", SessionExpires{seconds(90), UAS}, "90;refresher=uas"},
		{"A-20 bare", SessionExpires{seconds(1800), NoRole}, "1800"},
		{"A-08 no fraction", SessionExpires{1999 * time.Millisecond, UAC}, "1;refresher=uac"},
		{"A-09 largest", SessionExpires{seconds(math.MaxUint32), UAC}, "4294967295;refresher=uac"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.se.String(); got != tt.want {
				t.Errorf("Session-Expires prints as %q, should be byte for byte %q", got, tt.want)
			}
		})
	}
}

func TestFormatSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                       "0",
		Floor:                   "90",
		DefaultSessionExpires:   "1800",
		90*time.Second - 1:      "89",
		seconds(math.MaxUint32): "4294967295",
	} {
		if got := FormatSeconds(d); got != want {
			t.Errorf("%v prints as %q, should be %q", d, got, want)
		}
	}
}

func TestRoleString(t *testing.T) {
	for role, want := range map[Role]string{NoRole: "", UAC: "uac", UAS: "uas", Role(9): ""} {
		if got := role.String(); got != want {
			t.Errorf("Role(%d) prints as %q, should be %q", role, got, want)
		}
	}
}
