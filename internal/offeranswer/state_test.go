package offeranswer

import "testing"

// step is a message of a test: who sends it, and what it is.
type step struct {
	by       Party
	method   string
	cseq     uint32
	status   int
	reliable bool
	body     string // a description by name; empty for none
}

func (st step) message() Message {
	m := Message{Method: st.method, CSeq: st.cseq, Status: st.status, Reliable: st.reliable}
	if st.body != "" {
		m.Type, m.Body = SDP, sdp(st.body)
	}
	return m
}

// D-30: each rule, by itself.
func TestAfter(t *testing.T) {
	for _, c := range []struct {
		rule  string
		steps []step
		want  string // ours/peers, with * behind whoever offered
	}{
		{"RFC 3261 §13.2.1: offer in the INVITE, answer in the 2xx", []step{
			{by: Us, method: "INVITE", cseq: 1, body: "a"},
			{by: Peer, method: "INVITE", cseq: 1, status: 200, body: "p"},
			{by: Us, method: "ACK", cseq: 1},
		}, "a*/p"},
		{"the same, called", []step{
			{by: Peer, method: "INVITE", cseq: 1, body: "p"},
			{by: Us, method: "INVITE", cseq: 1, status: 200, body: "a"},
			{by: Peer, method: "ACK", cseq: 1},
		}, "a/p*"},
		{"late offer: in the 2xx, answer in the ACK", []step{
			{by: Us, method: "INVITE", cseq: 1},
			{by: Peer, method: "INVITE", cseq: 1, status: 200, body: "p"},
			{by: Us, method: "ACK", cseq: 1, body: "a"},
		}, "a/p*"},
		{"late offer, called", []step{
			{by: Peer, method: "INVITE", cseq: 1},
			{by: Us, method: "INVITE", cseq: 1, status: 200, body: "a"},
			{by: Peer, method: "ACK", cseq: 1, body: "p"},
		}, "a*/p"},
		{"RFC 3261 §13.2.1: an early answer is what the 2xx without one says", []step{
			{by: Us, method: "INVITE", cseq: 1, body: "a"},
			{by: Peer, method: "INVITE", cseq: 1, status: 183, body: "p"},
			{by: Peer, method: "INVITE", cseq: 1, status: 200},
		}, "a*/p"},
		{"an early answer that nobody acknowledges is not one yet", []step{
			{by: Us, method: "INVITE", cseq: 1, body: "a"},
			{by: Peer, method: "INVITE", cseq: 1, status: 183, body: "p"},
		}, "/"},
		{"the 2xx decides where the early one said something else", []step{
			{by: Us, method: "INVITE", cseq: 1, body: "a"},
			{by: Peer, method: "INVITE", cseq: 1, status: 183, body: "p"},
			{by: Peer, method: "INVITE", cseq: 1, status: 200, body: "q"},
		}, "a*/q"},
		{"RFC 3262 §5: the answer in a reliable 18x is final", []step{
			{by: Us, method: "INVITE", cseq: 1, body: "a"},
			{by: Peer, method: "INVITE", cseq: 1, status: 183, reliable: true, body: "p"},
			{by: Us, method: "PRACK", cseq: 2},
			{by: Peer, method: "PRACK", cseq: 2, status: 200},
			{by: Peer, method: "INVITE", cseq: 1, status: 200, body: "q"},
			{by: Us, method: "ACK", cseq: 1},
		}, "a*/p"},
		{"RFC 3262 §5: offer in a reliable 18x, answer in the PRACK", []step{
			{by: Us, method: "INVITE", cseq: 1},
			{by: Peer, method: "INVITE", cseq: 1, status: 183, reliable: true, body: "p"},
			{by: Us, method: "PRACK", cseq: 2, body: "a"},
			{by: Peer, method: "PRACK", cseq: 2, status: 200},
			{by: Peer, method: "INVITE", cseq: 1, status: 200},
			{by: Us, method: "ACK", cseq: 1},
		}, "a/p*"},
		{"the same, called", []step{
			{by: Peer, method: "INVITE", cseq: 1},
			{by: Us, method: "INVITE", cseq: 1, status: 183, reliable: true, body: "a"},
			{by: Peer, method: "PRACK", cseq: 2, body: "p"},
			{by: Us, method: "PRACK", cseq: 2, status: 200},
		}, "a*/p"},
		{"RFC 3262 §5: an offer in a PRACK, answered in its 2xx", []step{
			{by: Us, method: "INVITE", cseq: 1, body: "a"},
			{by: Peer, method: "INVITE", cseq: 1, status: 183, reliable: true, body: "p"},
			{by: Us, method: "PRACK", cseq: 2, body: "b"},
			{by: Peer, method: "PRACK", cseq: 2, status: 200, body: "q"},
		}, "b*/q"},
		{"RFC 3311 §5.1: an UPDATE before the call is answered", []step{
			{by: Us, method: "INVITE", cseq: 1, body: "a"},
			{by: Peer, method: "INVITE", cseq: 1, status: 183, reliable: true, body: "p"},
			{by: Peer, method: "UPDATE", cseq: 7, body: "q"},
			{by: Us, method: "UPDATE", cseq: 7, status: 200, body: "b"},
			{by: Peer, method: "INVITE", cseq: 1, status: 200},
		}, "b/q*"},
		{"the answer in a 2xx to UPDATE", established(
			step{by: Us, method: "UPDATE", cseq: 2, body: "b"},
			step{by: Peer, method: "UPDATE", cseq: 2, status: 200, body: "q"}), "b*/q"},
		{"RFC 3311 §5.1: a description in the 2xx to an UPDATE without one means nothing", established(
			step{by: Us, method: "UPDATE", cseq: 2},
			step{by: Peer, method: "UPDATE", cseq: 2, status: 200, body: "q"}), "a*/p"},
		{"the same, called", established(
			step{by: Peer, method: "UPDATE", cseq: 2},
			step{by: Us, method: "UPDATE", cseq: 2, status: 200, body: "b"}), "a*/p"},
		{"RFC 3261 §14.1: a refused re-INVITE changes nothing", established(
			step{by: Us, method: "INVITE", cseq: 2, body: "b"},
			step{by: Peer, method: "INVITE", cseq: 2, status: 488}), "a*/p"},
		{"another INVITE that is refused takes nothing back of the one that is pending", established(
			step{by: Us, method: "INVITE", cseq: 3, body: "b"},
			step{by: Peer, method: "INVITE", cseq: 3, status: 183, reliable: true, body: "q"},
			step{by: Peer, method: "INVITE", cseq: 2, status: 500}), "b*/q"},
		{"a refused UPDATE changes nothing", established(
			step{by: Peer, method: "UPDATE", cseq: 2, body: "q"},
			step{by: Us, method: "UPDATE", cseq: 2, status: 488}), "a*/p"},
		{"a cancelled re-INVITE changes nothing, though it rang with a description", established(
			step{by: Peer, method: "INVITE", cseq: 2, body: "q"},
			step{by: Us, method: "INVITE", cseq: 2, status: 183, body: "b"},
			step{by: Us, method: "INVITE", cseq: 2, status: 487}), "a*/p"},
		{"RFC 3261 §14.1: offers that cross are both refused", established(
			step{by: Us, method: "INVITE", cseq: 2, body: "b"},
			step{by: Peer, method: "INVITE", cseq: 9, body: "q"},
			step{by: Us, method: "INVITE", cseq: 9, status: 491},
			step{by: Peer, method: "INVITE", cseq: 2, status: 491}), "a*/p"},
		{"of offers that cross the accepted one counts", established(
			step{by: Us, method: "UPDATE", cseq: 2, body: "b"},
			step{by: Peer, method: "UPDATE", cseq: 9, body: "q"},
			step{by: Us, method: "UPDATE", cseq: 9, status: 491},
			step{by: Peer, method: "UPDATE", cseq: 2, status: 200, body: "r"}), "b*/r"},
		{"a late offer that the ACK does not answer changes nothing", established(
			step{by: Us, method: "INVITE", cseq: 2},
			step{by: Peer, method: "INVITE", cseq: 2, status: 200, body: "q"},
			step{by: Us, method: "ACK", cseq: 2}), "a*/p"},
		{"RFC 6141 §3.4: what was agreed while a re-INVITE was pending goes with it", established(
			step{by: Peer, method: "INVITE", cseq: 2, body: "q"},
			step{by: Us, method: "INVITE", cseq: 2, status: 183, reliable: true, body: "b"},
			step{by: Peer, method: "PRACK", cseq: 3, body: "r"},
			step{by: Us, method: "PRACK", cseq: 3, status: 200, body: "c"},
			step{by: Us, method: "INVITE", cseq: 2, status: 487}), "a*/p"},
		{"and stays if it is accepted", established(
			step{by: Peer, method: "INVITE", cseq: 2, body: "q"},
			step{by: Us, method: "INVITE", cseq: 2, status: 183, reliable: true, body: "b"},
			step{by: Us, method: "INVITE", cseq: 2, status: 200},
			step{by: Peer, method: "ACK", cseq: 2},
			step{by: Peer, method: "INVITE", cseq: 3, body: "r"},
			step{by: Us, method: "INVITE", cseq: 3, status: 500}), "b/q*"},
		{"an UPDATE behind a promise is the later word", []step{
			{by: Us, method: "INVITE", cseq: 1, body: "a"},
			{by: Peer, method: "INVITE", cseq: 1, status: 183, body: "p"},
			{by: Peer, method: "UPDATE", cseq: 7, body: "q"},
			{by: Us, method: "UPDATE", cseq: 7, status: 200, body: "b"},
			{by: Peer, method: "INVITE", cseq: 1, status: 200, body: "q"},
		}, "b/q*"},
		{"and also where the promise is read after it", []step{
			{by: Us, method: "INVITE", cseq: 1, body: "a"},
			{by: Peer, method: "UPDATE", cseq: 7, body: "q"},
			{by: Us, method: "UPDATE", cseq: 7, status: 200, body: "b"},
			{by: Peer, method: "INVITE", cseq: 1, status: 183, body: "p"},
			{by: Peer, method: "INVITE", cseq: 1, status: 200},
		}, "b/q*"},
		{"an offer that was sent to two places is answered by either", established(
			step{by: Us, method: "INVITE", cseq: 2, body: "b"},
			step{by: Us, method: "INVITE", cseq: 3, body: "b"},
			step{by: Peer, method: "INVITE", cseq: 2, status: 200, body: "q"},
			step{by: Peer, method: "INVITE", cseq: 3, status: 408}), "b*/q"},
		{"and by the second, when the first is over", established(
			step{by: Us, method: "INVITE", cseq: 2, body: "b"},
			step{by: Us, method: "INVITE", cseq: 3, body: "b"},
			step{by: Peer, method: "INVITE", cseq: 2, status: 408},
			step{by: Peer, method: "INVITE", cseq: 3, status: 200, body: "q"}), "b*/q"},
		{"another offer is not answered by what answers the one before", established(
			step{by: Us, method: "INVITE", cseq: 2, body: "b"},
			step{by: Us, method: "INVITE", cseq: 3, body: "c"},
			step{by: Peer, method: "INVITE", cseq: 2, status: 200, body: "q"},
			step{by: Peer, method: "INVITE", cseq: 3, status: 408}), "a*/p"},
		{"of INVITEs that cross the accepted one counts, also with a late offer", established(
			step{by: Us, method: "INVITE", cseq: 2},
			step{by: Peer, method: "INVITE", cseq: 2, body: "q"},
			step{by: Us, method: "INVITE", cseq: 2, status: 491},
			step{by: Peer, method: "INVITE", cseq: 2, status: 200, body: "r"},
			step{by: Us, method: "ACK", cseq: 2, body: "b"}), "b/r*"},
		{"a late offer whose ACK was lost is over with the next INVITE", established(
			step{by: Peer, method: "INVITE", cseq: 2},
			step{by: Us, method: "INVITE", cseq: 2, status: 200, body: "b"},
			step{by: Peer, method: "INVITE", cseq: 3},
			step{by: Us, method: "INVITE", cseq: 3, status: 488},
			step{by: Us, method: "UPDATE", cseq: 4, body: "c"},
			step{by: Peer, method: "UPDATE", cseq: 4, status: 200, body: "q"}), "c*/q"},
		{"a challenged INVITE is answered in its next transaction", []step{
			{by: Us, method: "INVITE", cseq: 1, body: "a"},
			{by: Peer, method: "INVITE", cseq: 1, status: 407},
			{by: Us, method: "INVITE", cseq: 2, body: "b"},
			{by: Peer, method: "INVITE", cseq: 2, status: 200, body: "p"},
		}, "b*/p"},
		{"a 2xx that owes the answer: the offer is all there is", []step{
			{by: Us, method: "INVITE", cseq: 1, body: "a"},
			{by: Peer, method: "INVITE", cseq: 1, status: 200},
		}, "a*/"},
		{"and later what was agreed stays", established(
			step{by: Us, method: "UPDATE", cseq: 2, body: "b"},
			step{by: Peer, method: "UPDATE", cseq: 2, status: 200}), "a*/p"},
		{"a 2xx and an ACK that come again", established(
			step{by: Peer, method: "INVITE", cseq: 1, status: 200, body: "q"},
			step{by: Us, method: "ACK", cseq: 1, body: "b"}), "a*/p"},
		{"other methods carry none", established(
			step{by: Us, method: "INFO", cseq: 2, body: "b"},
			step{by: Peer, method: "INFO", cseq: 2, status: 200, body: "q"}), "a*/p"},
	} {
		var s State
		for _, st := range c.steps {
			s = s.After(st.by, st.message())
		}
		ours, peers := name(s.Agreed.Ours), name(s.Agreed.Peers)
		if got := ours + star(s.Agreed.WeOffered && ours != "") + "/" + peers + star(!s.Agreed.WeOffered && peers != ""); got != c.want {
			t.Errorf("%s: agreed %s, want %s", c.rule, got, c.want)
		}
	}
}

// established is a call that we made, and what follows.
func established(steps ...step) []step {
	return append([]step{
		{by: Us, method: "INVITE", cseq: 1, body: "a"},
		{by: Peer, method: "INVITE", cseq: 1, status: 200, body: "p"},
		{by: Us, method: "ACK", cseq: 1},
	}, steps...)
}

func star(b bool) string {
	if b {
		return "*"
	}
	return ""
}

func TestOffering(t *testing.T) {
	s := State{}.After(Us, Message{Method: "INVITE", CSeq: 1, Type: SDP, Body: sdp("a")})
	if !s.Offering(Us) || s.Offering(Peer) || !s.Open() {
		t.Error("an INVITE with an offer: ours is open, and no other")
	}
	s = s.After(Peer, Message{Method: "INVITE", CSeq: 1, Status: 408})
	if s.Offering(Us) || s.Open() {
		t.Error("refused: no offer is open")
	}
	s = s.After(Us, Message{Method: "INVITE", CSeq: 2})
	if s.Offering(Us) || !s.Open() {
		t.Error("an INVITE without an offer: one may come")
	}
}
