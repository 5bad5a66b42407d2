package offeranswer

import (
	"slices"
	"strings"
	"testing"
)

// The first attribute of a name counts, with a value or without. One whose name only begins
// like it is another.
func TestAttribute(t *testing.T) {
	for _, c := range []struct {
		lines string
		value string
		ok    bool
	}{
		{"", "", false},
		{"a=mid: 0 ", "0", true},
		{"a=mid", "", true},
		{"a=mid a=mid:1", "", true},
		{"a=middle:1 a=mid:2", "2", true},
		{"a=middle", "", false},
		{"b=mid:1", "", false},
	} {
		lines := strings.Split(c.lines, " a=")
		for i := range lines[1:] {
			lines[i+1] = "a=" + lines[i+1]
		}
		value, ok := attribute(lines, "mid")
		if value != c.value || ok != c.ok || has(lines, "mid") != c.ok {
			t.Errorf("%q: %q, %t; want %q, %t", lines, value, ok, c.value, c.ok)
		}
	}
}

// One attribute of the name is left, where the first one was, or at the end.
func TestSetAttribute(t *testing.T) {
	for _, c := range []struct{ before, after string }{
		{"m=x,a=b", "m=x,a=b,a=setup:active"},
		{"m=x,a=setup:passive,a=b", "m=x,a=setup:active,a=b"},
		{"m=x,a=setup,a=b,a=setup:passive", "m=x,a=setup:active,a=b"},
		{"m=x,a=setups:1,a=setup:passive", "m=x,a=setups:1,a=setup:active"},
	} {
		if got := strings.Join(set(strings.Split(c.before, ","), "setup", "active"), ","); got != c.after {
			t.Errorf("%s becomes %s, want %s", c.before, got, c.after)
		}
	}
}

// A stream whose m= line is cut off is off.
func TestMediaFields(t *testing.T) {
	for _, c := range []struct {
		line                  string
		kind, port, transport string
		formats               []string
		refused               bool
	}{
		{line: "m=audio 4000 RTP/AVP 0 8", kind: "audio", port: "4000", transport: "RTP/AVP", formats: []string{"0", "8"}},
		{line: "m=audio 4000 RTP/AVP", kind: "audio", port: "4000", transport: "RTP/AVP"},
		{line: "m=audio 0 RTP/AVP 0", kind: "audio", port: "0", transport: "RTP/AVP", formats: []string{"0"}, refused: true},
		{line: "m=audio 4000", port: "0", refused: true},
		{line: "m=", port: "0", refused: true},
	} {
		m := media{c.line}
		kind, port, transport, formats := m.fields()
		if kind != c.kind || port != c.port || transport != c.transport || !slices.Equal(formats, c.formats) || m.refused() != c.refused {
			t.Errorf("%s: %q, %q, %q, %q, refused %t", c.line, kind, port, transport, formats, m.refused())
		}
	}
	if bundled := (media{"m=audio 0 RTP/AVP 0", "a=bundle-only"}); bundled.refused() {
		t.Error("RFC 8843 §6: a stream that is only in the bundle counts as refused")
	}
}

// Any change of a description raises the version in o=, if that is a number.
func TestRaisedVersion(t *testing.T) {
	for before, after := range map[string]string{
		"o=- 7 3 IN IP4 h":                    "o=- 7 4 IN IP4 h",
		"o=- 7 3":                             "o=- 7 4",
		"o=- 7":                               "o=- 7",
		"o=- 7 x IN IP4 h":                    "o=- 7 x IN IP4 h",
		"s=a b 3":                             "s=a b 3",
		"o=- 7 4294967295 IN IP4 h":           "o=- 7 4294967296 IN IP4 h",
		"o=- 7 99999999999999999999 IN IP4 h": "o=- 7 99999999999999999999 IN IP4 h",
	} {
		lines := []string{"v=0", before}
		if got := raised(lines); got[1] != after || lines[1] != before {
			t.Errorf("%s becomes %s, want %s", before, got[1], after)
		}
	}
}

// The role of a stream is its own, else that of the session; the role of the session is its
// own, else that of the first stream.
func TestSetupOf(t *testing.T) {
	for _, c := range []struct{ lines, stream, session, role string }{
		{"a=setup:passive", "a=setup:active", "passive", "active"},
		{"a=setup:passive", "a=mid:0", "passive", "passive"},
		{"s=-", "a=setup:active", "active", "active"},
		{"s=-", "a=mid:0", "", ""},
	} {
		s := session{lines: []string{c.lines}, media: []media{{audio, c.stream}}}
		if s.setup() != c.session || s.setupOf(s.media[0]) != c.role {
			t.Errorf("%s, %s: the session is %q, the stream %q", c.lines, c.stream, s.setup(), s.setupOf(s.media[0]))
		}
	}
	if role := (session{}).setup(); role != "" {
		t.Errorf("a session without streams is %q", role)
	}
}
