package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// row is a row of the ladder: time, arrow with label, headers.
var row = regexp.MustCompile(`^ +([0-9.]+)s +\|(.{30})\| *(.*)$`)

func TestQuickstart(t *testing.T) {
	if testing.Short() {
		t.Skip("runs in real time")
	}
	t.Parallel()
	var out strings.Builder
	if err := run(&out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	var rows []string
	var times []float64
	for line := range strings.Lines(out.String()) {
		line = strings.TrimRight(line, "\n")
		if utf8.RuneCountInString(line) >= 100 {
			t.Errorf("100 columns or more: %s", line)
		}
		if m := row.FindStringSubmatch(line); m != nil {
			at, _ := strconv.ParseFloat(m[1], 64)
			times = append(times, at)
			rows = append(rows, strings.TrimRight(m[2]+" "+m[3], " "))
		}
	}
	want := []string{
		`---- INVITE -----------------> Session-Expires: 4, Supported: timer`,
		`<--- 200 OK ------------------ Session-Expires: 4;refresher=uac, Require: timer`,
		`---- ACK -------------------->`,
		`---- UPDATE -----------------> Session-Expires: 4;refresher=uac, Supported: timer`,
		`<--- 200 OK ------------------ Session-Expires: 4;refresher=uac, Require: timer`,
		`---- UPDATE -----------------> Session-Expires: 4;refresher=uac, Supported: timer`,
		`<--- 200 OK ------------------ Session-Expires: 4;refresher=uac, Require: timer`,
		`  x- BYE --------------------- Reason: SIP;cause=408;text="Session timer expired"`,
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Fatalf("ladder (-want +got):\n%s\n%s", diff, out.String())
	}
	for i, due := range map[int]float64{0: 0, 3: 2, 5: 4, 7: 6.667} {
		if late := times[i] - due; late < -0.01 || late > 0.5 {
			t.Errorf("%q at %.3f s, want %.3f s", rows[i], times[i], due)
		}
	}
	if !strings.HasSuffix(out.String(), "bob ended it by himself.\n\n") {
		t.Errorf("the last line should say what was shown:\n%s", out.String())
	}
}
