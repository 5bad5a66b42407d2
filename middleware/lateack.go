package middleware

import (
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// lateACK is how long after a 2xx its ACK is late: the first 2xx was lost then, or
// the way is long.
const lateACK = time.Second

// confirmed takes the first ACK of a 2xx that was sent at answered. It may bring the
// answer to an offer. A late one is a sign of life: the caller counts from the 2xx
// that it saw, and so does the session that it refreshes. That is no refresh. It
// reports whether the ACK tells of other media an application that has not seen the
// INVITE, as local says.
func (t *Timers) confirmed(m *dialogset.Dialog, id dialogstore.ID, answered time.Time, ack *sip.Request, local bool) (moved bool) {
	now := time.Now()
	late := now.Sub(answered) > lateACK
	agreed, news := m.Said(offeranswer.Peer, requested(ack), id.RemoteTag)
	if !late && !news {
		return false
	}
	before, ok := t.renew(quietly, id, func(d dialogstore.Dialog) dialogstore.Dialog {
		if late && d.Session.Refresher == sessiontimer.Peer && d.Session.Since.Equal(answered) {
			d.Session.Since = now
		}
		if news {
			agreeOn(&d, agreed)
		}
		return d
	})
	return ok && news && local && t.mediaChanged(&before, agreed)
}
