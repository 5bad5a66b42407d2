package sdpcheck

import (
	"bytes"
	"fmt"
	"slices"
)

// AnswerFault returns what is wrong with an answer; empty for nothing.
func AnswerFault(offer, answer []byte) string {
	o, a := read(offer), read(answer)
	if len(o.streams) != len(a.streams) {
		return fmt.Sprintf("RFC 3264 §6: %d streams answered by %d", len(o.streams), len(a.streams))
	}
	for i := range o.streams {
		if fault := streamFault(o, a, o.streams[i], a.streams[i]); fault != "" {
			return fmt.Sprintf("stream %d: %s", i+1, fault)
		}
	}
	return ""
}

func streamFault(o, a description, offered, answered stream) string {
	switch {
	case offered.kind != answered.kind || offered.proto != answered.proto:
		return fmt.Sprintf("RFC 3264 §6: %s %s answered by %s %s", offered.kind, offered.proto, answered.kind, answered.proto)
	case answered.port == "0":
		return ""
	case offered.port == "0":
		return "RFC 3264 §6: one that is off was taken"
	}
	for _, f := range answered.formats {
		if !slices.Contains(offered.formats, f) {
			return "RFC 3264 §6.1: format " + f + " was not offered"
		}
	}
	theySend, theyReceive := o.flows(offered)
	if weSend, weReceive := a.flows(answered); weSend && !theyReceive || weReceive && !theySend {
		return "RFC 3264 §6.1: the directions do not fit"
	}
	role, taken := offered.setup(), answered.setup()
	if want := map[string][]string{"": {""}, "active": {"passive"}, "passive": {"active"}, "actpass": {"active", "passive"}}[role]; !slices.Contains(want, taken) {
		return fmt.Sprintf("RFC 4145 §4.1: setup %q answered by %q", role, taken)
	}
	keys := answered.keys()
	if len(keys) != min(1, len(offered.keys())) {
		return fmt.Sprintf("RFC 4568 §5.1.2: %d crypto lines answered by %d", len(offered.keys()), len(keys))
	}
	for _, k := range keys {
		if !slices.Contains(offered.keys(), k) {
			return "RFC 4568 §5.1.2: crypto " + k + " was not offered"
		}
	}
	return ""
}

// OfferFault returns what is wrong with an offer that refreshes an agreed description (RFC
// 3264 §8); empty for nothing.
func OfferFault(before, offer []byte) string {
	b, o := read(before), read(offer)
	if len(o.streams) < len(b.streams) {
		return fmt.Sprintf("RFC 3264 §8: %d streams became %d", len(b.streams), len(o.streams))
	}
	for i, s := range b.streams {
		if n := o.streams[i]; n.kind != s.kind || n.port != s.port || !slices.Equal(n.formats, s.formats) {
			return fmt.Sprintf("stream %d of a refresh is another: %s %s %v became %s %s %v", i+1, s.kind, s.port, s.formats, n.kind, n.port, n.formats)
		}
	}
	for i, s := range o.streams {
		if role := s.setup(); role != "" && role != "actpass" && len(s.values("fingerprint")) > 0 {
			return fmt.Sprintf("RFC 5763 §5: stream %d is offered with setup %q", i+1, role)
		}
	}
	return VersionFault(before, offer)
}

// VersionFault returns what is wrong with the version of a description: it must differ from
// that of the description before if anything else does, and only then (RFC 3264 §8).
func VersionFault(before, after []byte) string {
	was, is := read(before).origin(), read(after).origin()
	if bytes.Equal(before, after) != (was == is) {
		return fmt.Sprintf("RFC 3264 §8: %q became %q", was, is)
	}
	return ""
}
