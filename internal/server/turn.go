package server

import (
	"sync/atomic"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

// turn is the right of a request of the peer to be answered: a re-INVITE and an UPDATE
// may not overlap with everything else (RFC 3261 §14, RFC 3311 §5.2). Methods that end
// it report whether that is what ended it; they may be called again.
type turn interface {
	// refusing lets the peer send its next request, which may follow on a refusal at
	// once.
	refusing() (ended bool)
	// accepted notes when the 2xx went out.
	accepted(now time.Time) (ended bool)
	// close notes that no 2xx will go out, or that one has.
	close() (ended bool)
}

// noTurn is that of a request which has to wait for another one.
type noTurn struct{}

func (noTurn) refusing() bool          { return false }
func (noTurn) accepted(time.Time) bool { return false }
func (noTurn) close() bool             { return false }

// inviteTurn is that of a re-INVITE. A refusal ends it when it has been sent, so that
// a re-INVITE of ours does not overtake it.
type inviteTurn struct {
	dialog *dialogset.Dialog
	invite *dialogset.PeerInvite
}

func (t *inviteTurn) refusing() bool {
	t.dialog.Refusing(t.invite)
	return false
}

func (t *inviteTurn) accepted(now time.Time) bool {
	t.dialog.Answered(t.invite, now)
	return false
}

func (t *inviteTurn) close() bool {
	t.dialog.CloseInvite(t.invite)
	return true
}

// updateTurn is that of an UPDATE.
type updateTurn struct {
	dialog *dialogset.Dialog
	ended  atomic.Bool
}

func (t *updateTurn) refusing() bool          { return t.close() }
func (t *updateTurn) accepted(time.Time) bool { return t.close() }

func (t *updateTurn) close() bool {
	if t.ended.Swap(true) {
		return false
	}
	t.dialog.CloseUpdate()
	return true
}
