package sipnet

import (
	"fmt"

	"github.com/emiago/sipgo/sip"
)

// Reporter is the part of testing.TB that a check needs.
type Reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// CheckCSeq reports every request among msgs, including lost ones, whose CSeq breaks RFC
// 3261. For each side of a dialog, starting with the INVITE that made it:
//
//   - the number rises with every new transaction (§12.2.1.1); a request with a
//     branch seen before is a retransmission and must not have changed it;
//   - an ACK carries the number of an INVITE sent before (§13.2.2.4), and after a
//     final response other than 2xx that INVITE's branch, too (§17.1.1.3);
//   - a CANCEL carries number and branch of an INVITE sent before (§9.1);
//   - the method in CSeq is that of the request (§8.1.1.5).
//
// A request with several Via headers is not checked: it was checked when its sender sent
// it to the proxy.
func CheckCSeq(t Reporter, msgs []Message) {
	t.Helper()
	sides := make(cseqSides)
	for _, m := range msgs {
		if m.SIP == nil || m.SIP.CallID() == nil || m.SIP.From() == nil || m.SIP.CSeq() == nil || m.SIP.Via() == nil {
			continue
		}
		tag, _ := m.SIP.From().Params.Get("tag")
		side := cseqSide{callID: m.SIP.CallID().Value(), tag: tag}
		if to := m.SIP.To(); to != nil {
			side.peer, _ = to.Params.Get("tag")
		}
		var wrong string
		switch msg := m.SIP.(type) {
		case *sip.Request:
			if len(msg.GetHeaders("via")) == 1 {
				wrong = sides.of(side).request(msg)
			}
		case *sip.Response:
			sides.response(side, msg)
		}
		if wrong != "" {
			t.Errorf("%.3fs %s->%s %s, CSeq %s, Call-ID %s, From tag %s: %s", m.At.Seconds(),
				m.From, m.To, Label(m.SIP), m.SIP.CSeq().Value(), side.callID, side.tag, wrong)
		}
	}
}

// cseqSide is one side of one dialog, with its own sequence of numbers. Before there is a
// To tag, it has no peer.
type cseqSide struct{ callID, tag, peer string }

type cseqSides map[cseqSide]*cseqState

func (sides cseqSides) of(side cseqSide) *cseqState {
	s := sides[side]
	if s == nil {
		s = &cseqState{
			requests: make(map[cseqTx]uint32),
			invites:  make(map[uint32]string),
			finals:   make(map[uint32]int),
		}
		sides[side] = s
		if side.peer != "" {
			s.before = sides.of(cseqSide{callID: side.callID, tag: side.tag})
		}
	}
	return s
}

// response notes the first final response to an INVITE. Its From tag is that of the
// request, so it belongs to the side that sent the INVITE. A dialog that it makes goes on
// from there.
func (sides cseqSides) response(side cseqSide, res *sip.Response) {
	if methodOf(res.CSeq()) != sip.INVITE {
		return
	}
	s, number := sides.of(side), res.CSeq().SeqNo
	branch, _ := res.Via().Params.Get("branch")
	if s.before != nil && s.before.invites[number] == branch {
		if !s.started {
			s.last, s.started = number, true
		}
		s = s.before
	}
	if res.StatusCode >= 200 && s.finals[number] == 0 {
		s.finals[number] = res.StatusCode
	}
}

// cseqTx is a transaction of one side. An ACK or CANCEL shares the branch of its
// INVITE, hence the method.
type cseqTx struct {
	branch string
	method sip.RequestMethod
}

type cseqState struct {
	before   *cseqState // what was sent before the dialog; nil for that state itself
	last     uint32
	started  bool
	requests map[cseqTx]uint32
	invites  map[uint32]string // branch by number
	finals   map[uint32]int    // status of the final response to INVITE by number
}

// request notes a request and returns what is wrong with it, or nothing.
func (s *cseqState) request(req *sip.Request) string {
	cseq := req.CSeq()
	if methodOf(cseq) != req.Method {
		return "the method in CSeq is not the request's"
	}
	branch, _ := req.Via().Params.Get("branch")
	switch req.Method {
	case sip.ACK:
		return s.ack(cseq.SeqNo, branch)
	case sip.CANCEL:
		if invite, ok := s.of(cseq.SeqNo).invites[cseq.SeqNo]; !ok || invite != branch {
			return "no INVITE with this number and branch was sent"
		}
		return ""
	}

	tx := cseqTx{branch, req.Method}
	if number, ok := s.requests[tx]; ok {
		if number != cseq.SeqNo {
			return fmt.Sprintf("a retransmission changed the number from %d", number)
		}
		return ""
	}
	s.requests[tx] = cseq.SeqNo
	last, started := s.last, s.started
	s.last, s.started = max(last, cseq.SeqNo), true
	if req.Method == sip.INVITE {
		s.invites[cseq.SeqNo] = branch
	}
	if started && cseq.SeqNo <= last {
		return fmt.Sprintf("the number does not rise above %d", last)
	}
	return ""
}

// of returns the state in which an INVITE was sent: within the dialog, or before; nil if
// in neither.
func (s *cseqState) of(number uint32) *cseqState {
	if _, ok := s.invites[number]; !ok && s.before != nil {
		return s.before
	}
	return s
}

func (s *cseqState) ack(number uint32, branch string) string {
	s = s.of(number)
	invite, ok := s.invites[number]
	if !ok {
		return "no INVITE with this number was sent"
	}
	if s.finals[number] >= 300 && branch != invite {
		return fmt.Sprintf("the INVITE was answered with %d, but the branch is not the INVITE's", s.finals[number])
	}
	return ""
}
