package offeranswer

import "bytes"

// Reoffer returns what a refresh by re-INVITE offers: our description in force, byte for
// byte if it is fit to be an offer. A callee whose answer chose a DTLS role leaves the
// choice to the peer again (RFC 5763 §5, RFC 8842 §5.2), in a new version.
func (a Agreed) Reoffer() Description {
	if !bytes.Contains(a.Ours.Body, []byte("a=setup:")) {
		return a.Ours
	}
	s, changed := parse(a.Ours.Body), false
	if !s.dtls(s.lines) && !s.anyDTLS() {
		return a.Ours
	}
	if role, ok := attribute(s.lines, "setup"); ok && chosen(role) {
		s.lines, changed = set(s.lines, "setup", "actpass"), true
	}
	for i, m := range s.media {
		if role, ok := attribute(m, "setup"); ok && chosen(role) && s.dtls(m) {
			s.media[i], changed = set(m, "setup", "actpass"), true
		}
	}
	if !changed {
		return a.Ours
	}
	s.lines = raised(s.lines)
	return Description{Body: s.print(), Type: a.Ours.Type}
}

// dtls reports whether lines, or the session as a whole, have the fingerprint of a DTLS
// certificate. Without one, setup is about TCP (RFC 4145).
func (s session) dtls(lines []string) bool {
	return has(lines, "fingerprint") || has(s.lines, "fingerprint")
}

func (s session) anyDTLS() bool {
	for _, m := range s.media {
		if has(m, "fingerprint") {
			return true
		}
	}
	return false
}

// chosen reports whether a setup role was chosen by an answer.
func chosen(role string) bool { return role == "active" || role == "passive" }
