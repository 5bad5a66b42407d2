package offeranswer

import (
	"slices"
	"strconv"
	"strings"
)

// session is a session description as lines. Unchanged lines are printed as they were
// read: a refresh must repeat a description byte for byte.
type session struct {
	lines []string // before the first stream
	media []media
	eol   string
}

// media is one stream: its m= line and the lines after it.
type media []string

func parse(body []byte) session {
	s := session{eol: "\r\n"}
	text := string(body)
	if !strings.Contains(text, "\r\n") {
		s.eol = "\n"
	}
	for line := range strings.SplitSeq(strings.TrimRight(text, "\r\n"), "\n") {
		line = strings.TrimSuffix(line, "\r")
		switch {
		case strings.HasPrefix(line, "m="):
			s.media = append(s.media, media{line})
		case len(s.media) > 0:
			last := &s.media[len(s.media)-1]
			*last = append(*last, line)
		default:
			s.lines = append(s.lines, line)
		}
	}
	return s
}

func (s session) print() []byte {
	var b strings.Builder
	write := func(lines []string) {
		for _, l := range lines {
			b.WriteString(l)
			b.WriteString(s.eol)
		}
	}
	write(s.lines)
	for _, m := range s.media {
		write(m)
	}
	return []byte(b.String())
}

// attribute returns the value of the first a=name:value line, and whether there is one or
// a bare a=name.
func attribute(lines []string, name string) (value string, ok bool) {
	for _, l := range lines {
		if rest, is := strings.CutPrefix(l, "a="+name); is {
			if rest == "" {
				return "", true
			}
			if rest[0] == ':' {
				return strings.TrimSpace(rest[1:]), true
			}
		}
	}
	return "", false
}

// has reports whether a line is a=name or a=name:…
func has(lines []string, name string) bool {
	_, ok := attribute(lines, name)
	return ok
}

// set makes value the only attribute of the name, in the place of the first one.
func set(lines []string, name, value string) []string {
	out, done := make([]string, 0, len(lines)+1), false
	for _, l := range lines {
		if l != "a="+name && !strings.HasPrefix(l, "a="+name+":") {
			out = append(out, l)
		} else if !done {
			out, done = append(out, "a="+name+":"+value), true
		}
	}
	if !done {
		out = append(out, "a="+name+":"+value)
	}
	return out
}

// fields returns the fields of the m= line.
func (m media) fields() (kind, port, proto string, formats []string) {
	f := strings.Fields(strings.TrimPrefix(m[0], "m="))
	if len(f) < 3 {
		return "", "0", "", nil
	}
	return f[0], f[1], f[2], f[3:]
}

// refused reports whether the stream is refused or off: its port is 0 (RFC 3264 §6,
// §8.2), and it is not in a bundle whose port another stream has (RFC 8843 §6).
func (m media) refused() bool {
	_, port, _, _ := m.fields()
	return port == "0" && !has(m, "bundle-only")
}

// raised returns the lines with the next version in o= (RFC 3264 §8), which any other
// change of the description requires.
func raised(lines []string) []string {
	out := slices.Clone(lines)
	for i, l := range out {
		f := strings.Fields(l)
		if !strings.HasPrefix(l, "o=") || len(f) < 3 {
			continue
		}
		if v, err := strconv.ParseUint(f[2], 10, 64); err == nil {
			f[2] = strconv.FormatUint(v+1, 10)
			out[i] = strings.Join(f, " ")
		}
	}
	return out
}
