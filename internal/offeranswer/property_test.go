package offeranswer

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/sipgo-contrib/sessiontimer/internal/sdpcheck"
)

// D-13, D-29, D-30: TestTwoEnds lets two ends that keep their state here make random exchanges of
// offers and answers, and refresh in between. Both always agree on the same, and
// what either sends as a refresh or as the answer to one is what RFC 3264 allows.
func TestTwoEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &couple{T: t}
		c.exchange(0, "INVITE")
		if len(c.ends[0].Agreed.Ours.Body) == 0 {
			t.Skip("the call was refused")
		}
		t.Repeat(map[string]func(*rapid.T){
			"change": func(t *rapid.T) {
				c.T = t
				c.exchange(rapid.IntRange(0, 1).Draw(t, "who"), rapid.SampledFrom([]string{"INVITE", "UPDATE", "LATE"}).Draw(t, "how"))
			},
			"refresh": func(t *rapid.T) { c.T = t; c.refresh(rapid.IntRange(0, 1).Draw(t, "who")) },
			"":        func(t *rapid.T) { c.T = t; c.agree() },
		})
	})
}

// couple is two ends; each sees itself as Us.
type couple struct {
	*rapid.T
	ends    [2]State
	cseq    uint32
	version int
}

// say lets an end send a message, which both note.
func (c *couple) say(who int, m Message) {
	c.ends[who] = c.ends[who].After(Us, m)
	c.ends[1-who] = c.ends[1-who].After(Peer, m)
}

// exchange is an offer of an application and the answer of the other, or a refusal.
func (c *couple) exchange(who int, how string) {
	c.cseq++
	offer := c.offer(c.ends[who].Agreed)
	m := Message{Method: how, CSeq: c.cseq, Type: SDP, Body: offer}
	accepted := rapid.IntRange(0, 3).Draw(c.T, "accepted") > 0
	if how == "LATE" {
		c.say(1-who, Message{Method: "INVITE", CSeq: c.cseq})
		if !accepted {
			c.say(who, Message{Method: "INVITE", CSeq: c.cseq, Status: 488})
			return
		}
		c.say(who, Message{Method: "INVITE", CSeq: c.cseq, Status: 200, Type: SDP, Body: offer})
		c.say(1-who, Message{Method: "ACK", CSeq: c.cseq, Type: SDP, Body: c.answer(offer)})
		return
	}
	c.say(who, m)
	if !accepted {
		c.say(1-who, Message{Method: how, CSeq: c.cseq, Status: 488})
		return
	}
	answer := c.answer(offer)
	if how == "INVITE" && rapid.Bool().Draw(c.T, "early") {
		reliable := rapid.Bool().Draw(c.T, "reliable")
		c.say(1-who, Message{Method: how, CSeq: c.cseq, Status: 183, Reliable: reliable, Type: SDP, Body: answer})
		if reliable || rapid.Bool().Draw(c.T, "once") {
			c.say(1-who, Message{Method: how, CSeq: c.cseq, Status: 200})
			return
		}
	}
	c.say(1-who, Message{Method: how, CSeq: c.cseq, Status: 200, Type: SDP, Body: answer})
}

// refresh is a re-INVITE of the library, answered by the library at the other end
// where it can be.
func (c *couple) refresh(who int) {
	c.cseq++
	me, other := c.ends[who].Agreed, c.ends[1-who].Agreed
	offer := me.Reoffer()
	if bad := sdpcheck.OfferFault(me.Ours.Body, offer.Body); bad != "" {
		c.Fatalf("refresh: %s\nafter\n%s\noffered\n%s", bad, me.Ours.Body, offer.Body)
	}
	c.say(who, Message{Method: "INVITE", CSeq: c.cseq, Type: SDP, Body: offer.Body})
	answer := Description{}
	if other.Repeats(offer) {
		var ok bool
		if answer, ok = other.Answer(offer); !ok {
			c.Fatalf("an offer that changes nothing is not answered\nours\n%s\noffer\n%s", other.Ours.Body, offer.Body)
		}
		if bad := sdpcheck.VersionFault(other.Ours.Body, answer.Body); bad != "" {
			c.Fatalf("answer: %s", bad)
		}
	} else {
		answer.Body = c.answer(offer.Body)
	}
	if bad := sdpcheck.AnswerFault(offer.Body, answer.Body); bad != "" {
		c.Fatalf("%s\nours\n%s\npeers\n%s\noffer\n%s\nanswer\n%s", bad, other.Ours.Body, other.Peers.Body, offer.Body, answer.Body)
	}
	c.say(1-who, Message{Method: "INVITE", CSeq: c.cseq, Status: 200, Type: SDP, Body: answer.Body})
	c.say(who, Message{Method: "ACK", CSeq: c.cseq})
}

// agree checks that both ends agree on the same.
func (c *couple) agree() {
	a, b := c.ends[0].Agreed, c.ends[1].Agreed
	if !a.Ours.Equal(b.Peers) || !a.Peers.Equal(b.Ours) || a.WeOffered == b.WeOffered {
		c.Fatalf("one end agreed on\n%s\n%s\nthe other on\n%s\n%s", a.Ours.Body, a.Peers.Body, b.Peers.Body, b.Ours.Body)
	}
	for i := range c.ends {
		if c.ends[i].Offering(Us) || c.ends[i].Offering(Peer) {
			c.Fatal("an offer is left open")
		}
	}
}

// draw draws from the test's own source.
func (c *couple) draw(n int) int { return rapid.IntRange(0, n-1).Draw(c.T, "draw") }

func (c *couple) offer(now Agreed) []byte {
	c.version++
	return sdpcheck.Random(c.draw).Offer("o", 100*c.version, now.Ours.Body)
}

func (c *couple) answer(offer []byte) []byte {
	c.version++
	return sdpcheck.Random(c.draw).Answer("a", 100*c.version, offer)
}
