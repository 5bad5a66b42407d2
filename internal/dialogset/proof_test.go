package dialogset

import (
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// E-23: a call without an ACK is forgotten in time; where the process was stalled then, once
// what lies in the sockets has been read.
func TestProofAfterStall(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		for _, c := range []struct{ late, want time.Duration }{
			{0, 0},
			{time.Second, 0},
			{2 * time.Second, 2 * time.Second}, // and then it goes off in time
		} {
			var m Dialog
			begin := time.Now()
			forgotten := make(chan time.Duration, 1)
			m.ExpectAck(1, begin, time.AfterFunc(64*sip.T1+c.late, func() {
				if !m.Patient(time.Now()) {
					forgotten <- time.Since(begin)
				}
			}))
			if got, want := <-forgotten, 64*sip.T1+c.late+c.want; got != want {
				t.Errorf("late by %v: forgotten after %v, should be after %v", c.late, got, want)
			}
		}
	})
}
