package client

import (
	"fmt"
	"slices"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// RealmCredentials are the credentials for one realm.
type RealmCredentials struct{ Realm, Username, Password string }

// Credentials are what the application gave us to answer challenges with.
type Credentials struct {
	Realms   []RealmCredentials
	Ask      func(d dialogstore.Dialog, realm string) (username, password string, ok bool) // called first; may be nil
	Incoming bool                                                                          // use them in calls that the peer began, too
}

// Validate returns a *sessiontimer.ConfigError, which never contains a password.
func (c *Credentials) Validate() error {
	for i, r := range c.Realms {
		switch {
		case r.Realm == "" || r.Username == "" || r.Password == "":
			return &sessiontimer.ConfigError{Option: "Credentials", Value: fmt.Sprintf("for realm %q and username %q", r.Realm, r.Username),
				Allowed: "a realm, a username and a password that are not empty"}
		case slices.ContainsFunc(c.Realms[:i], func(o RealmCredentials) bool { return o.Realm == r.Realm }):
			return &sessiontimer.ConfigError{Option: "Credentials", Value: fmt.Sprintf("for realm %q twice", r.Realm),
				Allowed: "one username for each realm; WithCredentialsFunc chooses by call"}
		}
	}
	return nil
}

// find returns the credentials for a realm in a dialog, or false if there are none.
func (c *Credentials) find(d dialogstore.Dialog, realm string) (username, password string, ok bool) {
	if !d.OwnsCallID && !c.Incoming {
		return "", "", false
	}
	if c.Ask != nil {
		if username, password, ok = c.Ask(d, realm); ok {
			return username, password, true
		}
	}
	for _, r := range c.Realms {
		if r.Realm == realm {
			return r.Username, r.Password, true
		}
	}
	return "", "", false
}
