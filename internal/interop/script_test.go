//go:build interop

package interop

import (
	"fmt"
	"strings"
	"time"
)

// script is a SIPp scenario in the making: one call, from its first message to
// its last.
type script struct {
	b      strings.Builder
	callee bool // SIPp is called
	isUp   bool // the peer's tag is known
	cseq   int
}

// newScript begins a scenario; a callee knows the caller once it was called.
func newScript(callee bool) *script {
	s := &script{callee: callee}
	s.b.WriteString("<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"call\">\n")
	return s
}

// xml is the scenario.
func (s *script) xml() string {
	end := ""
	if s.callee {
		end = "<Reference variables=\"from,to,target\"/>\n"
	}
	return s.b.String() + end + "</scenario>\n"
}

const sdpBody = `v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 9 RTP/AVP 0
a=rtpmap:0 PCMU/8000
`

// message sends a message, with a session description perhaps.
func (s *script) message(sdp bool, lines ...string) *script {
	body := ""
	if sdp {
		lines = append(lines, "Content-Type: application/sdp")
		body = sdpBody
	}
	lines = append(lines, "Content-Length: [len]", "", body)
	fmt.Fprintf(&s.b, "<send><![CDATA[\n%s\n]]></send>\n", strings.Join(lines, "\n"))
	return s
}

// request sends a request of the call.
func (s *script) request(method string, cseq int, sdp bool, headers ...string) *script {
	lines := []string{
		method + " sip:subject@[remote_ip]:[remote_port] SIP/2.0",
		"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
		"From: <sip:sipp@[local_ip]:[local_port]>;tag=sipp[call_number]",
		"To: <sip:subject@[remote_ip]:[remote_port]>",
	}
	if s.isUp {
		lines[3] += "[peer_tag_param]"
	}
	if s.callee {
		lines[0] = method + " [$target] SIP/2.0"
		lines[2] = "From: [$to];tag=sipp[call_number]"
		lines[3] = "To: [$from]"
	}
	lines = append(lines, "Call-ID: [call_id]", fmt.Sprintf("CSeq: %d %s", cseq, method), "Max-Forwards: 70")
	if method == "INVITE" || method == "UPDATE" {
		lines = append(lines, "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>")
	}
	return s.message(sdp, append(lines, headers...)...)
}

// answers of SIPp's own side list UPDATE.
const allowUpdate = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE"

// invite sends an INVITE; it has to be answered 200 and is acknowledged.
func (s *script) invite(headers ...string) *script {
	s.cseq++
	s.request("INVITE", s.cseq, true, append(headers, allowUpdate)...).response(200)
	s.isUp = true
	return s.request("ACK", s.cseq, false)
}

// inviteRefused sends an INVITE that has to be answered with status.
func (s *script) inviteRefused(status int, headers ...string) *script {
	s.cseq++
	s.request("INVITE", s.cseq, true, append(headers, allowUpdate)...).response(status)
	return s.message(false, "ACK sip:subject@[remote_ip]:[remote_port] SIP/2.0",
		"[last_Via:]", "[last_From:]", "[last_To:]", "[last_Call-ID:]", fmt.Sprintf("CSeq: %d ACK", s.cseq), "Max-Forwards: 70")
}

// update sends an UPDATE; it has to be answered with status.
func (s *script) update(status int, headers ...string) *script {
	s.cseq++
	return s.request("UPDATE", s.cseq, false, headers...).response(status)
}

// refresh sends a refresh by either method.
func (s *script) refresh(method string, headers ...string) *script {
	if method == "UPDATE" {
		return s.update(200, headers...)
	}
	return s.invite(headers...)
}

// bye hangs up.
func (s *script) bye() *script {
	s.cseq++
	return s.request("BYE", s.cseq, false).response(200)
}

// response receives a final response, and provisional ones before it.
func (s *script) response(status int) *script {
	for _, p := range []int{100, 180, 183} {
		fmt.Fprintf(&s.b, "<recv response=\"%d\" optional=\"true\"/>\n", p)
	}
	fmt.Fprintf(&s.b, "<recv response=\"%d\"/>\n", status)
	return s
}

// called receives the INVITE of the call.
func (s *script) called() *script {
	s.b.WriteString(`<recv request="INVITE"><action>
<ereg regexp="[^ ].*" search_in="hdr" header="From:" assign_to="from"/>
<ereg regexp="[^ ].*" search_in="hdr" header="To:" assign_to="to"/>
<ereg regexp="sip:[^>;]*" search_in="hdr" header="Contact:" assign_to="target"/>
</action></recv>
`)
	return s
}

// expects receives a request.
func (s *script) expects(method string) *script {
	fmt.Fprintf(&s.b, "<recv request=\"%s\"/>\n", method)
	return s
}

// maybe is for a request that need not come.
func (s *script) maybe(method string) *script {
	fmt.Fprintf(&s.b, "<recv request=\"%s\" optional=\"true\"/>\n", method)
	return s
}

// answer responds to the request received last.
func (s *script) answer(status string, sdp bool, headers ...string) *script {
	return s.message(sdp, append([]string{
		"SIP/2.0 " + status,
		"[last_Via:]", "[last_From:]", "[last_To:]", "[last_Call-ID:]", "[last_CSeq:]",
		"Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>", allowUpdate,
	}, headers...)...)
}

// first responds to the INVITE of the call, and adds the tag.
func (s *script) first(status string, sdp bool, headers ...string) *script {
	return s.message(sdp, append([]string{
		"SIP/2.0 " + status,
		"[last_Via:]", "[last_From:]", "[last_To:];tag=sipp[call_number]", "[last_Call-ID:]", "[last_CSeq:]",
		"Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>",
	}, headers...)...)
}

// up answers the call with 200.
func (s *script) up(headers ...string) *script {
	return s.called().first("200 OK", true, append(headers, allowUpdate)...).expects("ACK")
}

// refreshed receives a refresh and answers it with 200.
func (s *script) refreshed(method string, headers ...string) *script {
	s.expects(method).answer("200 OK", method == "INVITE", headers...)
	if method == "INVITE" {
		s.expects("ACK")
	}
	return s
}

// over receives the BYE.
func (s *script) over() *script { return s.expects("BYE").answer("200 OK", false) }

// pause waits; nothing may arrive meanwhile.
func (s *script) pause(d time.Duration) *script {
	fmt.Fprintf(&s.b, "<pause milliseconds=\"%d\"/>\n", d.Milliseconds())
	return s
}
