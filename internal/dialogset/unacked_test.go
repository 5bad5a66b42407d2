package dialogset

import (
	"testing"
	"time"
)

// An offer that has overtaken the ACK waits until the application has handled that (RFC 3261
// §14.2). Only the ACK of the INVITE that the application accepted last counts.
func TestAckToBeHad(t *testing.T) {
	var d Dialog
	if d.HadAck(0); d.AckToBeHad() != nil {
		t.Error("an ACK is awaited before any INVITE")
	}
	d.ExpectAck(1, time.Now(), time.AfterFunc(time.Hour, func() {}))
	had := d.AckToBeHad()
	if had == nil || d.AckToBeHad() != had {
		t.Fatal("two that wait have not the same channel")
	}
	if d.HadAck(2); closed(had) || d.AckToBeHad() != had {
		t.Error("the ACK of another INVITE counts")
	}
	if d.HadAck(1); !closed(had) || d.AckToBeHad() != nil {
		t.Error("after its ACK the INVITE still has one to come")
	}
	d.HadAck(1) // sent again
}

// Nobody need wait for an ACK, and the application sees none of a re-INVITE answered here.
func TestAckNotToBeHad(t *testing.T) {
	var d Dialog
	d.ExpectAck(1, time.Now(), time.AfterFunc(time.Hour, func() {}))
	if d.HadAck(1); d.AckToBeHad() != nil {
		t.Error("an ACK that nobody waited for is still to come")
	}
	ours, _ := d.OpenInvite(2)
	d.AnswerHere(ours)
	if d.Answered(ours, time.Now()); d.AckToBeHad() != nil {
		t.Error("the application is to get the ACK of an INVITE answered here")
	}
	theirs, _ := d.OpenInvite(3)
	d.Answered(theirs, time.Now())
	if had := d.AckToBeHad(); had == nil {
		t.Error("the application is to get no ACK of the INVITE that it answered")
	} else if d.HadAck(3); !closed(had) {
		t.Error("it has had that ACK, and it is still to come")
	}
}
