package server

import (
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

func inviteTurnOf(t *testing.T, d *dialogset.Dialog) *inviteTurn {
	t.Helper()
	invite, clash := d.OpenInvite(5)
	if clash != dialogset.NoClash {
		t.Fatalf("an INVITE where nothing else is clashes: %v", clash)
	}
	return &inviteTurn{d, invite}
}

func wantBusy(t *testing.T, what string, d *dialogset.Dialog, busy, unconfirmed bool) {
	t.Helper()
	if b, u := d.Busy(); b != busy || u != unconfirmed {
		t.Errorf("%s: busy %t, unconfirmed %t; want %t, %t", what, b, u, busy, unconfirmed)
	}
}

// RFC 3261 §14.2: one INVITE at a time. The peer may follow on a refusal at once, while
// ours waits until it has been sent.
func TestInviteTurnRefused(t *testing.T) {
	var d dialogset.Dialog
	turn := inviteTurnOf(t, &d)
	if _, clash := d.OpenInvite(6); clash != dialogset.WithTheirs {
		t.Errorf("an INVITE beside one without a final response: %v, want WithTheirs", clash)
	}
	turn.refusing()
	wantBusy(t, "before the refusal is sent", &d, true, false)
	if clash := d.OpenUpdate(true); clash != dialogset.NoClash {
		t.Errorf("an offer right after the refusal: %v, want none", clash)
	}
	d.CloseUpdate()
	turn.close()
	wantBusy(t, "after it", &d, false, false)
}

// A 2xx ends the turn of an INVITE with its ACK.
func TestInviteTurnAccepted(t *testing.T) {
	var d dialogset.Dialog
	turn := inviteTurnOf(t, &d)
	now := time.Now()
	turn.accepted(now)
	wantBusy(t, "before the ACK", &d, true, true)
	turn.close()
	wantBusy(t, "after the handler, before the ACK", &d, true, true)
	if answered, _ := d.Acked(5); !answered.Equal(now) {
		t.Errorf("the ACK is for a 2xx of %v, want %v", answered, now)
	}
	wantBusy(t, "after the ACK", &d, false, false)
}

// RFC 3311 §5.2: one UPDATE at a time, until its final response. Its turn ends once: the
// next UPDATE may be there when its handler returns.
func TestUpdateTurn(t *testing.T) {
	for name, end := range map[string]func(turn){
		"refused":     func(t turn) { t.refusing() },
		"accepted":    func(t turn) { t.accepted(time.Now()) },
		"not at all ": func(t turn) { t.close() },
	} {
		var d dialogset.Dialog
		d.OpenUpdate(false)
		turn := &updateTurn{dialog: &d}
		if clash := d.OpenUpdate(false); clash != dialogset.WithTheirs {
			t.Errorf("%s: an UPDATE beside another: %v, want WithTheirs", name, clash)
		}
		end(turn)
		if clash := d.OpenUpdate(false); clash != dialogset.NoClash {
			t.Errorf("%s: the next UPDATE: %v, want no clash", name, clash)
		}
		turn.refusing()
		turn.accepted(time.Now())
		turn.close()
		wantBusy(t, name+": while the next one is answered", &d, true, false)
	}
}
