package client

import (
	"context"
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// firstInvite is an INVITE of the application outside a dialog. It makes a dialog, or
// several if it is forked.
type firstInvite struct {
	offer
	transport string                         // in lower case
	heard     map[string]sessiontimer.Fields // from provisional responses, by To tag
}

// keptEarly is how many early dialogs of one INVITE are kept in heard.
const keptEarly = 8

func (r *Requester) newFirstInvite(req *sip.Request, policy sessiontimer.Policy) *firstInvite {
	set := r.c.calls.Sets.Open(sipmsg.CallID(req), sipmsg.FromTag(req))
	return &firstInvite{offer: offer{
		exchange: exchange{r: r, set: set, dialog: set.Invite(policy), id: set.ID(""), req: req, policy: policy},
		app:      req.CSeq().SeqNo,
	}}
}

func (f *firstInvite) begin(ctx context.Context) (sip.ClientTransaction, error) {
	f.dialog.Begin(ctx, f.req.Method)
	f.proposal = f.policy.Propose(sessiontimer.Session{}, f.set.Learned(), false)
	return f.offer.begin(ctx, f)
}

func (f *firstInvite) opened(tx *sip.ClientTx) {
	f.transport = sip.NetworkToLower(f.req.Transport())
	f.dialog.Tell(dialogset.ToldBy(f.req))
	f.client.watch(tx)
}

// numbered does nothing: a dialog is not stored before its 2xx.
func (*firstInvite) numbered(context.Context, uint32) {}

// says notes the offer in the INVITE. Sent again with another CSeq, it is a new offer.
func (f *firstInvite) says() { f.dialog.Invites(calls.Requested(f.req)) }

// told notes the capabilities and the session description in a response. A provisional
// response belongs to one early dialog, a refusal to all of them.
func (f *firstInvite) told(ctx context.Context, res *sip.Response) {
	tag := ""
	if res.IsProvisional() {
		tag = sipmsg.ToTag(res)
		f.hear(tag, res)
	}
	f.r.c.calls.Says(calls.Detached(ctx), f.dialog, f.set.ID(tag), offeranswer.Peer, calls.Responded(f.req, res))
}

func (f *firstInvite) hear(tag string, res *sip.Response) {
	h, known := f.heard[tag]
	if tag == "" || !known && len(f.heard) == keptEarly {
		return
	}
	fields := sipmsg.Fields(res, f.policy)
	h.Supported = h.Supported || fields.Supported
	if fields.HasAllow {
		h.HasAllow, h.AllowUpdate = true, fields.AllowUpdate
	}
	if f.heard == nil {
		f.heard = make(map[string]sessiontimer.Fields)
	}
	f.heard[tag] = h
}

// learn keeps the Min-SE of a 422 until there is a dialog.
func (f *firstInvite) learn(_ context.Context, minSE time.Duration) { f.set.Learn(minSE) }

// accepted makes the dialog of a 2xx. If the INVITE was cancelled, the dialog is made only
// once the application sends an ACK.
func (f *firstInvite) accepted(ctx context.Context, res *sip.Response) {
	switch {
	case f.isCancelled():
		f.repeated(res)
	case f.ofCall(res) && sipmsg.ToTag(res) != "":
		f.settle(calls.Detached(ctx), res, sipmsg.Fields(res, f.policy), time.Now())
	}
}

// repeated remembers a 2xx from another branch of a forked INVITE. Each makes a dialog with
// a timer of its own (RFC 4028 §7.2), but only once the application sends an ACK in it:
// refreshing the others would keep calls alive that the application does not know.
func (f *firstInvite) repeated(res *sip.Response) {
	tag, at := sipmsg.ToTag(res), time.Now()
	if !res.IsSuccess() || tag == "" || sipmsg.Keepable(res) != nil {
		return
	}
	f.set.Fork(tag, func(ctx context.Context) { f.settle(ctx, res, sipmsg.Fields(res, f.policy), at) })
}

// settle makes the dialog of a 2xx that arrived at now (RFC 4028 §7.2).
func (f *firstInvite) settle(ctx context.Context, res *sip.Response, fields sessiontimer.Fields, now time.Time) {
	c, tag := f.r.c.calls, sipmsg.ToTag(res)
	dialog := f.set.Accept(tag)
	if dialog == nil {
		return
	}
	c.WarnMalformed(fields, f.set.ID(tag))
	if err := sipmsg.Keepable(res); err != nil {
		c.LeaveAlone(err, f.set.ID(tag))
		return
	}
	o := calls.Opening{Request: f.req, Response: res, At: now, Policy: f.policy, Session: f.policy.Settle(f.proposal, fields, sessiontimer.Session{}, now),
		Fields: fields, Agreed: dialog.AcceptedBy(calls.Requested(f.req), calls.Responded(f.req, res)),
		Transport: f.transport, LocalAddr: f.localAddr(), LocalCSeq: dialog.Count.LastCSeq()}
	var d dialogstore.Dialog
	o.Accepted(&d, f.heard[tag])
	if f.r.c.RequesterFor(&d) != f.r {
		dialog.SendBy(f.r.client)
	}
	c.Stored(ctx, f.set, &d, c.Store.Create(ctx, d))
}

// timerRefused reports whether a final response refuses the INVITE because of the session
// timer in it (RFC 4028 §7.1, §7.3).
func (f *firstInvite) timerRefused(res *sip.Response) bool {
	return res.StatusCode == sessiontimer.StatusIntervalTooSmall ||
		res.StatusCode == sip.StatusBadExtension && sipmsg.HasToken(res, "Unsupported", "", sessiontimer.OptionTag)
}

// followed are the refusals after which the application often sends the INVITE again:
// challenges and redirections. The dialog set is kept for a while then, since the new
// INVITE needs its CSeq and Min-SE.
var followed = []int{300, 301, 302, 305, 380, 401, 407, 420, 421}

func (f *firstInvite) over(res *sip.Response) {
	if !f.end(res) {
		return
	}
	if res != nil && f.timerRefused(res) {
		f.r.c.calls.CountRefused(calls.Outgoing)
	}
	f.finish()
	switch {
	case f.set.Needed():
	case f.isCancelled() || res != nil && slices.Contains(followed, res.StatusCode):
		f.r.c.calls.Sets.DropLater(f.set)
	default:
		f.r.c.calls.Sets.Drop(f.set)
	}
}
