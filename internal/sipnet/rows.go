package sipnet

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Label names a message: "INVITE" or "200 OK (INVITE)". For nil, which stands
// for a message that could not be parsed, it is "unreadable".
func Label(m sip.Message) string {
	switch m := m.(type) {
	case *sip.Request:
		return m.Method.String()
	case *sip.Response:
		label := strings.TrimSpace(fmt.Sprintf("%d %s", m.StatusCode, m.Reason))
		if cseq := m.CSeq(); cseq != nil {
			label += " (" + methodOf(cseq).String() + ")"
		}
		return label
	}
	return "unreadable"
}

// Timers returns the session-timer headers of m on one line: Session-Expires
// (also written x), Min-SE and Reason, in this order and under these names, with
// their values as they stand there. It is empty if m has none.
func Timers(m sip.Message) string {
	var out []string
	for _, names := range [][]string{{"Session-Expires", "x"}, {"Min-SE"}, {"Reason"}} {
		for _, value := range headerValues(m, names...) {
			out = append(out, names[0]+": "+value)
		}
	}
	return strings.Join(out, ", ")
}

// Rows returns one string per message, such as
//
//	2000.000s alice->bob UPDATE | Session-Expires: 4000;refresher=uac
//
// for exact comparison. names maps addresses to names; an address without one
// stands for itself. A dropped message has "(lost)" behind its label.
func Rows(names map[string]string, msgs []Message) []string {
	rows := make([]string, 0, len(msgs))
	for _, m := range msgs {
		row := fmt.Sprintf("%.3fs %s->%s %s", m.At.Seconds(),
			cmp.Or(names[m.From], m.From), cmp.Or(names[m.To], m.To), Label(m.SIP))
		if m.Dropped {
			row += " (lost)"
		}
		if timers := Timers(m.SIP); timers != "" {
			row += " | " + timers
		}
		rows = append(rows, row)
	}
	return rows
}

// notes is what the ladder prints at the right: the session-timer headers, and
// the option tag timer where it stands in Require or Supported.
func notes(m sip.Message) string {
	var out []string
	if timers := Timers(m); timers != "" {
		out = append(out, timers)
	}
	for _, names := range [][]string{{"Require"}, {"Supported", "k"}} {
		for _, value := range headerValues(m, names...) {
			for tag := range strings.SplitSeq(value, ",") {
				if strings.EqualFold(strings.TrimSpace(tag), "timer") {
					out = append(out, names[0]+": timer")
				}
			}
		}
	}
	return strings.Join(out, ", ")
}

// headerValues returns the values of all headers called any of names, in order.
func headerValues(m sip.Message, names ...string) []string {
	holder, ok := m.(interface{ Headers() []sip.Header })
	if !ok {
		return nil
	}
	var values []string
	for _, h := range holder.Headers() {
		for _, name := range names {
			if strings.EqualFold(h.Name(), name) {
				values = append(values, h.Value())
			}
		}
	}
	return values
}
