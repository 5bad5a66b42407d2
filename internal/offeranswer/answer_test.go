package offeranswer

import (
	"strings"
	"testing"
)

// D-29: each rule, by itself.
func TestAnswer(t *testing.T) {
	type lines = []string
	for _, c := range []struct {
		rule                string
		ours, peers, offer  lines // offer nil: the peer's again
		want                lines // the m= and a= lines; nil: as ours
		weOffered, noAnswer bool
	}{
		{rule: "what fits is repeated to the byte", ours: lines{audio}, peers: lines{audio}},
		{rule: "RFC 3264 §6.1: sendonly", ours: lines{audio, "a=sendrecv"}, peers: lines{audio, "a=sendonly"}, want: lines{audio, "a=recvonly"}},
		{rule: "recvonly", ours: lines{audio}, peers: lines{audio, "a=recvonly"}, want: lines{audio, "a=sendonly"}},
		{rule: "inactive", ours: lines{audio, "a=sendrecv"}, peers: lines{audio, "a=inactive"}, want: lines{audio, "a=inactive"}},
		{rule: "our own hold stays", ours: lines{audio, "a=sendonly"}, peers: lines{audio, "a=recvonly"}},
		{rule: "of the session", ours: lines{"a=sendrecv", audio}, peers: lines{"a=sendonly", audio}, want: lines{"a=sendrecv", audio, "a=recvonly"}},
		{rule: "RFC 3264 §6: a refused stream stays refused", ours: lines{audio, video}, peers: lines{audio, "m=video 0 RTP/AVP 96"},
			want: lines{audio, "m=video 0 RTP/AVP 96"}},
		{rule: "one that we refused too", ours: lines{audio, "m=video 0 RTP/AVP 96"}, peers: lines{audio, video}},
		{rule: "as many streams as offered", ours: lines{audio, video}, peers: lines{audio}, want: lines{audio}},
		{rule: "also more", ours: lines{audio}, peers: lines{audio, video}, want: lines{audio, "m=video 0 RTP/AVP 96"}},
		{rule: "RFC 8843 §7.3.3: out of the bundle", ours: lines{"a=group:BUNDLE 0 1", audio, "a=mid:0", video, "a=mid:1"},
			peers: lines{"a=group:BUNDLE 0", audio, "a=mid:0", "m=video 0 RTP/AVP 96", "a=mid:1"},
			want:  lines{"a=group:BUNDLE 0", audio, "a=mid:0", "m=video 0 RTP/AVP 96", "a=mid:1"}},
		{rule: "RFC 3264 §6.1: only formats that are offered", ours: lines{"m=audio 4000 RTP/AVP 0 8 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16"},
			peers: lines{"m=audio 5000 RTP/AVP 8"}, want: lines{"m=audio 4000 RTP/AVP 8"}},
		{rule: "the same codec by another number", ours: lines{"m=audio 4000 RTP/AVP 96 97", "a=rtpmap:96 opus/48000/2", "a=rtpmap:97 speex/8000"},
			peers: lines{"m=audio 5000 RTP/AVP 107", "a=rtpmap:107 OPUS/48000/2"}, want: lines{"m=audio 4000 RTP/AVP 96", "a=rtpmap:96 opus/48000/2"}},
		{rule: "no format in common", ours: lines{audio}, peers: lines{"m=audio 5000 RTP/AVP 8"}, noAnswer: true},
		{rule: "another kind of stream", ours: lines{audio}, peers: lines{"m=image 5000 udptl t38"}, noAnswer: true},
		{rule: "a fax", ours: lines{"m=image 4000 udptl t38", "a=T38FaxVersion:0"}, peers: lines{"m=image 5000 udptl t38"}},
		{rule: "RFC 4568 §5.1.2: the crypto that was chosen", ours: lines{audio, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:A", "a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:B"},
			peers: lines{audio, "a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:C"}, want: lines{audio, "a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:B"}},
		{rule: "its tag is the offer's", ours: lines{audio, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:A"},
			peers: lines{audio, "a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:C"}, want: lines{audio, "a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:A"}},
		{rule: "of several the one in force", ours: lines{audio, "a=crypto:2 S inline:A"}, peers: lines{audio, "a=crypto:1 S inline:C", "a=crypto:2 S inline:D"}},
		{rule: "crypto that was not taken", ours: lines{audio, "a=crypto:1 S inline:A"}, peers: lines{audio}, want: lines{audio}},
		{rule: "crypto that we lack", ours: lines{audio}, peers: lines{audio, "a=crypto:1 S inline:A"}, noAnswer: true},
		{rule: "RFC 4145 §4.1: the other role", ours: lines{audio, "a=setup:actpass"}, peers: lines{audio, "a=setup:active"}, want: lines{audio, "a=setup:passive"}},
		{rule: "and the other way round", ours: lines{audio, "a=setup:actpass"}, peers: lines{audio, "a=setup:passive"}, want: lines{audio, "a=setup:active"}},
		{rule: "RFC 8842 §5.3: a choice left open gets the role in force", ours: lines{audio, "a=setup:passive"}, peers: lines{audio, "a=setup:actpass"}},
		{rule: "which the peer's last choice made", ours: lines{audio, "a=setup:actpass"}, peers: lines{audio, "a=setup:active"},
			offer: lines{audio, "a=setup:actpass"}, want: lines{audio, "a=setup:passive"}},
		{rule: "of the session", ours: lines{"a=setup:actpass", audio}, peers: lines{audio, "a=setup:active"}, want: lines{"a=setup:passive", audio}},
		{rule: "nothing of ours", noAnswer: true, peers: lines{audio}},
	} {
		a := Agreed{Peers: desc(c.peers...)}
		if c.ours != nil {
			a.Ours = desc(c.ours...)
		}
		offer := a.Peers
		if c.offer != nil {
			offer = desc(c.offer...)
		}
		if !a.Repeats(offer) {
			t.Errorf("%s: the offer changes nothing", c.rule)
		}
		got, ok := a.Answer(offer)
		if ok == c.noAnswer {
			t.Errorf("%s: answered: %v", c.rule, ok)
			continue
		}
		want := string(a.Ours.Body)
		if c.want != nil {
			want = strings.Replace(string(desc(c.want...).Body), "o=- 7 3 ", "o=- 7 4 ", 1)
		}
		if !c.noAnswer && string(got.Body) != want {
			t.Errorf("%s: answered\n%s\nwant\n%s", c.rule, got.Body, want)
		}
	}
}

// A description whose lines end with LF alone keeps them, and its other lines.
func TestAnswerLineEnds(t *testing.T) {
	lf := func(d Description) Description {
		d.Body = []byte(strings.ReplaceAll(string(d.Body), "\r\n", "\n"))
		return d
	}
	a := Agreed{Ours: lf(desc(audio, "a=sendrecv")), Peers: desc(audio, "a=sendonly")}
	want := strings.NewReplacer("\r\n", "\n", "o=- 7 3 ", "o=- 7 4 ").Replace(string(desc(audio, "a=recvonly").Body))
	if got, ok := a.Answer(a.Peers); !ok || string(got.Body) != want {
		t.Errorf("answered (%v)\n%q\nwant\n%q", ok, got.Body, want)
	}
}

// RFC 4145 §4.1: who opens the connection, if the offer and what was agreed leave it open.
func TestSetupRole(t *testing.T) {
	for _, c := range []struct{ ours, offered, before, want string }{
		{"active", "active", "", "passive"},
		{"passive", "passive", "", "active"},
		{"active", "holdconn", "", "holdconn"},
		{"active", "actpass", "passive", "active"},
		{"passive", "actpass", "active", "passive"},
		{"actpass", "actpass", "active", "passive"},
		{"actpass", "actpass", "passive", "active"},
		{"", "", "", "active"},
	} {
		if got := answering(c.ours, c.offered, c.before); got != c.want {
			t.Errorf("%q offered, ours is %q and before the peer's was %q: %q, want %q", c.offered, c.ours, c.before, got, c.want)
		}
	}
}
