package client

import (
	"errors"
	"strings"
	"testing"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// The application's function comes first; in calls that the peer began nobody's
// credentials are lent unless the application wants it.
func TestFindCredentials(t *testing.T) {
	ask := func(d dialogstore.Dialog, realm string) (string, string, bool) {
		return "asked", "p", d.CallID == "known" && realm == "a"
	}
	for _, c := range []struct {
		name        string
		credentials Credentials
		own         bool
		callID      string
		realm       string
		want        string
	}{
		{"by realm", Credentials{}, true, "", "b", "second"},
		{"no such realm", Credentials{}, true, "", "c", ""},
		{"the peer's call", Credentials{}, false, "", "b", ""},
		{"the peer's call, as it is wanted", Credentials{Incoming: true}, false, "", "b", "second"},
		{"by function", Credentials{Ask: ask}, true, "known", "a", "asked"},
		{"by realm if that has none", Credentials{Ask: ask}, true, "other", "a", "first"},
		{"the peer's call, by function", Credentials{Ask: ask}, false, "known", "a", ""},
	} {
		c.credentials.Realms = []RealmCredentials{{"a", "first", "p"}, {"b", "second", "p"}}
		var d dialogstore.Dialog
		d.CallID, d.OwnsCallID = c.callID, c.own
		if got, password, ok := c.credentials.find(d, c.realm); got != c.want || ok != (c.want != "") || ok != (password == "p") {
			t.Errorf("%s: %q, %t; want %q", c.name, got, ok, c.want)
		}
	}
}

// Credentials are complete, and one realm has one user. What is wrong names the realm, and
// never the password.
func TestValidateCredentials(t *testing.T) {
	const secret = "secret"
	good := RealmCredentials{"a", "us", secret}
	for _, c := range []struct {
		name   string
		realms []RealmCredentials
		wrong  string // of the value; empty for none
	}{
		{"none", nil, ""},
		{"one", []RealmCredentials{good}, ""},
		{"two realms of one user", []RealmCredentials{good, {"b", "us", secret}}, ""},
		{"no realm", []RealmCredentials{{"", "us", secret}}, `for realm "" and username "us"`},
		{"no username", []RealmCredentials{good, {"b", "", secret}}, `for realm "b" and username ""`},
		{"no password", []RealmCredentials{{"a", "us", ""}}, `for realm "a" and username "us"`},
		{"a realm twice", []RealmCredentials{good, {"b", "us", secret}, {"a", "them", secret}}, `for realm "a" twice`},
	} {
		err := (&Credentials{Realms: c.realms}).Validate()
		var wrong *sessiontimer.ConfigError
		if errors.As(err, &wrong) != (c.wrong != "") || (err == nil) != (c.wrong == "") {
			t.Errorf("%s: %v, want %q", c.name, err, c.wrong)
			continue
		}
		if c.wrong != "" && (wrong == nil || wrong.Value != c.wrong || wrong.Option != "Credentials" || wrong.Allowed == "" || strings.Contains(err.Error(), secret)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.wrong)
		}
	}
}
