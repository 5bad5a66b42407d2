package middleware

import (
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// lateACK is how long after a 2xx its ACK is late: the first 2xx was lost then, or
// the way is long.
const lateACK = time.Second

// confirmed takes the first ACK of a 2xx that was sent at answered. It may bring the
// answer to an offer. A late one is a sign of life: the caller counts from the 2xx
// that it saw, and so does the session that it refreshes. That is no refresh.
func (t *Timers) confirmed(id dialogstore.ID, answered time.Time, ack *sip.Request) {
	now := time.Now()
	late := now.Sub(answered) > lateACK
	if !late && len(ack.Body()) == 0 {
		return
	}
	t.renew(quietly, id, func(d dialogstore.Dialog) dialogstore.Dialog {
		if late && d.Session.Refresher == sessiontimer.Peer && d.Session.Since.Equal(answered) {
			d.Session.Since = now
		}
		if len(ack.Body()) > 0 {
			d.PeerSDP = ack.Body()
		}
		return d
	})
}
