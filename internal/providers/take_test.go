package providers

import (
	"fmt"
	"slices"
	"strings"
	"testing/synctest"

	"github.com/emiago/sipgo/sip"
)

// refusal is a final response that is not 2xx.
type refusal struct {
	code    int
	phrase  string
	headers []string
}

// refuses returns the refusal of our INVITE, UPDATE or BYE; nil if it accepts.
func (v *provider) refuses(req *sip.Request, challenged bool) *refusal {
	f := fields(req)
	switch {
	case challenged && req.GetHeader("Proxy-Authorization") == nil:
		return &refusal{407, "Proxy Authentication Required", []string{digest}}
	case len(req.GetHeaders("Min-SE")) > 1 || f.HasSessionExpires && int(f.SessionExpires.Interval.Seconds()) < v.minSE:
		return &refusal{422, "Session Interval Too Small", []string{fmt.Sprintf("Min-SE: %d", v.minSE)}}
	}
	return nil
}

// take is what it does with a request of ours within the call.
func (v *provider) take(req *sip.Request) {
	if !v.checkPath(req) || req.IsAck() {
		return
	}
	if number := req.CSeq().SeqNo; number <= v.number {
		v.t.Errorf("%s has CSeq %d after %d", req.Method, number, v.number)
		v.peer.Reply(req, 408, "Request Timeout")
		return
	}
	v.number = req.CSeq().SeqNo
	switch req.Method {
	case sip.BYE:
		if r := v.refuses(req, v.challenges.bye); r != nil {
			v.peer.Reply(req, r.code, r.phrase, r.headers...)
			return
		}
		v.over = true
		v.peer.Reply(req, 200, "OK")
	case sip.UPDATE:
		v.takeUpdate(req)
	case sip.INVITE:
		v.takeReInvite(req)
	default:
		v.peer.Reply(req, 200, "OK")
	}
}

func (v *provider) takeUpdate(req *sip.Request) {
	switch {
	case v.update == refuses405:
		v.t.Errorf("UPDATE to a peer that does not allow it")
		v.peer.Reply(req, 405, "Method Not Allowed")
	case v.update == takes:
		v.accept(req)
	}
}

func (v *provider) takeReInvite(req *sip.Request) {
	if string(req.Body()) == v.offer {
		v.same++
	}
	v.offer = string(req.Body())
	r := v.refuses(req, v.challenges.again)
	switch {
	case r != nil:
		v.same--
		v.peer.Reply(req, r.code, r.phrase, r.headers...)
		v.peer.ExpectRequest(v.t, sip.ACK)
	case v.jealous && v.session.interval > 0 && strings.Contains(sessionExpires(req), "uas") == v.session.ours:
		v.t.Errorf("a re-INVITE that names another refresher: %s", sessionExpires(req))
	case v.repeats != 0 && v.same > max(v.repeats, 0):
		v.gaveUp = true
		v.hangUp()
	default:
		v.accept(req)
	}
}

// accept answers a refresh.
func (v *provider) accept(req *sip.Request) {
	v.served++
	lines := v.own()
	asked := sessionExpires(req)
	switch {
	case v.fixed != "":
		lines = append(lines, "Session-Expires: "+v.fixed)
	case v.stripped, !v.timers(), asked == "":
	default:
		lines = append(lines, "Session-Expires: "+asked)
	}
	if v.moves {
		lines = append(lines, fmt.Sprintf("Record-Route: <sip:10.0.0.9:%d;lr>", 6000+v.served))
	}
	v.settle(v.peer.Reply(req, 200, "OK", lines...), false)
	synctest.Wait()
	if req.IsInvite() {
		v.checkPath(v.peer.ExpectRequest(v.t, sip.ACK))
	}
}

// own are the header lines that it repeats in each message of the call.
func (v *provider) own() []string {
	return slices.DeleteFunc(slices.Clone(v.lines), func(line string) bool {
		name, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(name) {
		case "record-route", "session-expires", "x", "min-se", "cseq":
			return true
		case "require":
			return strings.Contains(value, "timer") && !v.stripped
		}
		return false
	})
}

// timers reports whether it has them.
func (v *provider) timers() bool { return listsTimer(v.lines) }

// listsTimer reports whether header lines speak of timers.
func listsTimer(lines []string) bool {
	return slices.ContainsFunc(lines, func(line string) bool {
		line = strings.ToLower(line)
		return strings.Contains(line, "timer") || strings.HasPrefix(line, "session-expires") || strings.HasPrefix(line, "x:")
	})
}

// checkPath answers 481 to a request that does not follow the route set of the first message
// to its Contact.
func (v *provider) checkPath(req *sip.Request) bool {
	var route []string
	for _, h := range req.GetHeaders("Route") {
		route = append(route, h.Value())
	}
	if slices.Equal(route, v.route) && req.Recipient.String() == v.target {
		return true
	}
	v.t.Errorf("%s to %s by %q, want %s by %q", req.Method, req.Recipient.String(), route, v.target, v.route)
	if !req.IsAck() {
		v.peer.Reply(req, 481, "Call/Transaction Does Not Exist")
	}
	return false
}
