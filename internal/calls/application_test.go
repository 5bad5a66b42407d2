package calls

import (
	"context"
	"slices"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// RFC 3311 §4: Allow lists what the application handles, UPDATE only if the timers get to
// see it, and each method once. The application's list stays as it is.
func TestAllow(t *testing.T) {
	for _, c := range []struct {
		name string
		have []string // nil: not known
		want string
	}{
		{"not known", nil, "INVITE, ACK, CANCEL, BYE"},
		{"none", []string{}, "INVITE, ACK, CANCEL, BYE, UPDATE"},
		{"some, in an order of their own", []string{"REFER", "BYE", "INFO"}, "INVITE, ACK, CANCEL, BYE, INFO, REFER, UPDATE"},
		{"UPDATE among them", []string{"UPDATE", "INFO", "INFO"}, "INVITE, ACK, CANCEL, BYE, INFO, UPDATE"},
	} {
		var app Application
		have, asked := slices.Grow(slices.Clone(c.have), 1), 0
		if c.have != nil {
			app.Methods = func() []string { asked++; return have }
		}
		calls := New(context.Background(), Config{})
		calls.SetApplication(app)
		if asked != 0 {
			t.Errorf("%s: asked before anybody needs Allow: more handlers may follow", c.name)
		}
		for range 2 {
			res := sip.NewResponse(200, "OK")
			if calls.markAllow(res); res.GetHeader("Allow").Value() != c.want || len(res.GetHeaders("Allow")) != 1 {
				t.Errorf("%s: %v, want %s", c.name, res.GetHeaders("Allow"), c.want)
			}
		}
		if c.have != nil && asked != 1 {
			t.Errorf("%s: the application is asked %d times, want once", c.name, asked)
		}
		if !slices.Equal(have, c.have) || slices.Contains(have[:cap(have)][len(have):], "UPDATE") {
			t.Errorf("%s: the application's list became %q", c.name, have[:cap(have)])
		}
	}
}

// What the latest Application says counts. One that says nothing has dropped no dialog, and
// can answer what it gets.
func TestApplicationAsked(t *testing.T) {
	calls, _ := observed(context.Background(), Config{})
	d, other := ofPeer(), dialogstore.Dialog{Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: "other"}}}
	if calls.Gone(d) || !calls.MayOffer(d) || calls.answersUpdate() {
		t.Error("an application that says nothing has dropped a dialog, cannot offer, or handles UPDATE")
	}
	is := func(o dialogstore.Dialog) bool { return o.ID == d.ID }
	calls.SetApplication(Application{Gone: is, LateOffer: is, Methods: func() []string { return nil }})
	if !calls.Gone(d) || calls.Gone(other) || !calls.MayOffer(d) || calls.MayOffer(other) || !calls.answersUpdate() {
		t.Error("an application that knows one dialog is not asked, or about another one")
	}
	calls.Expect(d.ID, "a", false)
	if calls.Gone(d) {
		t.Error("an application has dropped a dialog that it never had")
	}
	calls.Expect(d.ID, "a", true)
	if !calls.Gone(d) {
		t.Error("one that was restored cannot be dropped")
	}
	if calls.SetApplication(Application{ReInvites: true}); calls.Gone(d) || !calls.Application().ReInvites || calls.Application().Methods != nil {
		t.Error("an earlier application counts")
	}
}

// Who answers what: an option decides, else whether the application answers re-INVITEs and
// whether it has timers of its own.
func TestWhoAnswers(t *testing.T) {
	yes, no := new(bool), new(bool)
	*yes = true
	type answers struct{ reInvite, offer, leaves bool }
	for _, c := range []struct {
		name                  string
		answerReInvite, offer *bool
		reInvites, ownTimers  bool
		want                  answers
	}{
		{"an application that leaves all to the timers", nil, nil, false, false, answers{true, false, false}},
		{"one that answers re-INVITEs", nil, nil, true, false, answers{false, true, false}},
		{"one with timers of its own", nil, nil, false, true, answers{false, false, true}},
		{"one with both", nil, nil, true, true, answers{false, true, false}},
		{"options against the first", no, yes, false, false, answers{false, true, false}},
		{"options against the second", yes, no, true, false, answers{true, false, false}},
		{"options against the third", yes, yes, false, true, answers{true, true, true}},
		{"options against the fourth", yes, no, true, true, answers{true, false, false}},
	} {
		for _, bodiless := range []bool{false, true} {
			calls := New(context.Background(), Config{AnswerReInvite: c.answerReInvite, OfferUpdate: c.offer, AnswerUpdate: bodiless})
			calls.SetApplication(Application{ReInvites: c.reInvites})
			if c.ownTimers {
				res := sip.NewResponse(200, "OK")
				res.AppendHeader(sip.NewHeader(sessiontimer.HeaderSessionExpires, "90"))
				calls.OwnTimers.In(res)
			}
			if got := (answers{calls.AnswersReInvite(), calls.OffersUpdate(), calls.LeavesUpdate()}); got != c.want {
				t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
			}
			if calls.AnswersBodilessUpdate() != bodiless {
				t.Errorf("%s: an UPDATE without a body is answered: %t, want %t", c.name, !bodiless, bodiless)
			}
		}
	}
}
