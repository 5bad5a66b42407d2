package dialogset

import "github.com/sipgo-contrib/sessiontimer/internal/offeranswer"

// What both ends have agreed on (RFC 3264) is in the store. As long as the set is
// there, its dialog has it too, beside the offers that are open: an early dialog is not
// stored, and nothing is stored before it has been sent. Whoever makes both agree on
// something else stores that.

// ringing is the offer/answer state of early dialogs, by To tag.
type ringing map[string]*offeranswer.State

// keptEarly bounds the early dialogs of one INVITE whose state is kept.
const keptEarly = 8

// Recall takes what is stored for what is agreed, unless the dialog knows.
func (d *Dialog) Recall(stored offeranswer.Agreed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.talk == nil {
		d.talk = &offeranswer.State{Agreed: stored}
	}
}

// Said notes a message that one of the two has sent and the other one gets. It
// returns what they agree on, and whether that is news. remoteTag tells apart the
// early dialogs of an INVITE of ours.
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

// talkWith is the offer/answer state of the dialog, made if need be unless quiet. The
// lock is held.
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

// Invites notes an INVITE of ours outside a dialog. Early dialogs of the one before are
// over.
func (d *Dialog) Invites(invite offeranswer.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.talk, d.ringing = new(offeranswer.State), nil
	*d.talk = d.talk.After(offeranswer.Us, invite)
}

// AcceptedBy notes the 2xx to an INVITE of ours that made the dialog, and returns what
// is agreed. Where another 2xx came first it begins with the INVITE, too.
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

// rang is the state of an early dialog of our INVITE; nil if nothing was said in it.
func (d *Dialog) rang(remoteTag string) *offeranswer.State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ringing[remoteTag]
}

// leave makes a dialog of our INVITE, and returns the early ones with others, who may
// still answer it.
func (d *Dialog) leave() (rest ringing) {
	d.mu.Lock()
	defer d.mu.Unlock()
	rest, d.ringing = d.ringing, nil
	return rest
}

// takeOver goes on with the state of an early dialog; nil if there is none.
func (d *Dialog) takeOver(talk *offeranswer.State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if talk != nil {
		d.talk = talk
	}
}

// Agreed is what both ends agree on.
func (d *Dialog) Agreed() (a offeranswer.Agreed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.talk != nil {
		a = d.talk.Agreed
	}
	return a
}

// AgreedAfter is what both would agree on if we sent msg.
func (d *Dialog) AgreedAfter(msg offeranswer.Message) (a offeranswer.Agreed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.talk != nil {
		a = d.talk.After(offeranswer.Us, msg).Agreed
	}
	return a
}
