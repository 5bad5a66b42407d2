package dialogset

import (
	"context"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/monitor"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// Dialog is a dialog of a set: how far it is, and what is in flight in it.
type Dialog struct {
	remoteTag string // guarded by Set.mu
	Count     Numbering

	mu        monitor.Monitor
	state     state
	byUs      bool                // we ended it
	why       sessiontimer.Reason // it ended
	told      Told                // to the peer in an early dialog
	client    *sipgo.Client       // the one that began the call; nil if it is that of the transport
	heard     uint32              // last CSeq of the peer's INVITEs and UPDATEs
	target    *sip.Uri            // where the peer has moved to; nil if it has not
	from      string              // and the address of our socket
	former    string              // and where it was seen before
	busy      int                 // requests of the application under way
	updates   int                 // UPDATEs among them
	offers    []Offer             // those among them that may offer
	own       context.CancelFunc  // ends the refresh of ours under way
	ownOffer  bool                // it is a re-INVITE
	silence   silence             // after a refresh of ours that had no answer at all
	peer      *PeerInvite         // the peer's INVITE that is not confirmed yet
	unacked   *PeerInvite         // the one that the application accepted, until it has had the ACK
	updating  bool                // the application has an UPDATE to answer
	forget    *time.Timer         // of a dialog whose peer has not proved to be there
	due       time.Time           // when it goes off
	handing   int                 // messages of ours that go out, and what they settle is not committed yet
	localAcks []uint32            // CSeqs of re-INVITEs answered here, whose ACKs may come again

	talk    *offeranswer.State // nil if nothing was described since the set is there
	ringing ringing            // the early dialogs of our INVITE
}

// state is how far a dialog is.
type state uint8

const (
	trying    state = iota // our INVITE has no 2xx
	early                  // the peer's INVITE has no 2xx
	confirmed              // there is a 2xx
	terminated
)

// silence is what an UPDATE of ours that refreshes a session was met with.
type silence struct {
	session sessiontimer.Session
	waited  time.Duration
}

// SendBy notes the client that sends our own requests, if that of the transport
// is another one.
func (d *Dialog) SendBy(c *sipgo.Client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.client = c
}

// SentBy is that client; nil for the one of the transport.
func (d *Dialog) SentBy() *sipgo.Client {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.client
}

func (d *Dialog) is(s state) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state == s
}

// Accepted notes the 2xx that makes the dialog.
func (d *Dialog) Accepted() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state, d.told = max(d.state, confirmed), Told{}
}

// end reports whether the dialog ends with this call, and gives up a refresh of ours.
func (d *Dialog) end(byUs bool, why sessiontimer.Reason) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state == terminated {
		return false
	}
	d.state, d.byUs, d.why = terminated, byUs, why
	if d.own != nil {
		d.own()
	}
	if d.forget != nil {
		d.forget.Stop()
		d.forget = nil
	}
	return true
}

// EndedByUs reports whether we ended the dialog; its peer may not know yet.
func (d *Dialog) EndedByUs() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.byUs
}

// EndedFor is the reason for which the dialog ended.
func (d *Dialog) EndedFor() sessiontimer.Reason {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.why
}

// Told is what our INVITE, or a provisional response of ours, says of us.
type Told struct {
	Contact    *sip.ContactHeader // nil if there is none
	Extensions string             // that are supported or required
}

// ToldBy is what a message of ours says.
func ToldBy(msg interface {
	sipmsg.Message
	Contact() *sip.ContactHeader
}) Told {
	return Told{msg.Contact(), sipmsg.OptionTags(msg, "Supported", "k") + "," + sipmsg.OptionTags(msg, "Require", "")}
}

// Tell notes what we tell of us in an early dialog.
func (d *Dialog) Tell(what Told) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = what
}

func (d *Dialog) lastTold() Told {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.told
}

// Older notes the CSeq of a request and reports whether a later one was seen before;
// stored is what a process before this one saw.
func (d *Dialog) Older(cseq, stored uint32) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard = max(d.heard, cseq, stored)
	return cseq < d.heard
}

// LastOf is the highest CSeq of the peer; stored is what a process before this one saw.
func (d *Dialog) LastOf(stored uint32) uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return max(d.heard, stored)
}

// needed reports whether the dialog lives, or one may come of what is in flight.
func (d *Dialog) needed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state == early || d.state == confirmed || len(d.offers) > 0
}

// idle reports whether resume would make the same of what is in the store: the
// dialog is where and with whom it was, and nothing is under way.
func (d *Dialog) idle() bool {
	if d.inFlight() || !d.Count.plain() {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state == terminated || d.state == confirmed && d.forget == nil && d.target == nil && d.client == nil
}
