package middleware

import (
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
)

// message is what this package needs of sip.Request and sip.Response.
type message interface {
	sip.Message
	Headers() []sip.Header
	RemoveHeader(name string) bool
	ReplaceHeader(sip.Header)
}

// readFields reads the session-timer header fields of a message as p does.
func readFields(m message, p sessiontimer.Policy) sessiontimer.Fields {
	f := sessiontimer.Fields{Strict: p.Strict}
	for _, h := range m.Headers() {
		switch h.(type) {
		case *sip.ViaHeader, *sip.FromHeader, *sip.ToHeader, *sip.CallIDHeader, *sip.CSeqHeader, *sip.ContactHeader,
			*sip.RecordRouteHeader, *sip.RouteHeader, *sip.MaxForwardsHeader, *sip.ContentLengthHeader, *sip.ContentTypeHeader:
			// Their names are none of ours and their values are dear to print.
		default:
			f.Add(h.Name(), h.Value())
		}
	}
	return f
}

// setField makes value the only one of the header field; an empty value removes
// it. short is its compact form, if it has one.
func setField(m message, name, short, value string) {
	removeField(m, name, short)
	if value != "" {
		m.AppendHeader(sip.NewHeader(name, value))
	}
}

func removeField(m message, name, short string) {
	for {
		h := firstField(m, name, short)
		if h == nil {
			return
		}
		m.RemoveHeader(h.Name())
	}
}

// firstField finds a header field by either name; sipgo's GetHeader does not
// know the compact forms that matter here.
func firstField(m message, name, short string) sip.Header {
	for _, h := range m.Headers() {
		if n := h.Name(); strings.EqualFold(n, name) || short != "" && strings.EqualFold(n, short) {
			return h
		}
	}
	return nil
}

// What is written where a message has no field of the name. Messages share them;
// none is ever changed.
var (
	supportedTimer = sip.NewHeader("Supported", sessiontimer.OptionTag)
	requireTimer   = sip.NewHeader("Require", sessiontimer.OptionTag)
	allowUpdate    = sip.NewHeader("Allow", "UPDATE")
)

// addToken adds the token of a list header field unless some field of that name
// has it. It joins the first field, since many parsers read only that one.
func addToken(m message, field sip.Header, short string) {
	name, token := field.Name(), field.Value()
	for _, h := range m.Headers() {
		if n := h.Name(); strings.EqualFold(n, name) || short != "" && strings.EqualFold(n, short) {
			if sessiontimer.HasToken(h.Value(), token) {
				return
			}
		}
	}
	h := firstField(m, name, short)
	if h == nil {
		m.AppendHeader(field)
		return
	}
	list := strings.TrimSpace(h.Value())
	if list != "" {
		list += ", "
	}
	m.ReplaceHeader(sip.NewHeader(h.Name(), list+token))
}

// removeToken takes a token out of a list header field, and the field if it was
// the only one.
func removeToken(m message, name, short, token string) {
	h := firstField(m, name, short)
	if h == nil || !sessiontimer.HasToken(h.Value(), token) {
		return
	}
	var rest []string
	for _, item := range strings.Split(h.Value(), ",") {
		if item = strings.TrimSpace(item); !strings.EqualFold(item, token) {
			rest = append(rest, item)
		}
	}
	if len(rest) == 0 {
		m.RemoveHeader(h.Name())
		return
	}
	m.ReplaceHeader(sip.NewHeader(h.Name(), strings.Join(rest, ", ")))
}

// optionTags is what the fields of a name list, to be listed again in refreshes
// (RFC 4028 §7.4). It leaves out timer, which each request lists as it needs,
// and 100rel, for which refreshes would owe a PRACK.
func optionTags(m message, name, short string) string {
	var tags []string
	for _, h := range m.Headers() {
		if n := h.Name(); !strings.EqualFold(n, name) && (short == "" || !strings.EqualFold(n, short)) {
			continue
		}
		for tag := range strings.SplitSeq(h.Value(), ",") {
			tag = strings.TrimSpace(tag)
			if tag != "" && !strings.EqualFold(tag, sessiontimer.OptionTag) && !strings.EqualFold(tag, "100rel") {
				tags = append(tags, tag)
			}
		}
	}
	return strings.Join(tags, ", ")
}

// mark writes a proposal into a request (RFC 4028 §7.1, §7.4, §8): whatever
// stood there of an earlier try goes.
func (t *Timers) mark(req *sip.Request, p sessiontimer.Proposal) {
	se, minSE := "", ""
	if p.Send {
		se = p.SessionExpires.String()
	}
	if p.MinSE > 0 {
		minSE = sessiontimer.FormatSeconds(p.MinSE)
	}
	setField(req, sessiontimer.HeaderSessionExpires, "x", se)
	setField(req, sessiontimer.HeaderMinSE, "", minSE)
	removeToken(req, "Require", "", sessiontimer.OptionTag)
	if p.Require {
		addToken(req, requireTimer, "")
	}
	t.markAllow(req)
}

// markAnswer writes an answer into a 2xx (RFC 4028 §9). It may be called again
// for the same response, which sipgo sends anew for each retransmission.
func (t *Timers) markAnswer(res *sip.Response, a sessiontimer.Answer) {
	addToken(res, supportedTimer, "k")
	se := ""
	if a.Send {
		se = a.SessionExpires.String()
	}
	setField(res, sessiontimer.HeaderSessionExpires, "x", se)
	setField(res, sessiontimer.HeaderMinSE, "", "")
	if a.Require {
		addToken(res, requireTimer, "")
	}
	t.markAllow(res)
}

// markAllow lists UPDATE as allowed if it is answered, so that the peer may use
// it (RFC 3311 §4).
func (t *Timers) markAllow(m message) {
	if firstField(m, "Allow", "") == nil {
		m.AppendHeader(t.allow())
	} else if t.answersUpdate() {
		addToken(m, allowUpdate, "")
	}
}

// unmarkToFit takes out what was added until m fits a datagram: first what is
// optional, then the timer of this call. A message that would have been sent
// without us must be sent with us. It reports whether the timer is still there.
// req is m, or what m answers.
func (t *Timers) unmarkToFit(m message, req *sip.Request) (kept bool) {
	if fits(m, req) {
		return true
	}
	if h := firstField(m, "Allow", ""); h != nil && h.Value() == t.allow().Value() {
		m.RemoveHeader(h.Name())
	}
	removeField(m, sessiontimer.HeaderMinSE, "")
	if fits(m, req) {
		return true
	}
	removeField(m, sessiontimer.HeaderSessionExpires, "x")
	removeToken(m, "Require", "", sessiontimer.OptionTag)
	removeToken(m, "Supported", "k", sessiontimer.OptionTag)
	if t.answersUpdate() && !fits(m, req) {
		removeToken(m, "Allow", "", "UPDATE") // what joined the application's own
	}
	return false
}

func callID(m sip.Message) string {
	if h := m.CallID(); h != nil {
		return h.Value()
	}
	return ""
}

func toTag(m sip.Message) string {
	if h := m.To(); h != nil {
		return h.Params.GetOr("tag", "")
	}
	return ""
}

func fromTag(m sip.Message) string {
	if h := m.From(); h != nil {
		return h.Params.GetOr("tag", "")
	}
	return ""
}

// contentType is the type of m's body. One that comes without was taken for a
// session description, and repeats of it must say so (RFC 3261 §20.15).
func contentType(m sip.Message) string {
	if len(m.Body()) == 0 {
		return ""
	}
	if msg, ok := m.(interface{ ContentType() *sip.ContentTypeHeader }); ok {
		if h := msg.ContentType(); h != nil && h.Value() != "" {
			return h.Value()
		}
	}
	return "application/sdp"
}
