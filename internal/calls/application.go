package calls

import (
	"slices"
	"strings"
	"sync"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Application is what the timers know of the application above: its fields are those
// of middleware.Host.
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

// application is the one that was set last.
type application struct {
	Application
	allow func() sip.Header // for one that sends none
}

// SetApplication changes what is known of the application.
func (c *Calls) SetApplication(a Application) {
	c.app.Store(&application{Application: a, allow: sync.OnceValue(a.allowField)})
}

// Application is what is known of the application.
func (c *Calls) Application() Application { return c.app.Load().Application }

// Gone reports whether the application has dropped d without ending it. Where it has
// never had it, it has not.
func (c *Calls) Gone(d dialogstore.Dialog) bool {
	gone := c.app.Load().Gone
	return gone != nil && gone(d) && !c.Orphan(d.ID)
}

// MayOffer reports whether the application answers a re-INVITE within d that has no
// session description.
func (c *Calls) MayOffer(d dialogstore.Dialog) bool {
	may := c.app.Load().LateOffer
	return may == nil || may(d)
}

// answersUpdate reports whether an UPDATE of the peer reaches the timers, so that
// Allow may say so.
func (c *Calls) answersUpdate() bool { return c.app.Load().Methods != nil }

// AnswersBodilessUpdate reports whether an UPDATE without a body is answered here,
// though the application has a handler for UPDATE.
func (c *Calls) AnswersBodilessUpdate() bool { return c.config.AnswerUpdate }

// AnswersReInvite reports whether a re-INVITE that changes nothing is answered here.
func (c *Calls) AnswersReInvite() bool {
	if c.config.AnswerReInvite != nil {
		return *c.config.AnswerReInvite
	}
	return !c.app.Load().ReInvites && !c.OwnTimers.found.Load()
}

// OffersUpdate reports whether an UPDATE that changes the session is given to the
// INVITE handler.
func (c *Calls) OffersUpdate() bool {
	if c.config.OfferUpdate != nil {
		return *c.config.OfferUpdate
	}
	return c.app.Load().ReInvites
}

// LeavesUpdate reports whether UPDATEs are left as they would be without timers.
func (c *Calls) LeavesUpdate() bool { return c.OwnTimers.found.Load() && !c.app.Load().ReInvites }

// allowField is the Allow header field of an application that sends none: what it
// handles, and what every user agent of sipgo can do.
func (a Application) allowField() sip.Header {
	methods := []string{"INVITE", "ACK", "CANCEL", "BYE"}
	if a.Methods != nil {
		have := a.Methods()
		slices.Sort(have)
		for _, m := range append(have, "UPDATE") {
			if !slices.Contains(methods, m) {
				methods = append(methods, m)
			}
		}
	}
	return sip.NewHeader("Allow", strings.Join(methods, ", "))
}
