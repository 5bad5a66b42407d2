package offeranswer

import (
	"strings"
	"testing"
)

// What the other end may do mirrors what one does (RFC 3264 §6.1).
func TestMirrored(t *testing.T) {
	for d, want := range map[direction]direction{inactive: inactive, sends: receives, receives: sends, both: both} {
		if got := d.mirrored(); got != want {
			t.Errorf("%s mirrors %s, want %s", directionNames[got], directionNames[d], directionNames[want])
		}
	}
}

// The direction of a stream is its own, else that of the session, else both (RFC 3264 §5.1).
func TestDirectionOf(t *testing.T) {
	for _, c := range []struct {
		session, stream string
		want            direction
	}{
		{"", "", both},
		{"a=recvonly", "", receives},
		{"a=recvonly", "a=sendonly", sends},
		{"a=inactive", "a=sendrecv", both},
		{"", "a=inactive", inactive},
		{"", "a=sendonly a=recvonly", sends},
		{"", "a=sendonlyx a=x-recvonly b=inactive", both},
	} {
		other := media{video, "a=inactive"}
		s := session{lines: strings.Fields(c.session), media: []media{other, append(media{audio}, strings.Fields(c.stream)...)}}
		if got := s.directionOf(1); got != c.want {
			t.Errorf("%q in a session %q: %s, want %s", c.stream, c.session, directionNames[got], directionNames[c.want])
		}
	}
}

// A stream with another direction has it in the place of the former one, or at the end.
func TestDirected(t *testing.T) {
	for _, c := range []struct {
		before string
		to     direction
		after  string
	}{
		{"a=sendrecv a=mid:0", receives, "a=recvonly a=mid:0"},
		{"a=mid:0", inactive, "a=mid:0 a=inactive"},
		{"a=inactive a=mid:0 a=sendonly", both, "a=sendrecv a=mid:0"},
		{"", sends, "a=sendonly"},
	} {
		m := append(media{"m=audio"}, strings.Fields(c.before)...)
		was := strings.Join(m, " ")
		if got, want := strings.Join(m.directed(c.to), " "), "m=audio "+c.after; got != want || strings.Join(m, " ") != was {
			t.Errorf("%q: %q, want %q; the stream itself is %q now", c.before, got, want, m)
		}
	}
}
