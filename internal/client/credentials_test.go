package client

import (
	"testing"

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
		if got, _, ok := c.credentials.find(d, c.realm); got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, %t; want %q", c.name, got, ok, c.want)
		}
	}
}
