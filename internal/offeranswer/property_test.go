package offeranswer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestTwoEnds lets two ends that keep their state here make random exchanges of
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
	if bad := versionFault(me.Ours, offer); bad != "" {
		c.Fatalf("refresh: %s\nafter\n%s\noffered\n%s", bad, me.Ours.Body, offer.Body)
	}
	c.say(who, Message{Method: "INVITE", CSeq: c.cseq, Type: SDP, Body: offer.Body})
	answer := Description{}
	if other.Repeats(offer) {
		var ok bool
		if answer, ok = other.Answer(offer); !ok {
			c.Fatalf("an offer that changes nothing is not answered\nours\n%s\noffer\n%s", other.Ours.Body, offer.Body)
		}
		if bad := versionFault(other.Ours, answer); bad != "" {
			c.Fatalf("answer: %s", bad)
		}
	} else {
		answer.Body = c.answer(offer.Body)
	}
	if bad := answerFault(offer.Body, answer.Body); bad != "" {
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

// offer draws what an application may offer: the streams that there are, each
// maybe changed, and one more at times (RFC 3264 §8).
func (c *couple) offer(now Agreed) []byte {
	c.version++
	kinds := []string{"audio"}
	if len(now.Ours.Body) > 0 {
		kinds = kinds[:0]
		for _, m := range parse(now.Ours.Body).media {
			kind, _, _, _ := m.fields()
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) < 3 && rapid.Bool().Draw(c.T, "more") {
		kinds = append(kinds, rapid.SampledFrom([]string{"audio", "video"}).Draw(c.T, "kind"))
	}
	lines := []string{"v=0", fmt.Sprintf("o=- 1 %d IN IP4 192.0.2.1", 100*c.version), "s=-", "c=IN IP4 192.0.2.1", "t=0 0"}
	dtls := rapid.Bool().Draw(c.T, "dtls")
	for i, kind := range kinds {
		formats := someOf(c.T, "0", "8", "101")
		lines = append(lines, fmt.Sprintf("m=%s %d RTP/AVP %s", kind, c.port(i), strings.Join(formats, " ")))
		if slices.Contains(formats, "101") {
			lines = append(lines, "a=rtpmap:101 telephone-event/8000")
		}
		lines = append(lines, "a="+rapid.SampledFrom(directionNames[:]).Draw(c.T, "direction"))
		if dtls {
			lines = append(lines, "a=fingerprint:x", "a=setup:"+rapid.SampledFrom([]string{"actpass", "active", "passive"}).Draw(c.T, "role"))
		}
		for tag, suite := range someOf(c.T, "S80", "S32") {
			lines = append(lines, fmt.Sprintf("a=crypto:%d %s inline:%d", tag+1, suite, c.version))
		}
	}
	return []byte(strings.Join(append(lines, ""), "\r\n"))
}

func (c *couple) port(i int) int {
	if rapid.IntRange(0, 5).Draw(c.T, "off") == 0 {
		return 0
	}
	return 4000 + 2*i
}

// answer draws what an application may answer (RFC 3264 §6).
func (c *couple) answer(offer []byte) []byte {
	c.version++
	o := parse(offer)
	lines := []string{"v=0", fmt.Sprintf("o=- 2 %d IN IP4 192.0.2.2", 100*c.version), "s=-", "c=IN IP4 192.0.2.2", "t=0 0"}
	for i, m := range o.media {
		kind, port, proto, formats := m.fields()
		if port == "0" || c.port(i) == 0 {
			lines = append(lines, fmt.Sprintf("m=%s 0 %s %s", kind, proto, strings.Join(formats, " ")))
			continue
		}
		formats = someOf(c.T, formats...)
		lines = append(lines, fmt.Sprintf("m=%s %d %s %s", kind, 5000+2*i, proto, strings.Join(formats, " ")))
		if slices.Contains(formats, "101") {
			lines = append(lines, "a=rtpmap:101 telephone-event/8000")
		}
		d := direction(rapid.IntRange(0, 3).Draw(c.T, "direction")) & o.directionOf(i).mirrored()
		lines = append(lines, "a="+directionNames[d])
		switch role, _ := attribute(m, "setup"); role {
		case "actpass":
			lines = append(lines, "a=fingerprint:y", "a=setup:"+rapid.SampledFrom([]string{"active", "passive"}).Draw(c.T, "role"))
		case "active":
			lines = append(lines, "a=fingerprint:y", "a=setup:passive")
		case "passive":
			lines = append(lines, "a=fingerprint:y", "a=setup:active")
		}
		if offered := cryptoOf(m); len(offered) > 0 {
			o := rapid.SampledFrom(offered).Draw(c.T, "crypto")
			lines = append(lines, fmt.Sprintf("a=crypto:%s %s inline:%d", o.tag, o.suite, c.version))
		}
	}
	return []byte(strings.Join(append(lines, ""), "\r\n"))
}

// someOf draws one or more of the values, in their order.
func someOf(t *rapid.T, values ...string) []string {
	mask := rapid.IntRange(1, 1<<len(values)-1).Draw(t, "some")
	var out []string
	for i, v := range values {
		if mask>>i&1 == 1 {
			out = append(out, v)
		}
	}
	return out
}

// answerFault says what RFC 3264 forbids of an answer; empty for nothing.
func answerFault(offer, answer []byte) string {
	o, a := parse(offer), parse(answer)
	if len(o.media) != len(a.media) {
		return fmt.Sprintf("§6: %d streams answered by %d", len(o.media), len(a.media))
	}
	for i := range o.media {
		kind, port, proto, formats := o.media[i].fields()
		kind2, port2, proto2, formats2 := a.media[i].fields()
		switch {
		case kind != kind2 || proto != proto2:
			return fmt.Sprintf("§6: %s answered by %s", o.media[i][0], a.media[i][0])
		case port == "0" && port2 != "0":
			return "§6: a stream that is off was taken"
		case port2 == "0":
			continue
		}
		for _, f := range formats2 {
			if !slices.Contains(formats, f) {
				return "§6.1: format " + f + " was not offered"
			}
		}
		if d := a.directionOf(i); d&^o.directionOf(i).mirrored() != 0 {
			return fmt.Sprintf("§6.1: %s answered by %s", directionNames[o.directionOf(i)], directionNames[d])
		}
		role, _ := attribute(o.media[i], "setup")
		role2, _ := attribute(a.media[i], "setup")
		if role != role2 && (role == "" || !chosen(role2)) || role == role2 && role != "" {
			return fmt.Sprintf("RFC 4145 §4.1: setup %q answered by %q", role, role2)
		}
		offered, taken := cryptoOf(o.media[i]), cryptoOf(a.media[i])
		if len(taken) != min(1, len(offered)) {
			return fmt.Sprintf("RFC 4568 §5.1.2: %d crypto lines answered by %d", len(offered), len(taken))
		}
		for _, k := range taken {
			if !slices.ContainsFunc(offered, func(o crypto) bool { return o.tag == k.tag && o.suite == k.suite }) {
				return "RFC 4568 §5.1.2: crypto " + k.tag + " was not offered"
			}
		}
	}
	return ""
}

// versionFault says whether a description breaks RFC 3264 §8: the same version for
// the same words, a later one for others.
func versionFault(before, after Description) string {
	v := func(d Description) string {
		_, rest, _ := strings.Cut(string(d.Body), "o=")
		line, _, _ := strings.Cut(rest, "\r\n")
		return line
	}
	if before.Equal(after) != (v(before) == v(after)) {
		return fmt.Sprintf("§8: version %q became %q", v(before), v(after))
	}
	return ""
}
