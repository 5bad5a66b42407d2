package dialogset

import (
	"fmt"
	"testing"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// However many parties ring with a session description, those of eight are kept, and those
// of one party count once.
func TestRingingKept(t *testing.T) {
	invite := New().Open("call", "us").Invite(sessiontimer.DefaultPolicy())
	invite.Invites(offeranswer.Message{Method: "INVITE", Type: offeranswer.SDP, Body: []byte("v=0\r\n"), CSeq: 1})
	ring := func(party int) {
		invite.Said(offeranswer.Peer, offeranswer.Message{Method: "INVITE", Status: 183, Type: offeranswer.SDP, Body: []byte("v=0\r\n"), CSeq: 1}, fmt.Sprint(party))
	}
	for i, want := range []int{1, 2, 3, 4, 5, 6, 7, 8, 8, 8} {
		ring(i)
		ring(i)
		if got := len(invite.ringing); got != want {
			t.Errorf("of %d parties %d are kept, want %d", i+1, got, want)
		}
	}
}
