package calls

import (
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// Renewal is a later INVITE or UPDATE with its 2xx, which make the session anew (RFC
// 4028 §7.2, §9) and may change where both ends are and what they agree on.
type Renewal struct {
	Request *sip.Request
	At      time.Time           // of the 2xx
	Fields  sessiontimer.Fields // of the peer's message
	Seen    indialog.Sighting   // of the peer in it
	Contact *sip.ContactHeader  // in the application's message; nil if it is none of its own
	Agreed  offeranswer.Agreed
	News    bool // Agreed is not what was agreed before
	Renewed bool // the session is another one; set by Answered and Accepted
}

// Answered is d after a request of the peer that we accepted. The 2xx settles session
// as far as no 2xx of the peer came while it went out.
func (r *Renewal) Answered(d dialogstore.Dialog, session sessiontimer.Session) dialogstore.Dialog {
	before := d.Session
	if d.Session.Since.After(r.At) {
		d.Session = crossed(d.Session, session)
	} else {
		d.Session, d.LastMethod = session, string(r.Request.Method)
	}
	r.Renewed = !d.Session.Equal(before)
	d.RemoteCSeq = max(d.RemoteCSeq, r.Request.CSeq().SeqNo)
	d.MinSE = max(d.MinSE, r.Fields.MinSE)
	r.common(&d)
	relocate(&d, r.Contact)
	d.Accepted = accepted(&d, r.Request)
	return d
}

// Sent is what else there is to a request of ours.
type Sent struct {
	At        time.Time
	Refresh   bool // it is nobody's but ours: the peer asks nobody before it answers
	Policy    sessiontimer.Policy
	Proposal  sessiontimer.Proposal
	LocalAddr func() string // of our socket; empty if unknown
	NoUpdate  bool          // the peer has refused UPDATEs before it
	Remember  *string       // where the peer answered, if that is news
}

// Accepted is d after a request of ours that the peer accepted.
func (r *Renewal) Accepted(d dialogstore.Dialog, sent Sent) dialogstore.Dialog {
	before := d.Session
	d.Session = r.settle(before, &sent)
	if before.Since.After(sent.At) { // a 2xx of ours crossed this one
		d.Session = crossed(d.Session, before)
	}
	r.Renewed = !d.Session.Equal(before)
	d.LastMethod = string(r.Request.Method)
	if r.Request.Method == sip.UPDATE {
		d.NoUpdate = false // whatever made us think so
	}
	d.NoUpdate = d.NoUpdate || sent.NoUpdate
	if moved := r.common(&d); !moved && sent.Remember != nil {
		d.Answered = *sent.Remember
	}
	if relocate(&d, r.Contact) {
		if addr := sent.LocalAddr(); addr != "" {
			d.LocalAddr = addr
		}
	}
	return d
}

// settle is the session of a 2xx of the peer. One that is late may have been sent long
// before, unless it is to an INVITE of the application, which somebody had to answer.
// Where it says nothing, the time of the refresh stays as it was before, and what its
// delay took off is not taken off twice.
func (r *Renewal) settle(before sessiontimer.Session, sent *Sent) sessiontimer.Session {
	if r.Request.Method != sip.UPDATE && !sent.Refresh {
		return sent.Policy.Settle(sent.Proposal, r.Fields, before, r.At)
	}
	delay := r.At.Sub(sent.At)
	if before.RefreshAfter > 0 {
		before.RefreshAfter += delay
	}
	return sent.Policy.Settle(sent.Proposal, r.Fields, before, r.At).Delayed(delay)
}

// common is what both directions change. It reports whether the peer has moved.
func (r *Renewal) common(d *dialogstore.Dialog) (moved bool) {
	learnPeer(d, r.Fields)
	moved = indialog.Locate(d, r.Seen)
	if r.News {
		AgreeOn(d, r.Agreed)
	}
	return moved
}

// crossed is s, which the later of two 2xx settled that crossed. To the peer the
// other may be the later: we refresh in time for both.
func crossed(s, other sessiontimer.Session) sessiontimer.Session {
	if s.Refresher == sessiontimer.Local && other.Active() {
		s.RefreshAfter = min(s.RefreshAt().Sub(s.Since), other.Interval/2)
	}
	return s
}

// relocate moves our own Contact to where the application says in an INVITE or
// UPDATE, or a 2xx to one: that is where the peer sends from then on, and a
// refresh with the one before would undo it (RFC 6141 §4.4). It returns false if
// nothing changes, as with a Contact that lacks what sipgo fills in.
func relocate(d *dialogstore.Dialog, contact *sip.ContactHeader) bool {
	if contact == nil || contact.Address.Host == "" || contact.Value() == d.Contact {
		return false
	}
	var known sip.Uri
	if err := sip.ParseUri(sipmsg.AddrSpec(d.Contact), &known); err == nil && contact.Address.Port == 0 && contact.Address.Host == known.Host {
		return false
	}
	d.Contact = contact.Value()
	return true
}
