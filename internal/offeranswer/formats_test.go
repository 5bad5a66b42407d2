package offeranswer

import (
	"strings"
	"testing"
)

// stream is a stream from its lines, which are set apart by commas.
func stream(lines string) media { return strings.Split(lines, ",") }

// RFC 3264 §6.1: an answer has the formats that the offer has too, under our numbers and in our
// order, with what is said about them. Ours is left as it is.
func TestNarrowed(t *testing.T) {
	for _, c := range []struct{ rule, ours, offer, want string }{
		{"all fit", "m=audio 4000 RTP/AVP 8 0,a=ptime:20", "m=audio 5000 RTP/AVP 0 8 9", "m=audio 4000 RTP/AVP 8 0,a=ptime:20"},
		{"some fit", "m=audio 4000 RTP/AVP 8 0 18,a=fmtp:18 annexb=no,a=ptime:20", "m=audio 5000 RTP/AVP 0 8", "m=audio 4000 RTP/AVP 8 0,a=ptime:20"},
		{"none fits", "m=audio 4000 RTP/AVP 8", "m=audio 5000 RTP/AVP 0", ""},
		{"everything about one that does not fit goes", "m=video 4000 RTP/AVPF 96 97,a=rtpmap:96 VP8/90000,a=rtpmap:97 H264/90000,a=fmtp:97 p=1,a=rtcp-fb:97 nack,a=rtcp-fb:96 nack",
			"m=video 5000 RTP/AVPF 100,a=rtpmap:100 VP8/90000", "m=video 4000 RTP/AVPF 96,a=rtpmap:96 VP8/90000,a=rtcp-fb:96 nack"},
		{"what is about all formats, or about none of the stream, stays", "m=video 4000 RTP/AVPF 96 97,a=rtpmap:96 VP8/90000,a=rtcp-fb:* pli,a=fmtp:120 x,a=rtpmap:97 H264/90000",
			"m=video 5000 RTP/AVPF 96,a=rtpmap:96 VP8/90000", "m=video 4000 RTP/AVPF 96,a=rtpmap:96 VP8/90000,a=rtcp-fb:* pli,a=fmtp:120 x"},
		{"a number that means something else", "m=audio 4000 RTP/AVP 96,a=rtpmap:96 opus/48000/2", "m=audio 5000 RTP/AVP 96,a=rtpmap:96 speex/8000", ""},
		{"no formats at all", "m=audio 4000 RTP/AVP", "m=audio 5000 RTP/AVP 0", ""},
	} {
		ours := stream(c.ours)
		got, ok := ours.narrowed(stream(c.offer))
		if strings.Join(got, ",") != c.want || ok != (c.want != "") || strings.Join(ours, ",") != c.ours {
			t.Errorf("%s: %q, %v; want %q; ours is %q now", c.rule, got, ok, c.want, ours)
		}
	}
	ours := stream("m=audio 4000 RTP/AVP 0")
	if got, _ := ours.narrowed(ours); &got[0] == &ours[0] {
		t.Error("a stream that fits shares its lines with ours")
	}
}

// RFC 3551 §6: a static number and the rtpmap that spells it out are the same. Names are compared
// without regard to case (RFC 4855 §3), and one channel need not be said (RFC 8866 §6.6).
func TestCodec(t *testing.T) {
	m := stream("m=audio 4000 RTP/AVP 0 8,a=rtpmap:0 PCMU/8000/1,a=rtpmap:96 opus/48000/2,a=rtpmap:97  L16/44100/1 ,a=rtpmap:98 L16/44100,a=rtpmap:9 G722/16000,a=rtpmap:1 x")
	for format, want := range map[string]string{
		"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000", "96": "OPUS/48000/2", "97": "L16/44100", "98": "L16/44100", "99": "99", "t38": "t38", "": "",
	} {
		if got := m.codec(format); got != want {
			t.Errorf("%q: %q, want %q", format, got, want)
		}
	}
	for _, number := range []string{"0", "3", "4", "8", "9", "13", "15", "18"} {
		if spelt := (media{"m=audio 1 RTP/AVP 96", "a=rtpmap:96 " + strings.ToLower(static[number])}); spelt.codec("96") != m.codec(number) {
			t.Errorf("%s is %q, and spelt out %q", number, m.codec(number), spelt.codec("96"))
		}
	}
}

// RFC 4568 §5.1.2: an answer has one crypto line, with a tag and suite of the offer and our key:
// the pair in force, else the first of the offer that we have.
func TestKeyed(t *testing.T) {
	for _, c := range []struct{ rule, ours, offer, want string }{
		{"none offered", "m=a,a=crypto:1 S inline:A,a=x,a=crypto:2 T inline:B", "m=b", "m=a,a=x"},
		{"none anywhere", "m=a,a=x", "m=b", "m=a,a=x"},
		{"none of ours", "m=a", "m=b,a=crypto:1 S inline:C", ""},
		{"another suite", "m=a,a=crypto:1 S inline:A", "m=b,a=crypto:1 T inline:C", ""},
		{"the pair in force", "m=a,a=crypto:2 S inline:A", "m=b,a=crypto:1 S inline:C,a=crypto:2 S inline:D", "m=a,a=crypto:2 S inline:A"},
		{"else the first choice of the peer", "m=a,a=crypto:7 T inline:B,a=crypto:8 S inline:A", "m=b,a=crypto:1 S inline:C,a=crypto:2 T inline:D", "m=a,a=crypto:1 S inline:A"},
		{"with the parameters of our key, in place", "m=a,a=crypto:1 s inline:A|2^20 FEC_ORDER=FEC_SRTP,a=x", "m=b,a=crypto:3 S inline:C", "m=a,a=crypto:3 S inline:A|2^20 FEC_ORDER=FEC_SRTP,a=x"},
		{"a broken one counts as none", "m=a,a=crypto:1 S inline:A", "m=b,a=crypto:1 S", "m=a"},
	} {
		ours := stream(c.ours)
		got, ok := ours.keyed(stream(c.offer))
		if strings.Join(got, ",") != c.want || ok != (c.want != "") || strings.Join(ours, ",") != c.ours {
			t.Errorf("%s: %q, %v; want %q; ours is %q now", c.rule, got, ok, c.want, ours)
		}
	}
}
