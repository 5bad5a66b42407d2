package calls

import (
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// maxAccepted is the maximum length of Dialog.Accepted in bytes.
const maxAccepted = 256

// Unknown returns the option tags that req requires and that are not in any list of known
// (RFC 3261 §8.2.2.3).
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

// UnknownWithin returns the option tags that a request of the peer within d requires and
// that the application has neither listed nor accepted before.
func UnknownWithin(d *dialogstore.Dialog, req *sip.Request) []string {
	return Unknown(req, d.Supported, d.Require, d.Accepted)
}

// accepted returns d.Accepted with the option tags that req requires added.
func accepted(d *dialogstore.Dialog, req *sip.Request) string {
	list := d.Accepted
	for _, tag := range UnknownWithin(d, req) {
		if IsToken(tag) && len(list)+len(", ")+len(tag) <= maxAccepted {
			list = strings.TrimPrefix(list+", "+tag, ", ")
		}
	}
	return list
}

// IsToken reports whether s is a token (RFC 3261 §25.1). Nothing else is written back into a
// message.
func IsToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letter := 'a' <= r|0x20 && r|0x20 <= 'z'
		return !letter && !('0' <= r && r <= '9') && !strings.ContainsRune("-.!%*_+`'~", r)
	})
}
