package calls

import (
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// maxAccepted bounds what a dialog keeps of what its peer required, in bytes.
const maxAccepted = 256

// Unknown lists the option tags that req requires and no list of known has (RFC 3261
// §8.2.2.3).
func Unknown(req *sip.Request, known ...string) (tags []string) {
	required := sipmsg.OptionTags(req, "Require", "")
	if required == "" {
		return nil
	}
	all := strings.Join(known, ",")
	for tag := range strings.SplitSeq(required, ", ") {
		if !sessiontimer.HasToken(all, tag) {
			tags = append(tags, tag)
			all += "," + tag
		}
	}
	return tags
}

// UnknownWithin lists what a request of the peer within d requires and nobody here
// knows: the application knows what it has listed, or has accepted before.
func UnknownWithin(d *dialogstore.Dialog, req *sip.Request) []string {
	return Unknown(req, d.Supported, d.Require, d.Accepted)
}

// accepted is d.Accepted with what req requires.
func accepted(d *dialogstore.Dialog, req *sip.Request) string {
	list := d.Accepted
	for _, tag := range UnknownWithin(d, req) {
		if IsToken(tag) && len(list)+len(", ")+len(tag) <= maxAccepted {
			list = strings.TrimPrefix(list+", "+tag, ", ")
		}
	}
	return list
}

// IsToken reports whether s is a token (RFC 3261 §25.1): nothing else is repeated.
func IsToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letter := 'a' <= r|0x20 && r|0x20 <= 'z'
		return !letter && !('0' <= r && r <= '9') && !strings.ContainsRune("-.!%*_+`'~", r)
	})
}
