//go:build unix

package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A row is a line in the log of SIPp: what a phone has accepted or refused.
type row struct {
	at     time.Time
	callID string
	what   string // phone, up, UPDATE, INVITE, BYE, refused, unknown or end
	cseq   int
	addr   string // of the node; of phone its own
}

// readLedger returns the rows so far by call. The last line may be in the making.
func readLedger(t *testing.T, path string) map[string][]row {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	calls := make(map[string][]row)
	for line := range strings.Lines(string(text)) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		r, err := parseRow(line)
		if err != nil {
			t.Fatalf("SIPp has logged %q: %v", line, err)
		}
		calls[r.callID] = append(calls[r.callID], r)
	}
	return calls
}

// parseRow reads a line, which begins with date, time, and the seconds since 1970.
func parseRow(line string) (r row, err error) {
	f := strings.Fields(line)
	if len(f) != 7 {
		return r, fmt.Errorf("%d fields, want 7", len(f))
	}
	seconds, err := strconv.ParseFloat(f[2], 64)
	if err != nil {
		return r, err
	}
	r = row{at: time.UnixMicro(int64(seconds * 1e6)), callID: f[3], what: f[4], addr: f[6]}
	r.cseq, err = strconv.Atoi(f[5])
	return r, err
}

// refreshes reports whether a phone has accepted r, and with it a new session.
func (r *row) refreshes() bool { return r.what == "up" || r.what == "UPDATE" || r.what == "INVITE" }

// lastRefresh returns when the session of a call last began.
func lastRefresh(rows []row) (at time.Time) {
	for _, r := range rows {
		if r.refreshes() {
			at = r.at
		}
	}
	return at
}

// wrong returns what must not be in the rows of a call that is up until then: CSeqs that do
// not rise, a BYE, a session that its phone would have ended because nobody had refreshed
// it (RFC 4028 §10).
func wrong(rows []row, then time.Time) (faults []string) {
	const patience = interval - min(32*time.Second, interval/3)
	cseq, since := -1, rows[0].at
	for _, r := range append(slices.Clone(rows), row{at: then}) {
		if gap := r.at.Sub(since); gap > patience {
			faults = append(faults, fmt.Sprintf("not refreshed for %v", gap))
		}
		switch {
		case r.what == "BYE":
			faults = append(faults, "cut by "+r.addr)
		case r.refreshes() && r.cseq <= cseq:
			faults = append(faults, fmt.Sprintf("CSeq %d after %d", r.cseq, cseq))
		}
		if r.refreshes() {
			cseq, since = r.cseq, r.at
		}
	}
	return faults
}

// taken returns how long after an event each call of a node was refreshed by another one.
func taken(calls map[string][]row, node string, event time.Time) (delays []time.Duration) {
	for _, rows := range calls {
		owner := ""
		for _, r := range rows {
			switch {
			case !r.refreshes():
			case r.at.Before(event):
				owner = r.addr
			case owner == node && r.addr != node:
				delays = append(delays, r.at.Sub(event))
				owner = r.addr
			}
		}
	}
	slices.Sort(delays)
	return delays
}
