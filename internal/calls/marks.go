package calls

import (
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// Mark writes a proposal into a request (RFC 4028 §7.1, §7.4, §8), replacing that of an
// earlier attempt.
func (c *Calls) Mark(req *sip.Request, p sessiontimer.Proposal) {
	se, minSE := "", ""
	if p.Send {
		se = p.SessionExpires.String()
	}
	if p.MinSE > 0 {
		minSE = sessiontimer.FormatSeconds(p.MinSE)
	}
	sipmsg.Set(req, sessiontimer.HeaderSessionExpires, "x", se)
	sipmsg.Set(req, sessiontimer.HeaderMinSE, "", minSE)
	sipmsg.RemoveToken(req, "Require", "", sessiontimer.OptionTag)
	if p.Require {
		sipmsg.AddToken(req, sipmsg.RequireTimer, "")
	}
	c.markAllow(req)
}

// MarkAnswer writes an answer into a 2xx (RFC 4028 §9). It may be called again for the same
// response, since sipgo's dialogs retransmit a 2xx by responding again.
func (c *Calls) MarkAnswer(res *sip.Response, a sessiontimer.Answer) {
	sipmsg.AddToken(res, sipmsg.SupportedTimer, "k")
	se := ""
	if a.Send {
		se = a.SessionExpires.String()
	}
	sipmsg.Set(res, sessiontimer.HeaderSessionExpires, "x", se)
	sipmsg.Set(res, sessiontimer.HeaderMinSE, "", "")
	if a.Require {
		sipmsg.AddToken(res, sipmsg.RequireTimer, "")
	}
	c.markAllow(res)
}

// markAllow lists UPDATE in Allow if it is answered, so that the peer may use it (RFC 3311
// §4).
func (c *Calls) markAllow(m sipmsg.Message) {
	if c.LeavesUpdate() {
		return
	}
	if sipmsg.First(m, "Allow", "") == nil {
		m.AppendHeader(c.app.Load().allow())
	} else if c.answersUpdate() {
		sipmsg.AddToken(m, sipmsg.AllowUpdate, "")
	}
}

// UnmarkToFit removes what Mark or MarkAnswer has added until m fits into a datagram: first
// the optional header fields, then the session timer. A message that can be sent without
// timers must not fail because of them. It reports whether the session timer is still there.
// req is m itself, or the request that m answers.
func (c *Calls) UnmarkToFit(m sipmsg.Message, req *sip.Request) (kept bool) {
	if sipmsg.Fits(m, req) {
		return true
	}
	if h := sipmsg.First(m, "Allow", ""); h != nil && h.Value() == c.app.Load().allow().Value() {
		m.RemoveHeader(h.Name())
	}
	sipmsg.Remove(m, sessiontimer.HeaderMinSE, "")
	if sipmsg.Fits(m, req) {
		return true
	}
	sipmsg.Remove(m, sessiontimer.HeaderSessionExpires, "x")
	sipmsg.RemoveToken(m, "Require", "", sessiontimer.OptionTag)
	sipmsg.RemoveToken(m, "Supported", "k", sessiontimer.OptionTag)
	if c.answersUpdate() && !sipmsg.Fits(m, req) {
		sipmsg.RemoveToken(m, "Allow", "", "UPDATE") // added to the application's own Allow
	}
	return false
}
