package dialogset

import "github.com/sipgo-contrib/sessiontimer/internal/offeranswer"

// The session descriptions that both sides have agreed on (RFC 3264) are in the store. A
// Dialog also has them, together with open offers: early dialogs are not stored, and a
// description is stored only after it was sent. When the agreed descriptions change, the
// caller stores them.

// ringing is the offer/answer state of early dialogs, by To tag.
type ringing map[string]*offeranswer.State

// keptEarly is how many early dialogs of one INVITE have their state kept.
const keptEarly = 8

// Recall sets the agreed descriptions to the stored ones, unless the dialog has its own.
func (d *Dialog) Recall(stored offeranswer.Agreed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.talk == nil {
		d.talk = &offeranswer.State{Agreed: stored}
	}
}

// Said notes a message that one side has sent to the other. It returns what they agree on,
// and whether that has changed. remoteTag distinguishes the early dialogs of our INVITE.
func (d *Dialog) Said(by offeranswer.Party, msg offeranswer.Message, remoteTag string) (agreed offeranswer.Agreed, news bool) {
	quiet := len(msg.Body) == 0 && (msg.Method != "INVITE" || msg.Status > 0)
	d.mu.Lock()
	defer d.mu.Unlock()
	talk := d.talkWith(remoteTag, quiet)
	if talk == nil || quiet && !talk.Open() {
		return agreed, false
	}
	before := talk.Agreed
	*talk = talk.After(by, msg)
	return talk.Agreed, !talk.Agreed.Equal(before)
}

// talkWith returns the offer/answer state of the dialog. If there is none, it is made,
// unless the message is quiet: then the result is nil. The lock is held.
func (d *Dialog) talkWith(remoteTag string, quiet bool) *offeranswer.State {
	if d.state != trying || remoteTag == "" {
		if d.talk == nil && !quiet {
			d.talk = new(offeranswer.State)
		}
		return d.talk
	}
	talk := d.ringing[remoteTag]
	if talk != nil || quiet || len(d.ringing) == keptEarly {
		return talk
	}
	talk = new(offeranswer.State)
	if d.talk != nil {
		*talk = *d.talk // each begins with the INVITE
	}
	if d.ringing == nil {
		d.ringing = make(ringing)
	}
	d.ringing[remoteTag] = talk
	return talk
}

// Invites notes our INVITE outside a dialog. The early dialogs of the previous INVITE are over.
func (d *Dialog) Invites(invite offeranswer.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.talk, d.ringing = new(offeranswer.State), nil
	*d.talk = d.talk.After(offeranswer.Us, invite)
}

// AcceptedBy notes the 2xx to our INVITE that made the dialog, and returns what is agreed.
// invite is for a dialog made by a further 2xx, which has no state yet.
func (d *Dialog) AcceptedBy(invite, success offeranswer.Message) offeranswer.Agreed {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.talk == nil {
		d.talk = new(offeranswer.State)
		*d.talk = d.talk.After(offeranswer.Us, invite)
	}
	*d.talk = d.talk.After(offeranswer.Peer, success)
	return d.talk.Agreed
}

// rang returns the state of an early dialog of our INVITE; nil if there is none.
func (d *Dialog) rang(remoteTag string) *offeranswer.State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ringing[remoteTag]
}

// leave makes d, which was our INVITE, a single dialog. It returns the state of the other
// early dialogs, which may still be accepted.
func (d *Dialog) leave() (rest ringing) {
	d.mu.Lock()
	defer d.mu.Unlock()
	rest, d.ringing = d.ringing, nil
	return rest
}

// takeOver makes the state of an early dialog that of d; nil changes nothing.
func (d *Dialog) takeOver(talk *offeranswer.State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if talk != nil {
		d.talk = talk
	}
}

// Agreed returns what both sides agree on.
func (d *Dialog) Agreed() (a offeranswer.Agreed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.talk != nil {
		a = d.talk.Agreed
	}
	return a
}

// AgreedAfter returns what both sides would agree on if we sent msg.
func (d *Dialog) AgreedAfter(msg offeranswer.Message) (a offeranswer.Agreed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.talk != nil {
		a = d.talk.After(offeranswer.Us, msg).Agreed
	}
	return a
}
