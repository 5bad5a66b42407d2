package middleware

import (
	"context"
	"sync"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// incoming is an INVITE or UPDATE of the peer, and the transaction in which the
// application answers it.
type incoming struct {
	sip.ServerTransaction
	t        *Timers
	req      *sip.Request
	fields   sessiontimer.Fields
	policy   sessiontimer.Policy
	dialogs  *dialogset.Set // nil before a response has a To tag
	flight   *dialogset.Dialog
	id       dialogstore.ID // zero for a first INVITE
	local    bool           // answered without the application
	updating bool           // it is the UPDATE that member.updating stands for; guarded by member
	passed   bool           // to another user agent: the application is a proxy; guarded by mu

	mu      sync.Mutex
	success *sip.Response // the 2xx; further ones are retransmissions
	refusal bool          // there is another final response
	failed  bool          // a 2xx could not be sent
	lapsed  bool          // its handler has returned without a 2xx
	invite  *dialogset.PeerInvite
}

// inDialog finds the dialog of a request.
func (t *Timers) inDialog(req *sip.Request, tx sip.ServerTransaction) (*incoming, dialogstore.Dialog, error) {
	id := dialogstore.ID{CallID: sipmsg.CallID(req), LocalTag: sipmsg.ToTag(req), RemoteTag: sipmsg.FromTag(req)}
	t.heard(id)
	d, err := t.store.Load(context.Background(), id)
	if err != nil {
		return nil, d, err
	}
	l, m := t.sets.Resume(d)
	if gone := t.host.Load().Gone; gone != nil && gone(d) {
		t.ended(context.Background(), l, id.RemoteTag, sessiontimer.CauseDialogClosed)
		return nil, d, dialogstore.ErrNotFound
	}
	in := &incoming{
		ServerTransaction: tx,
		t:                 t,
		req:               req,
		fields:            sipmsg.Fields(req, d.Policy),
		policy:            d.Policy,
		dialogs:           l,
		flight:            m,
		id:                id,
	}
	if req.IsInvite() || len(req.Body()) > 0 {
		m.Recall(agreedOf(&d))
	}
	t.warnMalformed(in.fields, id)
	return in, d, nil
}

// refused answers a request that cannot be accepted as it is (RFC 4028 §9): 422
// where it asks for too little, 421 where a timer is required and the peer has
// none.
func (in *incoming) refused() bool {
	if minSE, small := in.policy.TooSmall(in.fields); small {
		in.t.log.Info("session interval too small", "call_id", sipmsg.CallID(in.req), "local_tag", sipmsg.ToTag(in.req), "remote_tag", sipmsg.FromTag(in.req),
			"interval", in.fields.SessionExpires.Interval, "min_se", minSE)
		respond(in.ServerTransaction, in.req, sessiontimer.StatusIntervalTooSmall, sessiontimer.StatusIntervalTooSmallPhrase,
			sip.NewHeader(sessiontimer.HeaderMinSE, sessiontimer.FormatSeconds(minSE)))
		return true
	}
	if in.policy.Mode == sessiontimer.Require && !in.fields.Supported && in.dialogs == nil {
		respond(in.ServerTransaction, in.req, sip.StatusExtensionRequired, "Extension Required",
			sip.NewHeader("Require", sessiontimer.OptionTag))
		return true
	}
	return false
}

// outOfOrder answers a request that is older than one seen before (RFC 3261
// §12.2.2).
func (in *incoming) outOfOrder(d dialogstore.Dialog) bool {
	if !in.flight.Older(in.req.CSeq().SeqNo, d.RemoteCSeq) {
		return false
	}
	in.reject(sip.StatusInternalServerError, "Server Internal Error")
	return true
}

// count stores the number of a request that was refused: it is used up as well.
func (in *incoming) count(d dialogstore.Dialog) {
	n := in.req.CSeq().SeqNo
	in.mu.Lock()
	stored := in.success != nil || n <= d.RemoteCSeq
	in.mu.Unlock()
	if stored {
		return
	}
	in.t.renew(context.Background(), in.id, func(d dialogstore.Dialog) dialogstore.Dialog {
		d.RemoteCSeq = max(d.RemoteCSeq, n)
		return d
	})
}

func (in *incoming) reject(status int, reason string, headers ...sip.Header) {
	in.refusing()
	respond(in.ServerTransaction, in.req, status, reason, headers...)
	in.unanswered()
}

// Respond implements sip.ServerTransaction. It marks a 2xx and, once the transaction
// has taken it, commits what it settles (RFC 4028 §9). Called again with the same 2xx
// it only sends.
func (in *incoming) Respond(res *sip.Response) error {
	if in.relayed() {
		return in.ServerTransaction.Respond(res)
	}
	switch {
	case res.IsProvisional():
		return in.progress(res)
	case res.IsSuccess():
		return in.accept(res)
	}
	in.mu.Lock()
	in.refusal = in.refusal || in.success == nil
	in.mu.Unlock()
	in.refusing()
	defer in.closeInvite() // after it is sent: ours must not overtake it
	in.unanswered()
	in.close()
	return in.hand(res)
}

// progress sends a provisional response; what is to be UPDATEd in answer to it is
// there before.
func (in *incoming) progress(res *sip.Response) error {
	_, flight := in.openLeg(res)
	if flight == nil || len(res.Body()) == 0 {
		return in.hand(res)
	}
	flight.HandOver() // its PRACK may come before it is noted
	defer flight.HandedOver()
	err := in.hand(res)
	if err == nil {
		in.answers(flight, res)
	}
	return err
}

// accept sends a 2xx: the first one that goes out settles.
func (in *incoming) accept(res *sip.Response) error {
	in.mu.Lock()
	sent, refused := in.success, in.refusal
	if sent == nil && !refused {
		in.success = res
	}
	in.mu.Unlock()
	switch {
	case refused:
		return sip.ErrTransactionTerminated // sipgo would keep it, and send it in place of the refusal
	case sent != nil:
		again(sent, res)
		return in.ServerTransaction.Respond(res)
	}
	err := in.settle(res)
	if err != nil {
		in.mu.Lock()
		in.success = nil
		in.mu.Unlock()
	}
	return err
}

func (in *incoming) settle(res *sip.Response) error {
	switch {
	case in.id.RemoteTag != "":
		return in.renew(res)
	case sipmsg.ToTag(res) == "":
		return in.hand(res) // makes no dialog
	}
	return in.create(res)
}

// openLeg finds the dialog that a response makes, an early one before the 2xx. One
// with another tag makes another: an application that keeps no dialogs may have a
// tag for each response.
func (in *incoming) openLeg(res *sip.Response) (*dialogset.Set, *dialogset.Dialog) {
	tag := sipmsg.ToTag(res)
	in.mu.Lock()
	defer in.mu.Unlock()
	if tag != "" && in.id.RemoteTag == "" && (in.dialogs == nil || in.dialogs.ID("").LocalTag != tag) {
		in.closeLeg()
		in.dialogs = in.t.sets.Open(sipmsg.CallID(in.req), tag)
		in.flight = in.dialogs.Ring(sipmsg.FromTag(in.req), in.req.CSeq().SeqNo, dialogset.ToldBy(res))
		in.asks()
	}
	return in.dialogs, in.flight
}

// close forgets a first INVITE of which no dialog came.
func (in *incoming) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.id.RemoteTag == "" && in.success == nil {
		in.closeLeg()
	}
}

// closeLeg forgets an early dialog. in.mu is held.
func (in *incoming) closeLeg() {
	if in.dialogs != nil && in.dialogs.Abandon(in.flight) {
		in.t.sets.Drop(in.dialogs)
	}
}

// create sends the 2xx of a first INVITE and stores the dialog that it makes.
func (in *incoming) create(res *sip.Response) error {
	ctx, now := context.Background(), time.Now()
	in.t.heed(&in.policy, res, sessiontimer.UAS)
	a := in.markToFit(res, in.policy.Respond(in.fields, sessiontimer.Session{}, now))
	dialogs, flight := in.openLeg(res)
	in.t.sets.Touch(dialogs) // it may have rung for long; a sweep is not to drop it now
	d := dialogstore.Dialog{
		ID:         dialogs.ID(sipmsg.FromTag(in.req)),
		LocalURI:   sipmsg.Value(res.To()),
		RemoteURI:  sipmsg.Value(in.req.From()),
		RouteSet:   sipmsg.RouteSet(in.req, false),
		Transport:  sip.NetworkToLower(in.req.Transport()),
		LocalCSeq:  flight.Count.LastCSeq(),
		RemoteCSeq: in.req.CSeq().SeqNo,
		Session:    a.Session,
		LastMethod: string(sip.INVITE),
		MinSE:      in.fields.MinSE,
		Policy:     in.policy,
	}
	answer := responded(in.req, res)
	agreeOn(&d, flight.AgreedAfter(answer))
	if h := res.Contact(); h != nil {
		d.Contact = sipmsg.Value(h)
	}
	d.Supported = sipmsg.OptionTags(res, "Supported", "k")
	d.LocalAddr = in.laddr()
	locate(&d, sightingOf(in.req))
	learnPeer(&d, in.fields)
	d.Accepted = accepted(&d, in.req)
	flight.HandOver()
	defer flight.HandedOver()
	// There before the 2xx, so that whoever knows of the call finds it in Store; told
	// of after it.
	err := in.t.store.Create(quietly, d)
	if unsent := in.hand(res); unsent != nil {
		if err == nil {
			_, _ = in.t.store.Delete(quietly, d.ID)
		}
		return unsent
	}
	flight.Said(offeranswer.Us, answer, d.RemoteTag)
	flight.Accepted()
	flight.ExpectAck(in.req.CSeq().SeqNo, now, in.t.forgetUnlessProved(d.ID, flight))
	if err == nil {
		observer{in.t}.negotiated(&d)
	}
	in.t.stored(ctx, dialogs, &d, err)
	return nil
}

// renew sends the 2xx of a later INVITE or UPDATE and commits what it settles.
func (in *incoming) renew(res *sip.Response) error {
	now := time.Now()
	in.t.ownTimers.in(res)
	d, err := in.t.store.Load(context.Background(), in.id)
	if err != nil && in.local {
		in.withdraw() // the dialog ended meanwhile
		in.reject(sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist")
		return nil
	}
	var a sessiontimer.Answer
	if err == nil {
		a = in.policy.Respond(in.fields, d.Session, now)
	}
	a = in.markToFit(res, a)
	if in.local && !sipmsg.Fits(res, in.req) {
		// No answer at all would end the call (RFC 4028 §10), this does not.
		in.withdraw()
		in.reject(sip.StatusInternalServerError, "Server Internal Error")
		return sip.ErrUDPMTUCongestion
	}
	in.flight.HandOver()
	defer in.flight.HandedOver()
	if err := in.hand(res); err != nil {
		return err
	}
	in.commit(res, a, now)
	in.closeUpdate()
	if in.invite != nil {
		in.flight.Answered(in.invite, now)
	}
	return nil
}

// commit notes what a 2xx within the dialog settled.
func (in *incoming) commit(res *sip.Response, a sessiontimer.Answer, now time.Time) {
	agreed, news := in.accepts(res)
	seen := sightingOf(in.req)
	before, stored := in.t.renew(context.Background(), in.id, func(d dialogstore.Dialog) dialogstore.Dialog {
		if d.Session.Since.After(now) { // a 2xx of the peer came while ours went out
			d.Session = crossed(d.Session, a.Session)
		} else {
			d.Session, d.LastMethod = a.Session, string(in.req.Method)
		}
		d.RemoteCSeq = max(d.RemoteCSeq, in.req.CSeq().SeqNo)
		d.MinSE = max(d.MinSE, in.fields.MinSE)
		learnPeer(&d, in.fields)
		locate(&d, seen)
		relocate(&d, res.Contact())
		if news {
			agreeOn(&d, agreed)
		}
		d.Accepted = accepted(&d, in.req)
		return d
	})
	if stored {
		moved(in.flight, &before, seen, in.laddr)
	}
}

// withdraw forgets a 2xx that is not sent after all.
func (in *incoming) withdraw() {
	in.mu.Lock()
	in.success = nil
	in.mu.Unlock()
	in.closeInvite()
}

// markToFit marks a 2xx as far as it fits a datagram.
func (in *incoming) markToFit(res *sip.Response, a sessiontimer.Answer) sessiontimer.Answer {
	in.t.markAnswer(res, a)
	if in.t.unmarkToFit(res, in.req) {
		return a
	}
	in.t.log.Warn("no session timer: the response would not pass", "call_id", sipmsg.CallID(in.req),
		"local_tag", sipmsg.ToTag(res), "remote_tag", sipmsg.FromTag(in.req))
	return sessiontimer.Answer{}
}
