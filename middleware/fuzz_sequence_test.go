package middleware_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// FuzzSequence plays scripts of a faulty or hostile peer against a user agent, as its
// caller or its callee, followed by two days of silence. Whatever comes, there is no panic,
// nothing waits for ever, nothing is left except calls that the application has and that
// have no timer, the number of packets is bounded, and the application knows of every end.
func FuzzSequence(f *testing.F) {
	for _, s := range seedScripts {
		f.Add(s.bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := readScript(data)
		bubble.Test(t, func(t *testing.T) { s.play(t) })
	})
}

// seedScripts are calls of the plainest kinds.
var seedScripts = []script{
	{steps: plainly(opInvite, opAck, opSuccess, opSuccess, opBye)},
	{begins: subjectCalls, steps: plainly(opProvisional, opSuccess, opUpdate, opSuccess, opReInvite, opAck, opBye)},
	{app: 1, steps: plainly(opInvite, opUpdate, opCancel, opNewCall, opInvite, opPrack, opWait, opAck, opAppRequest, opSuccess, opAppBye, opSuccess)},
	{begins: subjectCalls, policy: 5, steps: plainly(opRefusal, opSuccess, opRepeat, opAppRequest, opProvisional, opRefusal, opInfo, opWait, opBye)},
}

// plainly returns steps without a fault, five seconds apart.
func plainly(does ...byte) (steps []step) {
	for _, op := range does {
		steps = append(steps, step{op, noFault, noFault, 0, 4})
	}
	return steps
}

var policies = [][]middleware.Option{
	{},
	{middleware.WithSessionExpires(90 * time.Second), middleware.WithRefresher(sessiontimer.Local)},
	{middleware.WithSessionExpires(90 * time.Second), middleware.WithRefresher(sessiontimer.Peer), middleware.WithMethod(sessiontimer.MethodUpdate)},
	{middleware.WithMode(sessiontimer.Accept)},
	{middleware.WithMode(sessiontimer.Require), middleware.WithMinSE(200 * time.Second), middleware.WithMethod(sessiontimer.MethodReInvite)},
	{middleware.WithMode(sessiontimer.Always), middleware.WithSessionExpires(120 * time.Second)},
	{middleware.WithStrict(), middleware.WithAnswerUpdate(false), middleware.WithAnswerReInvite(false)},
	{middleware.WithUnsafeIntervals(), middleware.WithSessionExpires(4 * time.Second), middleware.WithCredentials("lab", "bob", "secret")},
	{middleware.WithPolicyFunc(func(_ *sip.Request, _ bool, p sessiontimer.Policy) sessiontimer.Policy { return p }), middleware.WithOfferUpdate(true)},
}

// appAnswers are the ways in which the application answers calls.
var appAnswers = []func(d *sipgo.DialogServerSession){
	nil, // at once
	func(d *sipgo.DialogServerSession) {
		_ = d.Respond(180, "Ringing", nil)
		if ringFor(d, 2*time.Second) {
			_ = d.RespondSDP([]byte(sipua.SDP("bob", "1")))
		}
	},
	func(d *sipgo.DialogServerSession) {
		_ = d.Respond(183, "Session Progress", []byte(sipua.SDP("bob", "1")))
		if ringFor(d, 40*time.Second) {
			_ = d.Respond(200, "OK", nil)
		}
	},
	func(d *sipgo.DialogServerSession) { _ = d.Respond(486, "Busy Here", nil) },
	func(d *sipgo.DialogServerSession) { ringFor(d, 3*time.Minute) },
}

// ringFor reports whether the caller is still there after the wait.
func ringFor(d *sipgo.DialogServerSession, wait time.Duration) bool {
	select {
	case <-d.Context().Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// byes are the ways in which the application handles a BYE.
var byes = []func(req *sip.Request, tx sip.ServerTransaction) bool{
	nil, // as sipgo has it
	nil,
	func(req *sip.Request, tx sip.ServerTransaction) bool {
		if branch := req.Via().Params.GetOr("branch", ""); strings.HasPrefix(branch, "z9hG4bK.") {
			return false // the timers'
		}
		res := sip.NewResponseFromRequest(req, sip.StatusUnauthorized, "Unauthorized", nil)
		return tx.Respond(res) == nil
	},
}

// play is one run, in its own bubble.
func (s script) play(t *testing.T) {
	n := sipnet.New()
	bob := newSubject(t, n, true, pick(policies, s.policy)...)
	if f := pick(appAnswers, s.app); f != nil {
		bob.answer = f
	}
	bob.bye, bob.silent = pick(byes, s.app/8), s.begins%8 > 5
	a := newAttacker(n)
	var application sync.WaitGroup
	if s.begins%2 == subjectCalls {
		application.Go(func() { bob.call(5 * time.Minute) })
		a.listen()
	}
	for _, st := range s.steps {
		a.act(bob, st, &application)
		time.Sleep(pick(pauses, st.pause))
		a.listen()
	}
	time.Sleep(48 * time.Hour)
	synctest.Wait()
	application.Wait()
	s.judge(t, n, bob, a)
	bob.stop(n)
	if t.Failed() {
		t.Logf("%+v", s)
		t.Log("the wire:\n" + strings.Join(sipnet.Rows(names, n.Messages()), "\n"))
	}
}

// act performs a step.
func (a *attacker) act(bob *subject, st step, application *sync.WaitGroup) {
	op := st.op % ops
	switch op {
	case opProvisional, opSuccess, opRefusal:
		if len(a.heard) == 0 {
			return
		}
		i := len(a.heard) - 1 - int(st.value)%min(2, len(a.heard))
		code := map[byte]int{opProvisional: pick(provisionals, st.value/2), opSuccess: 200, opRefusal: pick(refusals, st.value/2)}[op]
		d := a.response(a.heard[i], code)
		st.spoil(d)
		a.send(d)
	case opRepeat:
		if a.last.start != "" {
			again := a.last
			st.spoil(&again)
			a.send(&again)
		}
	case opAppBye:
		if up := bob.alive(); len(up) > 0 {
			application.Go(func() { hangUp(up[len(up)-1]) })
		}
	case opAppRequest:
		if up := bob.alive(); len(up) > 0 {
			application.Go(func() {
				sendWithin(up[len(up)-1], pick([]sip.RequestMethod{sip.INVITE, sip.UPDATE, sip.INFO}, st.value))
			})
		}
	case opNewCall:
		a.restart()
	case opWait:
	default:
		if op == opInvite && a.theirs != "" {
			a.theirs = ""
		}
		d := a.request(requestOf[op], op != opInvite)
		st.spoil(d)
		a.send(d)
	}
}

// sendWithin sends a request of the application.
func sendWithin(d dialog, method sip.RequestMethod) {
	req := sip.NewRequest(method, peerURI)
	req.AppendHeader(sip.NewHeader(fromApplication, "yes"))
	if method == sip.INVITE {
		req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		req.SetBody([]byte(hold))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute) // RFC 3261 §16.6 timer C
	defer cancel()
	session := d.(sipua.Dialog)
	if res, err := session.Do(ctx, req); err == nil && method == sip.INVITE && res.IsSuccess() {
		_ = session.WriteRequest(sip.NewRequest(sip.ACK, peerURI))
	}
}
