package indialog

import (
	"testing"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// D-16, E-30: what a message of the peer changes of where it is reached.
func TestLocate(t *testing.T) {
	const (
		private, public = "sip:peer@192.168.1.5:5060", "sip:peer@198.51.100.7:5060"
		nat, rebound    = "192.0.2.9:40000", "192.0.2.9:50000"
	)
	here := dialogstore.Dialog{Origin: dialogstore.Origin{Transport: "udp"}, State: dialogstore.State{RemoteTarget: private, Source: nat, Behind: true, Answered: nat}}
	with := func(change func(*dialogstore.Dialog)) dialogstore.Dialog {
		d := here
		change(&d)
		return d
	}
	for _, c := range []struct {
		name            string
		was             dialogstore.Dialog
		source, over    string
		contact, viaSay string // no Via: a 2xx
		want            dialogstore.Dialog
		moved           bool
	}{
		{"the same again", here, nat, "udp", private, "192.168.1.5", here, false},
		{"no Contact", here, nat, "udp", "", "192.168.1.5", here, false},
		{"rebound", here, rebound, "udp", private, "192.168.1.5",
			with(func(d *dialogstore.Dialog) { d.Source, d.Answered = rebound, "" }), true},
		{"out of the NAT", here, "198.51.100.7:5060", "udp", public, "198.51.100.7",
			with(func(d *dialogstore.Dialog) {
				d.RemoteTarget, d.Source, d.Behind, d.Answered = public, "198.51.100.7:5060", false, ""
			}), true},
		{"over another transport", here, "192.0.2.9:51000", "tcp", private, "192.168.1.5", here, false},
		{"a public Contact that a request denies", with(func(d *dialogstore.Dialog) { d.RemoteTarget, d.Behind = public, false }), nat, "udp", public, "198.51.100.7",
			with(func(d *dialogstore.Dialog) { d.RemoteTarget = public }), false},
		{"a request through a proxy by now", with(func(d *dialogstore.Dialog) { d.RemoteTarget = public }), nat, "udp", public, "192.0.2.9",
			with(func(d *dialogstore.Dialog) { d.RemoteTarget, d.Behind = public, false }), false},
		{"a 2xx shows less than the request before", with(func(d *dialogstore.Dialog) { d.RemoteTarget = public }), nat, "udp", public, "",
			with(func(d *dialogstore.Dialog) { d.RemoteTarget = public }), false},
		{"a 2xx from a NAT", with(func(d *dialogstore.Dialog) { d.Behind = false }), nat, "udp", private, "", here, false},
		{"where the application sends moves with it", with(func(d *dialogstore.Dialog) { d.Destination = nat }), rebound, "udp", private, "192.168.1.5",
			with(func(d *dialogstore.Dialog) { d.Source, d.Answered = rebound, "" }), true},
		{"a proxy of the application's stays", with(func(d *dialogstore.Dialog) { d.Destination = "10.0.0.7:5060" }), rebound, "udp", private, "192.168.1.5",
			with(func(d *dialogstore.Dialog) { d.Source, d.Answered, d.Destination = rebound, "", "10.0.0.7:5060" }), true},
	} {
		s := Sighting{seen: Seen{Transport: c.over, Source: c.source, Via: c.viaSay}}
		if c.viaSay != "" {
			s.seen.Hops = 1
		}
		if c.contact != "" {
			s.Contact, s.target = new(sip.Uri), c.contact
			if err := sip.ParseUri(c.contact, s.Contact); err != nil {
				t.Fatal(err)
			}
			s.seen.Contact = s.Contact.Host
		}
		got := c.was
		if moved := Locate(&got, s); moved != c.moved {
			t.Errorf("%s: moved is %v", c.name, moved)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
