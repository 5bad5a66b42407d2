package offeranswer

import (
	"strings"
	"testing"
)

// D-14: which offers are unchanged.
func TestRepeats(t *testing.T) {
	a := Agreed{Ours: desc(audio), Peers: desc(audio, "a=setup:active", "a=sendonly")}
	for _, c := range []struct {
		what  string
		offer Description
		want  bool
	}{
		{"the same", a.Peers, true},
		{"a later version", Description{Body: []byte(strings.Replace(string(a.Peers.Body), "7 3", "7 9", 1)), Type: SDP}, true},
		{"with bare line feeds", Description{Body: []byte(strings.ReplaceAll(string(a.Peers.Body), "\r\n", "\n")), Type: SDP}, true},
		{"the role left open", desc(audio, "a=setup:actpass", "a=sendonly"), true},
		{"resumed", desc(audio, "a=setup:active", "a=sendrecv"), false},
		{"another codec", desc("m=audio 4000 RTP/AVP 8", "a=setup:active", "a=sendonly"), false},
		{"another port", desc("m=audio 4004 RTP/AVP 0", "a=setup:active", "a=sendonly"), false},
		{"another stream", desc(audio, "a=setup:active", "a=sendonly", video), false},
		{"a role that is no choice", desc(audio, "a=setup:holdconn", "a=sendonly"), false},
		{"no role", desc(audio, "a=sendonly"), false},
		{"the role spelt with spaces, and empty lines", Description{Body: []byte(strings.Replace(string(a.Peers.Body), "a=setup:active\r\n", "a=setup: passive \r\n\r\n\r\n", 1)), Type: SDP}, true},
		{"a version in an o= line that is too short", Description{Body: []byte(strings.Replace(string(a.Peers.Body), "7 3 IN", "7 9", 1)), Type: SDP}, false},
		{"another session", Description{Body: []byte(strings.Replace(string(a.Peers.Body), "7 3", "8 3", 1)), Type: SDP}, false},
	} {
		if got := a.Repeats(c.offer); got != c.want {
			t.Errorf("%s: changes nothing: %v", c.what, got)
		}
	}
	beside := func(d Description, n uint32) Description { d.Beside = n; return d }
	if b := (Agreed{Ours: a.Ours, Peers: beside(a.Peers, 7)}); a.Repeats(beside(a.Peers, 7)) || b.Repeats(beside(a.Peers, 8)) ||
		!b.Repeats(beside(a.Peers, 7)) || !b.Repeats(a.Peers) {
		t.Error("what comes beside an offer is news unless it came before")
	}
	later := func(d Description) Description {
		return Description{Body: []byte(strings.Replace(string(d.Body), "7 3", "7 4", 1)), Type: SDP}
	}
	renamed := func(d Description) Description {
		return Description{Body: []byte(strings.Replace(string(d.Body), "s=-", "s=x", 1)), Type: SDP}
	}
	if a.Raised(renamed(later(a.Peers))) || a.Raised(later(desc(audio, "a=setup:active", "a=sendonly", video))) {
		t.Error("a version counts as all that is new where the session or a stream is new too")
	}
	if a.Raised(a.Peers) || !a.Raised(later(a.Peers)) || a.Raised(later(desc(audio, "a=setup:actpass", "a=sendonly"))) {
		t.Error("a version says that something is new where nothing else does")
	}
	if (Agreed{}).Repeats(desc(audio)) || (Agreed{}).Repeats(Description{Body: []byte("\r\n")}) {
		t.Error("where nothing was agreed, every offer is news")
	}
}

// D-28: which media is held.
func TestHeld(t *testing.T) {
	for _, c := range []struct {
		ours, peers []string
		want        bool
	}{
		{[]string{audio}, []string{audio}, false},
		{[]string{audio, "a=sendrecv"}, []string{audio, "a=sendrecv"}, false},
		{[]string{audio, "a=recvonly"}, []string{audio, "a=sendonly"}, true},
		{[]string{audio}, []string{audio, "a=inactive"}, true},
		{[]string{"a=inactive", audio}, []string{audio}, true},
		{[]string{audio}, []string{"c=IN IP4 0.0.0.0", audio}, true},
		{[]string{audio}, []string{"c=IN IP4 192.0.2.1", audio, "c=IN IP4 0.0.0.0"}, true},
		{[]string{"c=IN IP4 0.0.0.0", audio, "c=IN IP4 192.0.2.1"}, []string{audio}, false},
		{[]string{"c=IN IP4 10.0.0.0", audio}, []string{audio}, false},
		{[]string{audio, video, "a=recvonly"}, []string{audio, video}, true},
		{[]string{audio, "m=video 0 RTP/AVP 96", "a=inactive"}, []string{audio, "m=video 0 RTP/AVP 96", "a=inactive"}, false},
	} {
		if got := (Agreed{Ours: desc(c.ours...), Peers: desc(c.peers...)}).Held(); got != c.want {
			t.Errorf("%q and %q: held: %v", c.ours, c.peers, got)
		}
	}
}

// Media stays where it is if only versions and open roles differ. Where the peer has no
// description any more, it does not.
func TestSameMedia(t *testing.T) {
	was := desc(audio, "a=setup:active")
	for _, c := range []struct {
		what string
		now  Description
		want bool
	}{
		{"the same", was, true},
		{"a later version, its role left open", Description{Body: []byte(strings.Replace(string(desc(audio, "a=setup:actpass").Body), "7 3", "7 9", 1))}, true},
		{"another type of the same", Description{Body: was.Body, Type: "application/sdp;x=y"}, true},
		{"another port", desc("m=audio 4004 RTP/AVP 0", "a=setup:active"), false},
		{"nothing", Description{}, false},
	} {
		if got := SameMedia(was, c.now); got != c.want || SameMedia(c.now, was) != got {
			t.Errorf("%s: the same media: %v", c.what, got)
		}
	}
	if !SameMedia(Description{}, Description{}) {
		t.Error("nothing before and after is not the same")
	}
}
