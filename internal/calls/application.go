package calls

import (
	"slices"
	"strings"
	"sync"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Application describes the application. It is a middleware.Host, which documents the
// fields.
type Application struct {
	Bye       sipgo.RequestHandler
	Invite    sipgo.RequestHandler
	Ack       sipgo.RequestHandler
	Media     sipgo.RequestHandler
	Gone      func(dialogstore.Dialog) bool
	Methods   func() []string
	ReInvites bool
	LateOffer func(dialogstore.Dialog) bool
}

// application is the latest Application.
type application struct {
	Application
	allow func() sip.Header // the Allow for messages that lack one
}

// SetApplication replaces the Application.
func (c *Calls) SetApplication(a Application) {
	c.app.Store(&application{Application: a, allow: sync.OnceValue(a.allowField)})
}

// Application returns the latest Application.
func (c *Calls) Application() Application { return c.app.Load().Application }

// Gone reports whether the application has dropped d without a BYE. It cannot have dropped
// a dialog that it never had.
func (c *Calls) Gone(d dialogstore.Dialog) bool {
	gone := c.app.Load().Gone
	return gone != nil && gone(d) && !c.Orphan(d.ID)
}

// MayOffer reports whether the application can answer a re-INVITE within d that has no
// session description.
func (c *Calls) MayOffer(d dialogstore.Dialog) bool {
	may := c.app.Load().LateOffer
	return may == nil || may(d)
}

// answersUpdate reports whether the peer's UPDATEs reach the timers, so that Allow may list
// UPDATE.
func (c *Calls) answersUpdate() bool { return c.app.Load().Methods != nil }

// AnswersBodilessUpdate reports whether the timers answer an UPDATE without a body even if
// the application has a handler for UPDATE.
func (c *Calls) AnswersBodilessUpdate() bool { return c.config.AnswerUpdate }

// AnswersReInvite reports whether the timers answer a re-INVITE that changes nothing.
func (c *Calls) AnswersReInvite() bool {
	if c.config.AnswerReInvite != nil {
		return *c.config.AnswerReInvite
	}
	return !c.app.Load().ReInvites && !c.OwnTimers.found.Load()
}

// OffersUpdate reports whether an UPDATE that changes the session goes to the INVITE
// handler.
func (c *Calls) OffersUpdate() bool {
	if c.config.OfferUpdate != nil {
		return *c.config.OfferUpdate
	}
	return c.app.Load().ReInvites
}

// LeavesUpdate reports whether UPDATEs are treated as they would be without timers: see
// OwnTimers.
func (c *Calls) LeavesUpdate() bool { return c.OwnTimers.found.Load() && !c.app.Load().ReInvites }

// allowField returns the Allow header field for messages of an application that writes
// none: the methods that it handles, UPDATE, and those of every sipgo user agent.
func (a Application) allowField() sip.Header {
	methods := []string{"INVITE", "ACK", "CANCEL", "BYE"}
	if a.Methods != nil {
		have := slices.Sorted(slices.Values(a.Methods()))
		for _, m := range append(have, "UPDATE") {
			if !slices.Contains(methods, m) {
				methods = append(methods, m)
			}
		}
	}
	return sip.NewHeader("Allow", strings.Join(methods, ", "))
}
