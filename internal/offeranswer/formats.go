package offeranswer

import (
	"slices"
	"strings"
)

// narrowed returns our stream with the formats that the offer also has, in our order. It
// reports false if there is none.
func (m media) narrowed(offer media) (media, bool) {
	kind, port, proto, formats := m.fields()
	_, _, _, offered := offer.fields()
	kept := slices.DeleteFunc(slices.Clone(formats), func(f string) bool {
		return !slices.ContainsFunc(offered, func(o string) bool { return m.codec(f) == offer.codec(o) })
	})
	if len(kept) == 0 {
		return nil, false
	}
	if len(kept) == len(formats) {
		return slices.Clone(m), true
	}
	out := media{"m=" + strings.Join(append([]string{kind, port, proto}, kept...), " ")}
	for _, l := range m[1:] {
		if f, ok := formatOf(l); ok && slices.Contains(formats, f) && !slices.Contains(kept, f) {
			continue
		}
		out = append(out, l)
	}
	return out, true
}

// formatOf returns the format that an attribute is about.
func formatOf(line string) (string, bool) {
	for _, name := range []string{"a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"} {
		if rest, ok := strings.CutPrefix(line, name); ok {
			f, _, _ := strings.Cut(rest, " ")
			return f, true
		}
	}
	return "", false
}

// codec returns what a format stands for: its encoding, clock and channels. Without an
// rtpmap it is the format itself, whose number or name is fixed (RFC 3551 §6). An rtpmap
// that spells out such a number gives the same.
func (m media) codec(format string) string {
	if name, ok := static[format]; ok {
		return name
	}
	for _, l := range m[1:] {
		rest, ok := strings.CutPrefix(l, "a=rtpmap:"+format+" ")
		if !ok {
			continue
		}
		return strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(rest)), "/1")
	}
	return format
}

// static lists the static payload types of RFC 3551 that telephones use.
var static = map[string]string{
	"0": "PCMU/8000", "3": "GSM/8000", "4": "G723/8000", "8": "PCMA/8000", "9": "G722/8000", "13": "CN/8000",
	"15": "G728/8000", "18": "G729/8000",
}

// keyed returns our stream with the crypto line that answers the offer (RFC 4568 §5.1.2):
// the tag and suite of the offer with our key, or no line if the offer has none. It reports
// false if the offer has crypto lines and we have none that fits.
func (m media) keyed(offer media) (media, bool) {
	offered, mine := cryptoOf(offer), cryptoOf(m)
	if len(offered) == 0 {
		return slices.DeleteFunc(slices.Clone(m), func(l string) bool { return strings.HasPrefix(l, "a=crypto:") }), true
	}
	// The pair in force has one tag; otherwise the peer's choice is its first.
	for _, sameTag := range []bool{true, false} {
		for _, o := range offered {
			for _, c := range mine {
				if c.suite == o.suite && (c.tag == o.tag || !sameTag) {
					return set(m, "crypto", o.tag+" "+c.suite+" "+c.key), true
				}
			}
		}
	}
	return nil, false
}

type crypto struct{ tag, suite, key string }

func cryptoOf(m media) []crypto {
	var out []crypto
	for _, l := range m[1:] {
		rest, ok := strings.CutPrefix(l, "a=crypto:")
		if !ok {
			continue
		}
		if f := strings.Fields(rest); len(f) >= 3 {
			out = append(out, crypto{f[0], strings.ToUpper(f[1]), strings.Join(f[2:], " ")})
		}
	}
	return out
}
