package server

import (
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// RFC 3261 §8.2.2.3: a request that requires an extension which is not known gets 420.
// What is answered here is answered for the application too, and what that knows is
// what it has listed, or has accepted before. 100rel asks for how provisional
// responses are sent, and no answer of ours has one.

// refusesExtensions reports whether the request requires what nobody here knows, and
// refuses it then.
func (l *laterRequest) refusesExtensions(d dialogstore.Dialog) bool {
	tags := calls.UnknownWithin(&d, l.req)
	if len(tags) > 0 {
		l.s.refuseExtensions(l.ServerTransaction, l.req, tags)
	}
	return len(tags) > 0
}

// refuseExtensions answers a request that requires tags.
func (s *Server) refuseExtensions(tx sip.ServerTransaction, req *sip.Request, tags []string) {
	s.calls.Log.Info("extension required that is not supported", "call_id", sipmsg.CallID(req), "local_tag", sipmsg.ToTag(req),
		"remote_tag", sipmsg.FromTag(req), "method", string(req.Method), "require", strings.Join(tags, ", "))
	res := sip.NewResponseFromRequest(req, sip.StatusBadExtension, "Bad Extension", nil)
	var listed []string
	for _, tag := range tags {
		if calls.IsToken(tag) {
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
