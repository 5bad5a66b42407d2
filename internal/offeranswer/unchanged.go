package offeranswer

import (
	"bytes"
	"slices"
	"strings"
)

// Repeats reports whether an offer of the peer changes nothing: it is the peer's agreed
// description, except for the version and for a DTLS role that it leaves open again. The
// other parts of a multipart body, such as a location, must not have changed either.
func (a Agreed) Repeats(offer Description) bool {
	if offer.Beside != 0 && offer.Beside != a.Peers.Beside {
		return false
	}
	if bytes.Equal(offer.Body, a.Peers.Body) {
		return true
	}
	return len(a.Peers.Body) > 0 && slices.Equal(essence(offer.Body), essence(a.Peers.Body))
}

// Raised reports whether an offer that Repeats what is agreed differs in its version only
// (RFC 3264 §8). Browsers raise the version each time, and an application that negotiates
// with them expects to see it.
func (a Agreed) Raised(offer Description) bool {
	now, before := parse(offer.Body), parse(a.Peers.Body)
	return !slices.Equal(now.lines, before.lines) && slices.Equal(unversioned(now.lines), unversioned(before.lines)) &&
		slices.EqualFunc(now.media, before.media, func(m, o media) bool { return slices.Equal(m, o) })
}

// unversioned returns the lines without the version of the session.
func unversioned(lines []string) []string {
	out := slices.Clone(lines)
	for i, l := range out {
		if f := strings.Fields(l); strings.HasPrefix(l, "o=") && len(f) == 6 {
			f[2] = ""
			out[i] = strings.Join(f, " ")
		}
	}
	return out
}

// essence returns the lines of a description that matter, for comparison: without the
// version, and with DTLS roles made equal.
func essence(body []byte) []string {
	var lines []string
	for line := range strings.SplitSeq(string(body), "\n") {
		switch line = strings.TrimRight(line, "\r"); {
		case line == "":
			continue
		case strings.HasPrefix(line, "o="):
			if f := strings.Fields(line); len(f) == 6 {
				f[2] = "" // the version
				line = strings.Join(f, " ")
			}
		case strings.HasPrefix(line, "a=setup:"):
			if role := strings.TrimSpace(line[len("a=setup:"):]); chosen(role) || role == "actpass" {
				line = "a=setup:"
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// Held reports whether media of the agreed session is stopped in either direction. A
// re-INVITE without a description may then be meant to resume it.
func (a Agreed) Held() bool {
	for _, d := range []Description{a.Ours, a.Peers} {
		s := parse(d.Body)
		for i, m := range s.media {
			if !m.refused() && (s.directionOf(i) != both || s.unaddressed(m)) {
				return true
			}
		}
	}
	return false
}

// unaddressed reports whether the stream is on hold the old way, by c=IN IP4 0.0.0.0
// (RFC 3264 §8.4).
func (s session) unaddressed(m media) bool { return strings.HasSuffix(s.connection(m), " 0.0.0.0") }

// connection returns the c= line of a stream.
func (s session) connection(m media) string {
	for _, lines := range [][]string{m, s.lines} {
		for _, l := range lines {
			if strings.HasPrefix(l, "c=") {
				return l
			}
		}
	}
	return ""
}

// SameMedia reports whether two descriptions ask for media at the same addresses in the same
// formats. If not, the sender of the media must be notified.
func SameMedia(a, b Description) bool {
	return bytes.Equal(a.Body, b.Body) || slices.Equal(essence(a.Body), essence(b.Body))
}
