package sessiontimer

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func drawSessionExpires(t *rapid.T) SessionExpires {
	return SessionExpires{
		Interval:  drawSeconds(t, 0, maxDelta, "seconds"),
		Refresher: rapid.SampledFrom([]Role{NoRole, UAC, UAS}).Draw(t, "role"),
	}
}

// what is printed is read as the same.
func TestPrintParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawSessionExpires(t)
		got, err := ParseSessionExpires(want.String())
		if err != nil || got != want {
			t.Fatalf("%q is read as %+v, %v; should be %+v", want, got, err, want)
		}
		if d, err := ParseMinSE(FormatSeconds(want.Interval)); err != nil || d != want.Interval {
			t.Fatalf("Min-SE: %s is read as %v, %v", FormatSeconds(want.Interval), d, err)
		}
	})
}

// case, blanks, zeros and foreign parameters do not
// change what is read.
func TestParseIgnoresDress(t *testing.T) {
	blank := rapid.SampledFrom([]string{"", " ", "\t", "  ", "\r\n "})
	foreign := rapid.SampledFrom([]string{"", "foo", "a=b", `q="x;refresher=uac"`, `q="a,b\";"`, "refresher", "refresher=proxy", "h=[::1]"})
	upper := rapid.Bool()
	rapid.Check(t, func(t *rapid.T) {
		want := drawSessionExpires(t)
		zeros := strings.Repeat("0", rapid.IntRange(0, 30).Draw(t, "zeros"))
		value := blank.Draw(t, "lead") + zeros + FormatSeconds(want.Interval)
		add := func(param string) {
			if param != "" {
				value += blank.Draw(t, "before ;") + ";" + blank.Draw(t, "after ;") + param
			}
		}
		add(foreign.Draw(t, "before"))
		if want.Refresher != NoRole {
			param := "refresher" + blank.Draw(t, "before =") + "=" + blank.Draw(t, "after =") + want.Refresher.String()
			if upper.Draw(t, "upper case") {
				param = strings.ToUpper(param)
			}
			add(param)
		}
		add(foreign.Draw(t, "after"))
		value += blank.Draw(t, "trail")
		if got, err := ParseSessionExpires(value); err != nil || got != want {
			t.Fatalf("%q is read as %+v, %v; should be %+v", value, got, err, want)
		}
	})
}

// what is read of a malformed value is what its first digits say, and
// of a good one what the parser says; strictly nothing is read but that.
func TestMendedReadsTheNumber(t *testing.T) {
	piece := rapid.SampledFrom([]string{"0", "9", "1800", ";", ",", ".", "=", `"`, " ", "\t", "refresher=uac", "foo", "-", "é"})
	rapid.Check(t, func(t *rapid.T) {
		value := strings.Join(rapid.SliceOf(piece).Draw(t, "pieces"), "")
		tolerant, strict := Fields{}, Fields{Strict: true}
		tolerant.Add("x", value)
		strict.Add("x", value)
		se, err := ParseSessionExpires(value)
		if strict.HasSessionExpires != (err == nil) || strict.SessionExpires != se {
			t.Fatalf("%q, strictly, says %+v; by the grammar it is %+v, %v", value, strict, se, err)
		}
		if err == nil && tolerant.SessionExpires != se {
			t.Fatalf("%q says %+v, should say %+v", value, tolerant, se)
		}
		if !tolerant.HasSessionExpires {
			return
		}
		digits := trim(value)
		digits = digits[:len(digits)-len(strings.TrimLeft(digits, "0123456789"))]
		if want, err := ParseMinSE(digits); err != nil || tolerant.SessionExpires.Interval != want {
			t.Fatalf("%q says %v, should say %v", value, tolerant.SessionExpires.Interval, want)
		}
	})
}

// No string makes a parser panic, and every refusal is ErrMalformed.
func TestParseAnything(t *testing.T) {
	piece := rapid.SampledFrom([]string{"0", "9", "1800", ";", "=", ",", `"`, `\`, " ", "\t", "\r\n", "refresher", "uac", "uas", "-", "\x00", "é", "foo"})
	nearly := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOf(piece).Draw(t, "pieces"), "") })
	anything := rapid.OneOf(nearly, rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(t *rapid.T) {
		value := anything.Draw(t, "value")
		checkSessionExpires(t, value)
		checkMinSE(t, value)
		f := message(header{anything.Draw(t, "name"), value}, header{"x", value}, header{"Min-SE", value}, header{"k", value}, header{"Allow", value})
		if f.Malformed != nil && !errors.Is(f.Malformed, ErrMalformed) {
			t.Fatalf("Malformed is %v, should wrap ErrMalformed", f.Malformed)
		}
	})
}
