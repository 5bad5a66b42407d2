package offeranswer

import (
	"slices"
	"strings"
)

// Answer returns our answer to an offer that Repeats what is agreed: our description in
// force, adapted to this offer (RFC 3264 §6). It has as many streams, refuses the same
// ones, and has formats, crypto, directions and setup roles that fit. Answer reports
// false if only the application can answer.
func (a Agreed) Answer(offer Description) (Description, bool) {
	if len(a.Ours.Body) == 0 {
		return Description{}, false
	}
	ours, theirs, before := parse(a.Ours.Body), parse(offer.Body), parse(a.Peers.Body)
	streams := make([]media, len(theirs.media))
	for i := range theirs.media {
		m, ok := ours.restated(i, theirs, before)
		if !ok {
			return Description{}, false
		}
		streams[i] = m
	}
	next := session{lines: ours.lines, media: streams, eol: ours.eol}
	next.lines = bundled(next.lines, streams)
	if role, ok := attribute(next.lines, "setup"); ok {
		next.lines = set(next.lines, "setup", answering(role, theirs.setup(), before.setup()))
	}
	body := next.print()
	if string(body) == string(ours.print()) {
		return a.Ours, true // byte for byte, including the end of its last line
	}
	next.lines = raised(next.lines)
	return Description{Body: next.print(), Type: a.Ours.Type}, true
}

// restated returns our i-th stream as the answer to the i-th stream of the offer. before is
// the peer's description in force.
func (s session) restated(i int, offer, before session) (media, bool) {
	theirs := offer.media[i]
	if i >= len(s.media) {
		return refusal(theirs), true
	}
	ours := s.media[i]
	kind, _, proto, _ := ours.fields()
	theirKind, _, theirProto, _ := theirs.fields()
	if theirs.refused() || ours.refused() {
		return refusal(theirs), true
	}
	if kind != theirKind || !strings.EqualFold(proto, theirProto) {
		return nil, false
	}
	m, ok := ours.narrowed(theirs)
	if !ok {
		return nil, false
	}
	if d := s.directionOf(i) & offer.directionOf(i).mirrored(); d != s.directionOf(i) {
		m = m.directed(d)
	}
	if m, ok = m.keyed(theirs); !ok {
		return nil, false
	}
	if role, has := attribute(m, "setup"); has {
		was := ""
		if i < len(before.media) {
			was = before.setupOf(before.media[i])
		}
		m = set(m, "setup", answering(role, offer.setupOf(theirs), was))
	}
	return m, true
}

// refusal answers a refused stream (RFC 3264 §6). Its kind and formats do not matter, so
// they are those of the offer.
func refusal(offered media) media {
	kind, _, proto, formats := offered.fields()
	m := media{"m=" + kind + " 0 " + proto + " " + strings.Join(formats, " ")}
	if mid, ok := attribute(offered, "mid"); ok {
		m = append(m, "a=mid:"+mid)
	}
	return m
}

// bundled removes refused streams from the groups (RFC 8843 §7.3.3).
func bundled(lines []string, streams []media) []string {
	out := slices.Clone(lines)
	for i, l := range out {
		group, ok := strings.CutPrefix(l, "a=group:")
		if !ok {
			continue
		}
		f := strings.Fields(group)
		f = slices.DeleteFunc(f, func(mid string) bool {
			return slices.ContainsFunc(streams, func(m media) bool {
				id, ok := attribute(m, "mid")
				return ok && id == mid && m.refused()
			})
		})
		out[i] = "a=group:" + strings.Join(f, " ")
	}
	return out
}

// setupOf returns the setup role of a stream: its own, else the session's.
func (s session) setupOf(m media) string {
	if role, ok := attribute(m, "setup"); ok {
		return role
	}
	role, _ := attribute(s.lines, "setup")
	return role
}

// setup returns the setup role of the session: its own, else that of the first stream.
func (s session) setup() string {
	role, ok := attribute(s.lines, "setup")
	if !ok && len(s.media) > 0 {
		role, _ = attribute(s.media[0], "setup")
	}
	return role
}

// answering returns our setup role in an answer (RFC 4145 §4.1, RFC 8842 §5.3). If the
// offer leaves it open it is the role in force: ours, or the counterpart of the role that
// the peer chose last.
func answering(ours, offered, before string) string {
	switch offered {
	case "active":
		return "passive"
	case "passive":
		return "active"
	case "holdconn":
		return "holdconn"
	}
	switch {
	case chosen(ours):
		return ours
	case before == "active":
		return "passive"
	}
	return "active"
}
