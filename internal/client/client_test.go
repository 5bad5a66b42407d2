package client

import (
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Of several clients the one sends that writes the dialog's own address into Via: where
// its messages came from counts more than its Contact, and a port more than none.
func TestNearest(t *testing.T) {
	const a, b, c, other = "10.0.0.1:5060", "10.0.0.1:5070", "10.0.0.2:5060", "10.0.0.3:5060"
	for _, row := range []struct {
		name           string
		clients        []string
		local, contact string
		want           int
	}{
		{"the socket", []string{a, b, c, other}, b, "<sip:us@" + c + ">", 1},
		{"the socket, of the first", []string{a, b, c, other}, a, "<sip:us@" + c + ">", 0},
		{"its host", []string{b, a, c, other}, "10.0.0.1:9", "<sip:us@10.0.0.9>", 0},
		{"the Contact", []string{a, b, c, other}, "", "<sip:us@" + c + ">", 2},
		{"the Contact in full before the host of the socket", []string{a, b, c, other}, "10.0.0.1:9", "<sip:us@" + c + ">;x=y", 2},
		{"the host of the Contact", []string{a, b, c, other}, "10.0.0.9:5060", "sip:us@10.0.0.2:5070;transport=tcp", 2},
		{"a Contact without a port", []string{a, b, c, other}, "", "<sip:us@10.0.0.2>", 2},
		{"none: the latest", []string{a, b, c, other}, "10.0.0.9:5060", "<sip:us@10.0.0.9>", 3},
		{"nothing known: the latest", []string{"", a}, "", "", 1},
		{"one whose Via the transport layer writes", []string{a, ""}, "10.0.0.9:5060", "", 1},
		{"IPv6", []string{a, "[2001:db8::1]:5060", other}, "[2001:db8::1]:5060", "", 1},
		{"the Contact in IPv6", []string{a, "[2001:db8::1]:5060", other}, "", "<sip:us@[2001:db8::1]:5060>", 1},
	} {
		var all []*Requester
		for _, addr := range row.clients {
			r := new(Requester)
			if addr != "" {
				host, port, err := sip.ParseAddr(addr)
				if err != nil {
					t.Fatal(err)
				}
				r.sentBy = sip.Addr{Hostname: host, Port: port}
			}
			all = append(all, r)
		}
		var d dialogstore.Dialog
		d.LocalAddr, d.Contact = row.local, row.contact
		if got := nearest(all, &d); got != all[row.want] {
			t.Errorf("%s: %v sends, want %s", row.name, got.sentBy, row.clients[row.want])
		}
	}
}
