package providers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// provider is the engine that a profile plays on: one call of it.
type provider struct {
	*profile
	t     *testing.T
	peer  *sipnet.Peer
	net   *sipnet.Network
	lines []string // header lines of its side

	route   []string // that our requests must have
	target  string   // and their Request-URI
	session timer    // as it understands it
	agreed  string   // Session-Expires of the first 2xx
	number  uint32   // last CSeq of ours
	same    int      // re-INVITEs that changed nothing
	offer   string   // of ours, the last
	over    bool     // it, or we, have hung up
	gaveUp  bool     // because nobody refreshed, or for a re-INVITE
	served  int      // requests of ours that it accepted
	left    bool     // we have left the call; it does not know
}

// timer is a session as a provider sees it.
type timer struct {
	since    time.Duration
	interval time.Duration
	ours     bool // we are to refresh
}

func newProvider(t *testing.T, p *profile, peer *sipnet.Peer, n *sipnet.Network, weCall bool) *provider {
	v := &provider{profile: p, t: t, peer: peer, net: n, lines: p.calls}
	if weCall {
		v.lines = p.answers
	}
	peer.Outbound, peer.Number = usAddr, p.number
	peer.Dress = sipnet.Dress(p.rewrite...)
	for _, line := range v.lines {
		name, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); name {
		case "Record-Route":
			v.route = append(v.route, value)
		case "Contact":
			v.target = strings.Trim(value, "<>")
		}
	}
	if weCall {
		slices.Reverse(v.route)
	}
	return v
}

// invite calls.
func (v *provider) invite(uri string) {
	v.peer.Invite(uri, v.lines...)
	res := v.peer.ExpectResponse(v.t, 200)
	v.ack(res)
	v.settle(res, true)
	v.agree()
}

// answer takes our INVITE, after a challenge and a 422 if it has those.
func (v *provider) answer() {
	for {
		req := v.peer.ExpectRequest(v.t, sip.INVITE)
		if refusal := v.refuses(req, v.challenges.first); refusal != nil {
			v.peer.Reply(req, refusal.code, refusal.phrase, refusal.headers...)
			v.peer.ExpectRequest(v.t, sip.ACK)
			continue
		}
		v.number, v.offer = req.CSeq().SeqNo, string(req.Body())
		asked, _, _ := strings.Cut(sessionExpires(req), ";")
		var lines []string
		for _, line := range v.lines {
			if line = strings.ReplaceAll(line, "{asked}", asked); !strings.HasPrefix(line, "Session-Expires: ;") {
				lines = append(lines, line)
			}
		}
		res := v.peer.Reply(req, 200, "OK", lines...)
		v.settle(res, false)
		v.agree()
		ack := v.peer.ExpectRequest(v.t, sip.ACK)
		v.checkPath(ack)
		if v.twice {
			v.peer.Send(usAddr, res.String())
			if msg, ok := v.peer.RecvAny(time.Second); !ok || sipnet.Label(msg) != "ACK" {
				v.t.Errorf("a 200 that comes again is not acknowledged")
			}
		}
		return
	}
}

// ack acknowledges a 200 of ours.
func (v *provider) ack(res *sip.Response) {
	var extra []string
	if v.ackSDP || v.offerless && res.To() != nil && v.served > 0 {
		extra = []string{sipnet.SDP}
	}
	v.peer.Ack(res, extra...)
	synctest.Wait()
}

// play is the provider until the given time, or until the call is over.
func (v *provider) play(until time.Duration) {
	for !v.over {
		next, act := v.due()
		if act == nil || next > until {
			next, act = until, nil
		}
		msg, ok := v.peer.Recv(next - v.net.Elapsed())
		switch {
		case ok:
			if req, is := msg.(*sip.Request); is {
				v.take(req)
			}
			synctest.Wait()
		case act != nil:
			act()
			synctest.Wait()
		default:
			synctest.Wait()
			return
		}
	}
}

// due is what it does next by itself, and when; nil for nothing.
func (v *provider) due() (time.Duration, func()) {
	s := v.session
	switch {
	case s.interval == 0:
		return 0, nil
	case !s.ours && v.refresh != "":
		return s.since + s.interval/2 - v.early, v.refreshes
	case s.ours:
		return v.givesUp(), func() {
			v.gaveUp = true
			v.hangUp(`Reason: SIP;cause=408;text="Session timeout"`)
		}
	}
	return 0, nil
}

// givesUp is when it hangs up a session that we have not refreshed.
func (v *provider) givesUp() time.Duration {
	part := time.Duration(max(v.margin, 3))
	return v.session.since + v.session.interval - min(32*time.Second, v.session.interval/part)
}

// refreshes sends a refresh of its own, or puts on hold and back; the roles stay.
func (v *provider) refreshes() {
	lines := v.own()
	if v.session.interval > 0 && !v.stripped && v.fixed == "" {
		role := "uac"
		if v.session.ours {
			role = "uas"
		}
		lines = append(lines, fmt.Sprintf("Session-Expires: %d;refresher=%s", v.session.interval/time.Second, role))
	}
	v.served++
	method := cmp.Or(v.refresh, sip.INVITE)
	switch {
	case v.offerless && method == sip.INVITE:
		lines = append(lines, "")
	case v.bumps:
		lines = append(lines, strings.Replace(sipnet.SDP, "o=- 1 1 ", fmt.Sprintf("o=- 1 %d ", v.served+1), 1))
	}
	v.peer.Request(method, lines...)
	res := v.peer.ExpectResponse(v.t, 200)
	if method == sip.INVITE {
		v.ack(res)
	}
	v.settle(res, true)
}

// hangUp sends its BYE.
func (v *provider) hangUp(headers ...string) {
	v.over = true
	v.peer.Request(sip.BYE, headers...)
	want := 200
	if v.left {
		want = 481
	}
	v.peer.ExpectResponse(v.t, want)
}

// settle notes the session of a 2xx; sent says that it is ours, to a request of its.
func (v *provider) settle(res *sip.Response, sent bool) {
	f := fields(res)
	v.session = timer{since: v.net.Elapsed()}
	switch {
	case f.HasSessionExpires:
		if sent {
			v.checkInterval(f.SessionExpires.Interval)
		}
		v.session.interval = f.SessionExpires.Interval
		v.session.ours = (f.SessionExpires.Refresher == sessiontimer.UAS) == sent || v.refresh == ""
	case v.limit > 0:
		v.session.interval, v.session.ours = v.limit, true
	}
}

// checkInterval: a 2xx of ours says no less than the Min-SE of its INVITE.
func (v *provider) checkInterval(got time.Duration) {
	var own sessiontimer.Fields
	for _, line := range v.lines {
		name, value, _ := strings.Cut(line, ":")
		own.Add(name, value)
	}
	if least := max(own.MinSE, sessiontimer.Floor); got < least {
		v.t.Errorf("our 2xx says %v, want %v or more", got, least)
	}
}

func fields(m sip.Message) sessiontimer.Fields {
	var f sessiontimer.Fields
	holder, _ := m.(interface{ Headers() []sip.Header })
	for _, h := range holder.Headers() {
		f.Add(h.Name(), h.Value())
	}
	return f
}

func sessionExpires(m sip.Message) string {
	if f := fields(m); f.HasSessionExpires {
		return f.SessionExpires.String()
	}
	return ""
}

// agree notes what the 2xx to the INVITE says on the wire.
func (v *provider) agree() {
	v.agreed = "no timer"
	for _, m := range v.net.Messages() {
		if sipnet.Label(m.SIP) != "200 OK (INVITE)" {
			continue
		}
		if se := sessionExpires(m.SIP); se != "" {
			v.agreed = "`" + se + "`"
		} else if fields(m.SIP).Required {
			v.agreed = "`Require: timer` alone"
		}
	}
}
