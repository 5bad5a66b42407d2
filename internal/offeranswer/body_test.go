package offeranswer

import (
	"strings"
	"testing"
)

// RFC 5621 §8, RFC 3261 §20.11: the description of a message is its body, or the first part of
// its body that describes the session of this dialog.
func TestFind(t *testing.T) {
	mixed := func(parts ...string) []byte {
		return []byte("--x\r\n" + strings.Join(parts, "\r\n--x\r\n") + "\r\n--x--\r\n")
	}
	isup := "Content-Type: application/ISUP;version=itu-t92+\r\nContent-Disposition: signal;handling=optional\r\n\r\n\x01\x02\r\x00"
	pidf := "Content-Type: application/pidf+xml\r\n\r\n<presence/>"
	desc := "Content-Type: application/sdp\r\n\r\n" + string(sdp("a"))
	for _, c := range []struct {
		rule, kind string
		body       []byte
		want       string
	}{
		{"alone", "application/sdp", sdp("a"), "a"},
		{"in capitals, with a parameter", "Application/SDP; charset=utf-8", sdp("a"), "a"},
		{"without a type", "", sdp("a"), "a"},
		{"without a type, and none", "", []byte("<x/>"), ""},
		{"recording metadata", "application/rs-metadata", []byte("<recording/>"), ""},
		{"DTMF", "application/dtmf-relay", []byte("Signal=1"), ""},
		{"behind ISUP", "multipart/mixed;boundary=x", mixed(isup, desc), "a"},
		{"before a location", `Multipart/Mixed; boundary="x"`, mixed(desc, pidf), "a"},
		{"without a description", "multipart/mixed;boundary=x", mixed(isup, pidf), ""},
		{"of another session", "multipart/mixed;boundary=x", mixed("Content-Disposition: early-session\r\n" + desc), ""},
		{"of this session", "multipart/mixed;boundary=x", mixed("Content-Disposition: Session ; handling=required\r\n" + desc), "a"},
		{"of another, then of this one", "multipart/mixed;boundary=x", mixed("Content-Disposition: early-session\r\n"+desc, "Content-Type: application/sdp\r\n\r\n"+string(sdp("b"))), "b"},
		{"the first of two", "multipart/alternative;boundary=x", mixed(desc, "Content-Type: application/sdp\r\n\r\n"+string(sdp("b"))), "a"},
		{"a part without a type", "multipart/mixed;boundary=x", mixed("\r\n" + string(sdp("a"))), ""},
		{"a type that begins like it", "application/sdpx", sdp("a"), ""},
		{"another kind with a boundary", "message/sipfrag;boundary=x", mixed(desc), ""},
		{"an empty boundary", `multipart/mixed;boundary=""`, []byte("--\r\n" + desc + "\r\n----\r\n"), ""},
		{"a type that is not one", "multipart/mixed;boundary", mixed(desc), ""},
		{"without a boundary", "multipart/mixed", mixed(desc), ""},
		{"cut off", "multipart/mixed;boundary=x", mixed(desc)[:20], ""},
		{"no body", "application/sdp", nil, ""},
	} {
		d, ok := Find(c.kind, c.body)
		if name(d) != c.want || ok != (c.want != "") {
			t.Errorf("%s: found %q, %v", c.rule, d.Body, ok)
		}
	}
}

// A multipart body that breaks off has what came in whole before; and only 16 parts are read.
func TestFindPart(t *testing.T) {
	sdp, other := "Content-Type: application/sdp\r\n\r\nv=0", "Content-Type: text/plain\r\n\r\nx"
	whole := func(n int, last string) string {
		return strings.Repeat("--x\r\n"+other+"\r\n", n) + "--x\r\n" + last + "\r\n--x--\r\n"
	}
	for _, c := range []struct {
		name, body    string
		found, beside bool
	}{
		{"the sixteenth", whole(15, sdp), true, true},
		{"the seventeenth", whole(16, sdp), false, false},
		{"broken off within it", "--x\r\n" + sdp, false, false},
		{"broken off after it, within another", "--x\r\n" + sdp + "\r\n--x\r\n" + other, true, false},
		{"an empty one before it", "--x\r\nContent-Type: application/sdp\r\n\r\n\r\n--x\r\n" + sdp + "\r\n--x--\r\n", true, true},
		{"the first of two", "--x\r\n" + sdp + "\r\n--x\r\n" + sdp + "1\r\n--x--\r\n", true, true},
	} {
		d, ok := Find("multipart/mixed;boundary=x", []byte(c.body))
		if ok != c.found || ok != (string(d.Body) == "v=0") || (d.Beside != 0) != c.beside {
			t.Errorf("%s: %q, %t, fingerprint %d", c.name, d.Body, ok, d.Beside)
		}
	}
}

// A Content-Type with control characters is not repeated in our own messages.
func TestPrintableType(t *testing.T) {
	const evil = "application/sdp;x=\"\n\""
	if d, ok := Find(evil, []byte("v=0\r\n")); !ok || d.Type != SDP {
		t.Errorf("found %v as %q, want %s", ok, d.Type, SDP)
	}
	part := "--x\r\nContent-Type: application/sdp;x=\ty\r\n\r\nv=0\r\n--x--\r\n"
	if d, ok := Find("multipart/mixed;boundary=x", []byte(part)); !ok || d.Type != SDP {
		t.Errorf("found %v in a part as %q, want %s", ok, d.Type, SDP)
	}
	if d, ok := Find("application/sdp;x=y", []byte("v=0\r\n")); !ok || d.Type != "application/sdp;x=y" {
		t.Errorf("found %v as %q, want its own type", ok, d.Type)
	}
}

// The fingerprint tells the other parts apart, and nothing else: neither the description nor where
// it stands.
func TestBeside(t *testing.T) {
	desc, pidf := "Content-Type: application/sdp\r\n\r\nv=0", "Content-Type: application/pidf+xml\r\n\r\n"
	of := func(parts ...string) uint32 {
		d, ok := Find("multipart/mixed;boundary=x", []byte("--x\r\n"+strings.Join(parts, "\r\n--x\r\n")+"\r\n--x--\r\n"))
		if !ok {
			t.Fatalf("no description in %q", parts)
		}
		return d.Beside
	}
	here := of(desc, pidf+"here")
	if of(pidf+"here", desc+"1") != here {
		t.Error("the same parts in another place beside another description are taken for others")
	}
	for what, other := range map[string]uint32{
		"none": of(desc), "elsewhere": of(desc, pidf+"there"), "another type": of(desc, "Content-Type: text/plain\r\n\r\nhere"), "two": of(desc, pidf+"here", pidf+"here"),
	} {
		if other == here {
			t.Errorf("%s: taken for the same", what)
		}
	}
	if of(desc) != 0 {
		t.Error("there is nothing beside the only part")
	}
}

func FuzzFind(f *testing.F) {
	f.Add("multipart/mixed;boundary=x", []byte("--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--x--"))
	f.Add("application/sdp", sdp("a", "a=setup:active", "a=fingerprint:x"))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		d, ok := Find(kind, body)
		if !ok {
			return
		}
		a := Agreed{Ours: d, Peers: d}
		a.Reoffer()
		a.Held()
		if answer, ok := a.Answer(d); ok && len(d.Body) > 0 && len(parse(answer.Body).media) != len(parse(d.Body).media) {
			t.Errorf("%q answered with %q", d.Body, answer.Body)
		}
	})
}
