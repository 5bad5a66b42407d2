package sdpcheck

import (
	"fmt"
	"slices"
	"strings"
)

// Random returns a random number from 0 to n-1.
type Random func(n int) int

// Offer generates an offer that an application may make (RFC 3264 §5, §8): the streams
// agreed on last, each possibly changed, and sometimes one more.
func (draw Random) Offer(name string, version int, now []byte) []byte {
	kinds := []string{"audio"}
	if len(now) > 0 {
		kinds = kinds[:0]
		for _, s := range read(now).streams {
			kinds = append(kinds, s.kind)
		}
	}
	if len(kinds) < 3 && draw(2) == 0 {
		kinds = append(kinds, []string{"audio", "video"}[draw(2)])
	}
	lines, dtls := head(name, version), draw(2) == 0
	for i, kind := range kinds {
		formats := draw.someOf("0", "8", "101")
		lines = append(lines, fmt.Sprintf("m=%s %d RTP/AVP %s", kind, draw.port(4000+2*i), strings.Join(formats, " ")))
		lines = append(lines, events(formats)...)
		lines = append(lines, "a="+directions[draw(4)])
		if dtls {
			lines = append(lines, "a=fingerprint:x", "a=setup:"+[]string{"actpass", "active", "passive"}[draw(3)])
		}
		for tag, suite := range draw.someOf("S80", "S32") {
			lines = append(lines, fmt.Sprintf("a=crypto:%d %s inline:%d", tag+1, suite, version))
		}
	}
	return text(lines)
}

// Answer generates an answer that an application may give (RFC 3264 §6).
func (draw Random) Answer(name string, version int, offer []byte) []byte {
	o, lines := read(offer), head(name, version)
	for i, s := range o.streams {
		port := draw.port(5000 + 2*i)
		if s.port == "0" || port == 0 {
			lines = append(lines, fmt.Sprintf("m=%s 0 %s %s", s.kind, s.proto, strings.Join(s.formats, " ")))
			continue
		}
		formats := draw.someOf(s.formats...)
		lines = append(lines, fmt.Sprintf("m=%s %d %s %s", s.kind, port, s.proto, strings.Join(formats, " ")))
		lines = append(lines, events(formats)...)
		sends, receives := o.flows(s)
		fits := [2]bool{receives, sends}
		d := draw(4)
		for bit, ok := range fits {
			if !ok {
				d &^= 1 << bit
			}
		}
		lines = append(lines, "a="+directions[d])
		switch s.setup() {
		case "actpass":
			lines = append(lines, "a=fingerprint:y", "a=setup:"+[]string{"active", "passive"}[draw(2)])
		case "active":
			lines = append(lines, "a=fingerprint:y", "a=setup:passive")
		case "passive":
			lines = append(lines, "a=fingerprint:y", "a=setup:active")
		}
		if keys := s.keys(); len(keys) > 0 {
			lines = append(lines, fmt.Sprintf("a=crypto:%s inline:%d", keys[draw(len(keys))], version))
		}
	}
	return text(lines)
}

// directions by bits: bit 0 is send, bit 1 receive.
var directions = [...]string{"inactive", "sendonly", "recvonly", "sendrecv"}

func head(name string, version int) []string {
	return []string{"v=0", fmt.Sprintf("o=%s 1 %d IN IP4 192.0.2.1", name, version), "s=-", "c=IN IP4 192.0.2.1", "t=0 0"}
}

func text(lines []string) []byte { return []byte(strings.Join(append(lines, ""), "\r\n")) }

func events(formats []string) []string {
	if slices.Contains(formats, "101") {
		return []string{"a=rtpmap:101 telephone-event/8000"}
	}
	return nil
}

// port is sometimes 0, which switches the stream off.
func (draw Random) port(n int) int {
	if draw(6) == 0 {
		return 0
	}
	return n
}

// someOf returns one or more of the values, in their order.
func (draw Random) someOf(values ...string) []string {
	mask := 1 + draw(1<<len(values)-1)
	var out []string
	for i, v := range values {
		if mask>>i&1 == 1 {
			out = append(out, v)
		}
	}
	return out
}
