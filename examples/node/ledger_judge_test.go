//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ledger makes rows of what was seen: seconds, what, CSeq and node.
func ledger(t *testing.T, lines ...string) []row {
	t.Helper()
	path, text := filepath.Join(t.TempDir(), "ledger"), ""
	for _, line := range lines {
		f := strings.Fields(line)
		text += fmt.Sprintf("2026-01-01\t00:00:00.000000\t%s 1-1@127.0.0.1 %s\n", f[0], strings.Join(f[1:], " "))
	}
	if err := os.WriteFile(path, []byte(text+"2026-01-01\t00:00:00.000000\t9"), 0o600); err != nil {
		t.Fatal(err)
	}
	return readLedger(t, path)["1-1@127.0.0.1"]
}

// The judge finds what must not be.
func TestWrong(t *testing.T) {
	up := []string{"100.5 phone 0 p", "100.5 up 0 a"}
	for _, c := range []struct {
		rows []string
		then int64
		want string
	}{
		{nil, 127, ""},
		{nil, 128, "not refreshed for 27.5s"},
		{[]string{"120 UPDATE 2 a", "122 UPDATE 1002 b", "140 INVITE 1003 b"}, 166, ""},
		{[]string{"120 UPDATE 2 a", "147 UPDATE 3 a"}, 150, "not refreshed for 27s"},
		{[]string{"120 UPDATE 2 a", "130 refused 2 b"}, 150, "not refreshed for 30s"},
		{[]string{"120 UPDATE 2 a", "121 UPDATE 2 b"}, 122, "CSeq 2 after 2"},
		{[]string{"120 UPDATE 1002 b", "121 INVITE 3 a"}, 122, "CSeq 3 after 1002"},
		{[]string{"120 BYE 2 a"}, 122, "cut by a"},
	} {
		rows := ledger(t, append(up, c.rows...)...)
		if got := strings.Join(wrong(rows, time.Unix(c.then, 0)), ", "); got != c.want {
			t.Errorf("%v, at %d: %q is wrong, want %q", c.rows, c.then, got, c.want)
		}
	}
}

// A takeover is the first refresh by another node after the event.
func TestTaken(t *testing.T) {
	for _, c := range []struct {
		rows []string
		want string
	}{
		{[]string{"100 up 0 a", "120 UPDATE 2 a"}, "[]"},
		{[]string{"100 up 0 a", "120 UPDATE 2 a", "132 UPDATE 1002 b", "150 UPDATE 1003 b"}, "[2s]"},
		{[]string{"100 up 0 a", "133 UPDATE 1001 b", "140 UPDATE 2001 a", "141 UPDATE 3001 c"}, "[3s]"},
		{[]string{"100 up 0 b", "133 UPDATE 1001 c"}, "[]"},
		{[]string{"100 up 0 b", "120 UPDATE 1001 a", "130.5 refused 2 b", "131 UPDATE 2001 b"}, "[1s]"},
	} {
		calls := map[string][]row{"1": ledger(t, c.rows...)}
		if got := fmt.Sprint(taken(calls, "a", time.Unix(130, 0))); got != c.want {
			t.Errorf("%v: taken over after %s, want %s", c.rows, got, c.want)
		}
	}
}
