package client

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// An UPDATE that a re-INVITE may follow has 24 s, but not beyond the last chance, which
// is 33 s before the end of a session of 90 s; and 4 s in any case.
func TestUpdateUntil(t *testing.T) {
	s := sessiontimer.Session{Interval: 90 * time.Second, Refresher: sessiontimer.Local, Since: began}
	for _, c := range []struct{ now, want float64 }{
		{0, 24}, {33, 57}, {33.5, 57}, {52.5, 57}, {53, 57}, {54, 58}, {80, 84},
	} {
		if got := updateUntil(s, at(c.now)); !got.Equal(at(c.want)) {
			t.Errorf("an UPDATE sent %v s after the 2xx is given up %v after that, want %v s", c.now, got.Sub(began), c.want)
		}
	}
}

// What the refresher makes of an error depends on whose it is: unanswered for as long as
// a transaction lives (RFC 4028 §10), given up before, too long to be sent, or neither.
func TestUnsent(t *testing.T) {
	all := []error{refresher.ErrUnanswered, refresher.ErrGivenUp, refresher.ErrTooLong}
	for _, c := range []struct{ err, want error }{
		{fmt.Errorf("x: %w", sip.ErrTransactionTimeout), refresher.ErrUnanswered},
		{fmt.Errorf("%w: %w", refresher.ErrGivenUp, sip.ErrTransactionTimeout), refresher.ErrGivenUp},
		{errSilence, refresher.ErrUnanswered},
		{errNotHeard, nil},
		{sip.ErrUDPMTUCongestion, refresher.ErrTooLong},
		{context.DeadlineExceeded, nil},
		{errConnectionLost, nil},
	} {
		got := unsent(c.err)
		if !errors.Is(got, c.err) {
			t.Errorf("%v becomes %v, which has lost it", c.err, got)
		}
		for _, verdict := range all {
			if errors.Is(got, verdict) != (verdict == c.want) {
				t.Errorf("%v is %v: %t, want the verdict %v", c.err, verdict, verdict != c.want, c.want)
			}
		}
	}
}
