package server

import (
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// RFC 3261 §8.2.2.3: a request that requires an unknown extension gets a 420. If the timers
// answer a request, they do so for the application, so the extensions known are those that
// the application has listed, or has accepted before.

// refusesExtensions refuses the request if it requires an extension that is not known, and
// reports whether it did.
func (l *laterRequest) refusesExtensions(d dialogstore.Dialog) bool {
	tags := calls.UnknownWithin(&d, l.req)
	if len(tags) > 0 {
		l.s.refuseExtensions(l.ServerTransaction, l.req, tags)
	}
	return len(tags) > 0
}

// refuseExtensions answers a request with 420, because it requires tags.
func (s *Server) refuseExtensions(tx sip.ServerTransaction, req *sip.Request, tags []string) {
	s.calls.Log.Info("request refused with 420: it requires an unsupported extension", "call_id", sipmsg.CallID(req), "local_tag", sipmsg.ToTag(req),
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
