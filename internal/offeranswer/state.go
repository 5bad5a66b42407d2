package offeranswer

import "bytes"

// Party is one of the two ends of a dialog.
type Party uint8

// The parties.
const (
	Us Party = iota
	Peer
)

func (p Party) other() Party { return 1 - p }

// Message is the part of a SIP message that matters for offer and answer.
type Message struct {
	Method   string // of the request, also in a response
	CSeq     uint32 // of the request; for a PRACK and its responses the PRACK's own
	Status   int    // 0 in a request
	Reliable bool   // a provisional response that a PRACK acknowledges (RFC 3262)
	Type     string // Content-Type
	Body     []byte
}

// Agreed is what both sides have agreed on. The zero value means nothing.
type Agreed struct {
	Ours, Peers Description
	WeOffered   bool // ours was the offer and the peer's the answer
}

// State is the offer/answer state of a dialog, early or confirmed. The zero State is that
// of a dialog without any description. After a restart it is made from the stored Agreed. It
// is a plain value.
type State struct {
	Agreed  Agreed
	open    [2]exchange // the offer of each party that has no answer yet
	invites [2]invite   // the latest INVITE of each party
}

// exchange is an offer and the transaction that carries its answer.
type exchange struct {
	offer  Description
	asker  Party // the sender of the request of the transaction
	method string
	cseq   uint32
	first  uint32      // the first of successive INVITEs with the same offer
	early  Description // an answer in an unreliable response: a promise
}

// invite is an INVITE whose responses and ACK may carry a description.
type invite struct {
	pending bool
	cseq    uint32
	offered bool    // it had an offer, or a response did
	before  *Agreed // what was agreed before it, if that changed while it is pending
}

// After returns the state after by has sent m and the other end has received it. A
// request without a response counts as refused: pass a 408. Only session descriptions
// count, alone or in a multipart body. They are ignored where RFC 6337 §2.2 allows
// neither offer nor answer.
func (s State) After(by Party, m Message) State {
	d, found := Find(m.Type, m.Body)
	switch {
	case m.Status == 0:
		return s.request(by, m, d, found)
	case m.Status < 200:
		if m.Method == "INVITE" && found {
			return s.provisional(by, m, d)
		}
	case m.Status < 300:
		return s.success(by, m, d, found)
	default:
		return s.withdrawn(by.other(), m)
	}
	return s
}

func (s State) request(by Party, m Message, d Description, found bool) State {
	other := by.other()
	switch m.Method {
	case "INVITE":
		first := m.CSeq
		if x := s.open[by]; x.asker == by && x.method == m.Method && x.offer.Equal(d) {
			first = x.first // the same offer to another place: either may be answered
		}
		s = s.lapse(by) // the sender is done with its previous INVITE
		if found {
			s.open[by] = exchange{offer: d, asker: by, method: m.Method, cseq: m.CSeq, first: first}
		}
		s.invites[by] = invite{pending: true, cseq: m.CSeq, offered: found}
	case "ACK":
		if found && s.awaits(other, by, "INVITE", m.CSeq) {
			s = s.agree(other, d)
		}
		if s.invites[by].cseq == m.CSeq {
			s = s.lapse(by)
		}
		return s
	case "PRACK":
		// It answers an offer in the response that it acknowledges; otherwise it
		// may be an offer itself (RFC 3262 §5).
		if x := s.open[other]; found && x.asker == by && x.method == "INVITE" {
			return s.keep().agree(other, d)
		}
	case "UPDATE":
	default:
		return s
	}
	if found && !s.Offering(by) {
		s.open[by] = exchange{offer: d, asker: by, method: m.Method, cseq: m.CSeq, first: m.CSeq}
	}
	return s
}

// provisional handles a description in a 1xx to an INVITE. Only in a reliable 1xx is it
// an offer or the answer; in another it promises what the 2xx will say (RFC 3261
// §13.2.1).
func (s State) provisional(by Party, m Message, d Description) State {
	asker := by.other()
	switch {
	case s.awaits(asker, asker, m.Method, m.CSeq):
		if m.Reliable {
			return s.keep().agree(asker, d)
		}
		s.open[asker].early = d
	case m.Reliable:
		return s.lateOffer(by, m, d)
	}
	return s
}

func (s State) success(by Party, m Message, d Description, found bool) State {
	asker := by.other()
	switch {
	case s.awaits(asker, asker, m.Method, m.CSeq) || found && s.repeated(asker, m):
		if early := s.open[asker].early; !found && len(early.Body) > 0 {
			d, found = early, true
		}
		if m.Method != "INVITE" {
			s = s.keep()
		}
		if found {
			s = s.agree(asker, d)
		} else {
			s = s.unanswered(asker)
		}
	case found && m.Method == "INVITE":
		s = s.lateOffer(by, m, d)
	}
	// The ACK matters only if it answers an offer in this response.
	if m.Method == "INVITE" && s.invites[asker].cseq == m.CSeq && !s.awaits(by, asker, m.Method, m.CSeq) {
		s.invites[asker] = invite{}
	}
	return s
}

// lateOffer handles an offer in a response to an INVITE that had none (RFC 3261 §13.2.1).
// Later descriptions in the same INVITE transaction repeat it.
func (s State) lateOffer(by Party, m Message, d Description) State {
	v := &s.invites[by.other()]
	if !v.pending || v.cseq != m.CSeq || v.offered {
		return s
	}
	v.offered = true
	s.open[by] = exchange{offer: d, asker: by.other(), method: m.Method, cseq: m.CSeq}
	return s
}

// withdrawn rolls back what a refused or cancelled transaction of asker left open on
// either side (RFC 3261 §14.1, RFC 3311 §5.1). For an INVITE that includes what was
// agreed while it was pending (RFC 6141 §3.4).
func (s State) withdrawn(asker Party, m Message) State {
	for p := range s.open {
		if s.awaits(Party(p), asker, m.Method, m.CSeq) {
			s.open[p] = exchange{}
		}
	}
	if v := s.invites[asker]; m.Method == "INVITE" && v.pending && v.cseq == m.CSeq {
		if v.before != nil {
			s.Agreed = *v.before
		}
		s.invites[asker] = invite{}
	}
	return s
}

// awaits reports whether an offer of p is answered within the given transaction.
func (s *State) awaits(p, asker Party, method string, cseq uint32) bool {
	x := &s.open[p]
	return len(x.offer.Body) > 0 && x.asker == asker && x.method == method && x.cseq == cseq
}

// repeated reports whether m answers an INVITE of asker whose offer has been sent again
// since.
func (s *State) repeated(asker Party, m Message) bool {
	x := &s.open[asker]
	return m.Method == "INVITE" && s.awaits(asker, asker, m.Method, x.cseq) && x.first <= m.CSeq && m.CSeq < x.cseq
}

// keep saves what is agreed, in case a pending INVITE is refused.
func (s State) keep() State {
	for i := range s.invites {
		if v := &s.invites[i]; v.pending && v.before == nil {
			before := s.Agreed
			v.before = &before
		}
	}
	return s
}

// agree closes the open offer of p with its answer. If that offer was not in an INVITE, an
// open one in an INVITE of the other party is dropped: its answer was only a promise, or
// this exchange has overtaken it.
func (s State) agree(p Party, answer Description) State {
	offer, other := s.open[p].offer, p.other()
	if s.open[p].method != "INVITE" && s.open[other].method == "INVITE" {
		s.open[other] = exchange{}
	}
	s.open[p] = exchange{}
	before := s.Agreed.Peers.Beside
	if p == Us {
		s.Agreed = Agreed{Ours: offer, Peers: answer, WeOffered: true}
	} else {
		s.Agreed = Agreed{Ours: answer, Peers: offer}
	}
	if s.Agreed.Peers.Beside == 0 {
		s.Agreed.Peers.Beside = before // a body without other parts does not change them
	}
	s.Agreed.Ours.Beside = 0 // refreshes do not repeat our other parts
	return s
}

// unanswered handles a 2xx that should have an answer and has none. What was agreed
// stays. If nothing was, our offer is all there is to refresh with.
func (s State) unanswered(p Party) State {
	if p == Us && len(s.Agreed.Ours.Body) == 0 {
		s.Agreed = Agreed{Ours: s.open[p].offer, WeOffered: true}
	}
	s.open[p] = exchange{}
	return s
}

// lapse ends the INVITE of asker and the unanswered offers in it.
func (s State) lapse(asker Party) State {
	for p, x := range s.open {
		if x.asker == asker && x.method == "INVITE" {
			s.open[p] = exchange{}
		}
	}
	s.invites[asker] = invite{}
	return s
}

// Offering reports whether p has made an offer that is not answered yet, during which no
// other may be made (RFC 3264 §4).
func (s *State) Offering(p Party) bool { return len(s.open[p].offer.Body) > 0 }

// Open reports whether an offer or an INVITE is pending. If not, a message that has no
// description and is no INVITE changes nothing.
func (s *State) Open() bool {
	return s.Offering(Us) || s.Offering(Peer) || s.invites[Us].pending || s.invites[Peer].pending
}

// Equal reports whether a and b are the same, byte for byte.
func (a Agreed) Equal(b Agreed) bool {
	return a.Ours.Equal(b.Ours) && a.Peers.Equal(b.Peers) && a.WeOffered == b.WeOffered
}

// Equal reports whether d and o are the same, byte for byte.
func (d Description) Equal(o Description) bool {
	return d.Type == o.Type && d.Beside == o.Beside && bytes.Equal(d.Body, o.Body)
}
