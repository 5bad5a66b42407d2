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

// Dialog is a dialog of a set: its state, and its messages in flight.
type Dialog struct {
	remoteTag string // guarded by Set.mu
	Count     Numbering

	mu        monitor.Monitor
	state     state
	byUs      bool                // we ended it
	why       sessiontimer.Reason // why it ended
	told      Told                // what the peer of an early dialog knows about us
	client    *sipgo.Client       // sends our requests; nil for the client of the transport
	heard     uint32              // highest CSeq of the peer's INVITEs and UPDATEs
	target    *sip.Uri            // where the peer has moved to; nil if it has not
	from      string              // address of our socket when it moved
	former    string              // source of its messages before it moved
	busy      int                 // requests of the application in progress
	updates   int                 // UPDATEs among them
	offers    []Offer             // requests of the application that may carry an offer
	own       context.CancelFunc  // cancels our refresh in progress; nil if there is none
	ownOffer  bool                // our refresh in progress is a re-INVITE
	silence   silence             // after an UPDATE of ours that got no response
	peer      *PeerInvite         // the peer's INVITE, until it is acknowledged
	unacked   *PeerInvite         // the INVITE that the application accepted, until it has handled the ACK
	updating  bool                // an UPDATE of the peer is in progress
	forget    *time.Timer         // forgets the dialog; nil once the peer has proved that it is there
	due       time.Time           // when forget fires
	handing   int                 // messages of ours being sent whose effects are not committed yet
	localAcks []uint32            // CSeqs of re-INVITEs answered here, whose ACKs may be retransmitted

	talk    *offeranswer.State // nil if there was no session description yet
	ringing ringing            // the early dialogs of our INVITE
}

// state is the state of a dialog, in order.
type state uint8

const (
	trying    state = iota // our INVITE has no 2xx
	early                  // the peer's INVITE has no 2xx
	confirmed              // there is a 2xx
	terminated
)

// silence is an UPDATE that was sent to refresh session and got no response in time.
type silence struct {
	session sessiontimer.Session
	waited  time.Duration
}

// SendBy sets the client that sends our requests, if it is not the one of the transport.
func (d *Dialog) SendBy(c *sipgo.Client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.client = c
}

// SentBy returns the client set by SendBy; nil for the one of the transport.
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

// Accepted notes the 2xx that confirms the dialog.
func (d *Dialog) Accepted() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state, d.told = max(d.state, confirmed), Told{}
}

// end ends the dialog and cancels our refresh. It returns false if the dialog had ended.
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

// EndedByUs reports whether we ended the dialog. The peer may not know yet.
func (d *Dialog) EndedByUs() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.byUs
}

// EndedFor returns the reason why the dialog ended.
func (d *Dialog) EndedFor() sessiontimer.Reason {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.why
}

// Told is what the peer learns about us from our INVITE or provisional response.
type Told struct {
	Contact    *sip.ContactHeader // nil if there is none
	Extensions string             // option tags that we support or require
}

// ToldBy returns what the peer learns about us from our message.
func ToldBy(msg interface {
	sipmsg.Message
	Contact() *sip.ContactHeader
}) Told {
	return Told{msg.Contact(), sipmsg.OptionTags(msg, "Supported", "k") + "," + sipmsg.OptionTags(msg, "Require", "")}
}

// Tell notes what we have told the peer of an early dialog.
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

// Older notes the CSeq of a request of the peer, and reports whether a higher one came
// before. stored is the highest CSeq in the store, which has only those of answered requests.
func (d *Dialog) Older(cseq, stored uint32) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard = max(d.heard, cseq, stored)
	return cseq < d.heard
}

// LastOf returns the highest CSeq of the peer. stored is the highest CSeq in the store.
func (d *Dialog) LastOf(stored uint32) uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return max(d.heard, stored)
}

// needed reports whether the dialog is alive, or a request in flight may make one.
func (d *Dialog) needed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state == early || d.state == confirmed || len(d.offers) > 0
}

// idle reports whether the dialog has no more state than the store, so that it can be
// dropped and made again by resume.
func (d *Dialog) idle() bool {
	if d.inFlight() || !d.Count.plain() {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state == terminated || d.state == confirmed && d.forget == nil && d.target == nil && d.client == nil
}
