package middleware_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
)

// longestScript is the number of steps that are played.
const longestScript = 24

// script is the fuzzer's bytes decoded: three choose the subject, and five are a step.
type script struct {
	begins, policy, app byte
	steps               []step
}

// step is one action: its kind, two faults of its message with a number for each, and the
// pause after it.
type step struct{ op, fault, other, value, pause byte }

func readScript(data []byte) script {
	var s script
	if len(data) < 3 {
		return s
	}
	s.begins, s.policy, s.app = data[0], data[1], data[2]
	for data = data[3:]; len(data) >= 5 && len(s.steps) < longestScript; data = data[5:] {
		s.steps = append(s.steps, step{data[0], data[1], data[2], data[3], data[4]})
	}
	return s
}

// bytes encodes s, the inverse of readScript.
func (s script) bytes() []byte {
	data := []byte{s.begins, s.policy, s.app}
	for _, st := range s.steps {
		data = append(data, st.op, st.fault, st.other, st.value, st.pause)
	}
	return data
}

const (
	subjectCalls = 1   // as begins
	noFault      = 255 // as any number beyond the faults
)

// The kinds of steps. Those before opProvisional send a request.
const (
	opInvite byte = iota
	opAck
	opCancel
	opUpdate
	opReInvite
	opBye
	opPrack
	opInfo
	opProvisional
	opSuccess
	opRefusal
	opRepeat
	opAppBye
	opAppRequest
	opNewCall
	opWait
	ops
)

var requestOf = map[byte]sip.RequestMethod{
	opInvite: sip.INVITE, opAck: sip.ACK, opCancel: sip.CANCEL, opUpdate: sip.UPDATE,
	opReInvite: sip.INVITE, opBye: sip.BYE, opPrack: sip.PRACK, opInfo: sip.INFO,
}

var (
	provisionals = []int{180, 183, 100, 199}
	refusals     = []int{486, 401, 403, 404, 405, 408, 420, 422, 480, 481, 487, 488, 491, 500, 501, 503, 600, 302}
	pauses       = []time.Duration{0, 10 * time.Millisecond, 500 * time.Millisecond, time.Second, 5 * time.Second, 31 * time.Second,
		33 * time.Second, 45 * time.Second, 58 * time.Second, 90 * time.Second, 5 * time.Minute, 15 * time.Minute, 31 * time.Minute}
	intervals = []string{"", "0", "1", "89", "90", "90;refresher=uac", "90;refresher=uas", "1800;refresher=uas", "1800;refresher=uac",
		"4294967295", "99999999999999999999;refresher=uas", "-1", "x", "90;refresher=", "90;;", "90,91", "\t90 ; refresher = UAS",
		strings.Repeat("9", 2000)}
	// sipgo opens real sockets for hosts other than those two.
	contacts = []string{"<sip:x@" + strangerAddr + ">", "", "*", "<sip:peer@10.0.0.9:5060>;expires=0", "<sip:peer@10.0.0.9>, <sip:x@" + strangerAddr + ">",
		"<sip:a\nb@10.0.0.9>", "\"a\nb\" <sip:peer@10.0.0.9>", "<sip:peer@10.0.0.9:5060;lr;x=\n>", "sip:peer@10.0.0.9", "<sips:peer@10.0.0.9>",
		"<sip:peer@10.0.0.9;transport=udp>", "<tel:+1>", "<sip:" + strings.Repeat("a", 900) + "@10.0.0.9>"}
	routeSets = []string{"<sip:10.0.0.9;lr>", "<sip:10.0.0.66;lr>", "<sip:10.0.0.66>", "<sip:10.0.0.9>", "<sip:10.0.0.9;lr>,<sip:10.0.0.66;lr>",
		strings.TrimSuffix(strings.Repeat("<sip:10.0.0.9;lr>,", 40), ","), "<sip:10.0.0.9;\nlr>", "x", "<>"}
	bodies     = []string{"", sipnet.SDP, sipua.SDP("x", "1"), sipua.SDP("x", "2"), "v=0", strings.Repeat("a", 1000)}
	junk       = []string{"a\nX-Injected: 1", "a\x00b", "\x7f", "a\vb", strings.Repeat("b", 800)}
	fieldNames = []string{"Supported", "Require", "Proxy-Require", "Allow", "Call-ID", "From", "To", "X-Other", "Reason", "Content-Type", "Min-SE", "k", "x"}
)

func pick[T any](from []T, v byte) T { return from[int(v)%len(from)] }

// faults are what may be wrong with a message. A script refers to them by number; a number
// that is too large is no fault, so that most messages are correct.
var faults = []func(d *draft, v byte){
	func(d *draft, v byte) {
		d.set("To", pick([]string{"<sip:bob@10.0.0.2>", "<sip:bob@10.0.0.2>;tag=other", ""}, v))
	},
	func(d *draft, v byte) {
		d.set("From", pick([]string{"<sip:peer@10.0.0.9>", "<sip:peer@10.0.0.9>;tag=other", ""}, v))
	},
	func(d *draft, v byte) {
		var n uint32
		_, _ = fmt.Sscan(d.get("CSeq"), &n)
		_, method, _ := strings.Cut(d.get("CSeq"), " ")
		d.set("CSeq", fmt.Sprintf("%d %s", pick([]uint32{n - 1, n - 2, n + 1, n + 1000, 0, 1, 1<<31 - 1, 1 << 31}, v), method))
	},
	func(d *draft, v byte) {
		n, _, _ := strings.Cut(d.get("CSeq"), " ")
		d.set("CSeq", n+" "+pick([]string{"INVITE", "UPDATE", "BYE", "ACK", "X\nY"}, v))
	},
	func(d *draft, v byte) {
		d.set("Call-ID", pick([]string{"other", "a\nb", strings.Repeat("c", 600), ""}, v))
	},
	func(d *draft, v byte) { d.set("Contact", pick(contacts, v)) },
	func(d *draft, v byte) { d.set("Session-Expires", pick(intervals, v)) },
	func(d *draft, v byte) { d.set("Min-SE", pick(intervals, v)) },
	func(d *draft, v byte) {
		d.set("Supported", pick([]string{"", "timer", "100rel", "timer, 100rel", "a\nb"}, v))
	},
	func(d *draft, v byte) { d.add("Require", pick([]string{"timer", "100rel", "x", "timer, x"}, v)) },
	func(d *draft, v byte) { d.set("Allow", pick([]string{"", "INVITE, ACK, BYE", "UPDATE"}, v)) },
	func(d *draft, v byte) { d.add("Record-Route", pick(routeSets, v)) },
	func(d *draft, v byte) { d.body = pick(bodies, v) },
	func(d *draft, v byte) { d.add(pick(fieldNames, v), pick(junk, v/16)) },
	func(d *draft, v byte) {
		d.set("Via", "SIP/2.0/UDP "+peerAddr+pick([]string{"", ";branch=1", ";branch=z9hG4bK-1", ";branch=z9hG4bK"}, v))
	},
	func(d *draft, _ byte) { d.stranger = true },
	func(d *draft, _ byte) { d.twice = true },
	func(d *draft, v byte) { d.add("Session-Expires", pick(intervals, v)) },
	func(d *draft, v byte) { d.set("RSeq", pick([]string{"1", "0", "x"}, v)); d.add("Require", "100rel") },
}

func (st step) spoil(d *draft) {
	for _, f := range []byte{st.fault, st.other} {
		if int(f) < len(faults) {
			faults[f](d, st.value)
		}
	}
}
