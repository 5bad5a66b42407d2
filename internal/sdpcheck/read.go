// Package sdpcheck generates random session descriptions, and checks answers against RFC
// 3264 and the RFCs around it. It is for tests. It has a parser of its own, so that it
// does not share the faults of the code under test.
package sdpcheck

import (
	"slices"
	"strings"
)

type description struct {
	lines   []string // before the first stream
	streams []stream
}

type stream struct {
	kind, port, proto string
	formats           []string
	lines             []string
}

func read(body []byte) (d description) {
	for _, line := range strings.Split(strings.TrimSpace(string(body)), "\n") {
		line = strings.TrimSpace(line)
		if m, ok := strings.CutPrefix(line, "m="); ok {
			f := append(strings.Fields(m), "", "", "")
			d.streams = append(d.streams, stream{kind: f[0], port: f[1], proto: f[2], formats: f[3 : len(f)-3]})
			continue
		}
		if n := len(d.streams); n > 0 {
			d.streams[n-1].lines = append(d.streams[n-1].lines, line)
		} else {
			d.lines = append(d.lines, line)
		}
	}
	return d
}

// sends and receives report the directions of a stream.
func (d description) flows(s stream) (sends, receives bool) {
	for _, lines := range [][]string{s.lines, d.lines} {
		for _, l := range lines {
			switch l {
			case "a=sendrecv":
				return true, true
			case "a=sendonly":
				return true, false
			case "a=recvonly":
				return false, true
			case "a=inactive":
				return false, false
			}
		}
	}
	return true, true
}

// values returns the values of the attribute lines with the name.
func (s stream) values(name string) (out []string) {
	for _, l := range s.lines {
		if v, ok := strings.CutPrefix(l, "a="+name+":"); ok {
			out = append(out, v)
		}
	}
	return out
}

func (s stream) setup() string {
	if v := s.values("setup"); len(v) > 0 {
		return v[0]
	}
	return ""
}

// keys returns tag and suite of the crypto lines.
func (s stream) keys() (out []string) {
	for _, v := range s.values("crypto") {
		f := strings.Fields(v)
		out = append(out, strings.Join(f[:min(2, len(f))], " "))
	}
	return out
}

func (d description) origin() string {
	i := slices.IndexFunc(d.lines, func(l string) bool { return strings.HasPrefix(l, "o=") })
	if i < 0 {
		return ""
	}
	return d.lines[i]
}
