package server

import (
	"sync/atomic"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

// turn is the time in which a re-INVITE or UPDATE of the peer is in progress: others must
// not overlap with it (RFC 3261 §14, RFC 3311 §5.2). The methods may be called again.
type turn interface {
	// refusing is called before a refusal is sent: the peer may send its next request
	// right after that.
	refusing()
	// accepted is called after the 2xx was sent, at now.
	accepted(now time.Time)
	// close is called when the 2xx has been sent, or none will be.
	close()
}

// noTurn is the turn of a request that has not begun one.
type noTurn struct{}

func (noTurn) refusing()          {}
func (noTurn) accepted(time.Time) {}
func (noTurn) close()             {}

// inviteTurn is the turn of a re-INVITE. A refusal ends it only after it was sent, so that
// our own re-INVITE does not overtake the refusal.
type inviteTurn struct {
	dialog *dialogset.Dialog
	invite *dialogset.PeerInvite
}

func (t *inviteTurn) refusing()              { t.dialog.Refusing(t.invite) }
func (t *inviteTurn) accepted(now time.Time) { t.dialog.Answered(t.invite, now) }
func (t *inviteTurn) close()                 { t.dialog.CloseInvite(t.invite) }

// updateTurn is the turn of an UPDATE.
type updateTurn struct {
	dialog *dialogset.Dialog
	ended  atomic.Bool
}

func (t *updateTurn) refusing()          { t.close() }
func (t *updateTurn) accepted(time.Time) { t.close() }

func (t *updateTurn) close() {
	if !t.ended.Swap(true) {
		t.dialog.CloseUpdate()
	}
}
