package offeranswer

import (
	"strings"
	"testing"
)

// D-13: byte for byte, but for the DTLS role.
func TestReoffer(t *testing.T) {
	dtls := "a=fingerprint:sha-256 AA"
	for _, c := range []struct {
		rule       string
		ours, want []string // want nil: to the byte
	}{
		{"as it is", []string{audio, "a=recvonly"}, nil},
		{"RFC 5763 §5: an answer's role", []string{audio, dtls, "a=setup:active"}, []string{audio, dtls, "a=setup:actpass"}},
		{"the certificate of the session", []string{dtls, audio, "a=setup:passive"}, []string{dtls, audio, "a=setup:actpass"}},
		{"the role of the session", []string{dtls, "a=setup:active", audio}, []string{dtls, "a=setup:actpass", audio}},
		{"an offer's role", []string{audio, dtls, "a=setup:actpass"}, nil},
		{"a passive one too, in each stream", []string{audio, dtls, "a=setup:passive", video, dtls, "a=setup:active"}, []string{audio, dtls, "a=setup:actpass", video, dtls, "a=setup:actpass"}},
		{"only in a stream of DTLS", []string{audio, dtls, "a=setup:active", "m=image 9 TCP t38", "a=setup:passive"}, []string{audio, dtls, "a=setup:actpass", "m=image 9 TCP t38", "a=setup:passive"}},
		{"a certificate in the second stream, the role of the session", []string{"a=setup:active", "m=audio 0 RTP/AVP 0", video, dtls}, []string{"a=setup:actpass", "m=audio 0 RTP/AVP 0", video, dtls}},
		{"an offer's role, of the session", []string{dtls, "a=setup:actpass", audio}, nil},
		{"a connection on hold", []string{audio, dtls, "a=setup:holdconn"}, nil},
		{"no role at all", []string{audio, dtls}, nil},
		{"RFC 4145: media over TCP", []string{"m=image 9 TCP t38", "a=setup:active", "a=connection:existing"}, nil},
	} {
		a := Agreed{Ours: desc(c.ours...)}
		want := string(a.Ours.Body)
		if c.want != nil {
			want = strings.Replace(string(desc(c.want...).Body), "o=- 7 3 ", "o=- 7 4 ", 1)
		}
		before := string(a.Ours.Body)
		got := a.Reoffer()
		if string(a.Ours.Body) != before {
			t.Errorf("%s: what is in force has become\n%s", c.rule, a.Ours.Body)
		}
		if string(got.Body) != want || got.Type != SDP {
			t.Errorf("%s: offered\n%s\nwant\n%s", c.rule, got.Body, want)
		}
	}
	a := Agreed{Ours: Description{Body: desc(audio, dtls, "a=setup:active").Body, Type: "application/sdp;x=y"}}
	if got := a.Reoffer().Type; got != a.Ours.Type {
		t.Errorf("the type has become %s", got)
	}
}
