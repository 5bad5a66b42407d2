package middleware

import (
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// RFC 3261 §8.2.2.3: who does not know an extension that a request requires answers
// 420. What is answered here is answered for the application too, and what that knows
// is what it has listed, or has accepted before. 100rel asks for how provisional
// responses are sent, and no answer of ours has one.

// maxAccepted bounds what a dialog keeps of what its peer required, in bytes.
const maxAccepted = 256

// unknown lists the option tags that req requires and no list of known has.
func unknown(req *sip.Request, known ...string) (tags []string) {
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

// accepted is d.Accepted with what req requires.
func accepted(d *dialogstore.Dialog, req *sip.Request) string {
	list := d.Accepted
	for _, tag := range unknown(req, d.Supported, d.Require, d.Accepted) {
		if isToken(tag) && len(list)+len(", ")+len(tag) <= maxAccepted {
			list = strings.TrimPrefix(list+", "+tag, ", ")
		}
	}
	return list
}

// unsupported lists what a request within d requires and nobody here knows.
func (in *incoming) unsupported(d dialogstore.Dialog) []string {
	return unknown(in.req, d.Supported, d.Require, d.Accepted)
}

// refusesExtensions reports whether there is something, and refuses it.
func (in *incoming) refusesExtensions(d dialogstore.Dialog) bool {
	tags := in.unsupported(d)
	if len(tags) > 0 {
		in.t.refuseExtensions(in.ServerTransaction, in.req, tags)
	}
	return len(tags) > 0
}

// refuseExtensions answers a request that requires tags.
func (t *Timers) refuseExtensions(tx sip.ServerTransaction, req *sip.Request, tags []string) {
	t.log.Info("extension required that is not supported", "call_id", sipmsg.CallID(req), "local_tag", sipmsg.ToTag(req),
		"remote_tag", sipmsg.FromTag(req), "method", string(req.Method), "require", strings.Join(tags, ", "))
	res := sip.NewResponseFromRequest(req, sip.StatusBadExtension, "Bad Extension", nil)
	var listed []string
	for _, tag := range tags {
		if isToken(tag) {
			listed = append(listed, tag)
		}
	}
	if len(listed) > 0 {
		res.AppendHeader(sip.NewHeader("Unsupported", strings.Join(listed, ", ")))
	}
	if !sipmsg.Fits(res, req) {
		res.RemoveHeader("Unsupported")
	}
	_ = tx.Respond(res)
}

// isToken reports whether s is a token (RFC 3261 §25.1): nothing else is repeated.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letter := 'a' <= r|0x20 && r|0x20 <= 'z'
		return !letter && !('0' <= r && r <= '9') && !strings.ContainsRune("-.!%*_+`'~", r)
	})
}
