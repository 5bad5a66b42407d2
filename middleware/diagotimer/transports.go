package diagotimer

import (
	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// transport is one of diago's transports, as a dialog shows it.
type transport struct {
	name    string // udp, tcp, tls, ws or wss
	client  *sipgo.Client
	contact sip.Uri
}

// transportsOf returns the first transport of each protocol.
func transportsOf(dg *diago.Diago) (all []transport) {
	for _, name := range []string{"udp", "tcp", "tls", "ws", "wss"} {
		if t, ok := transportOf(dg, name); ok {
			all = append(all, t)
		}
	}
	return all
}

// transportOf returns the first transport of a protocol. It makes a dialog that is never
// sent: diago has no other way to ask for a transport.
func transportOf(dg *diago.Diago, name string) (transport, bool) {
	d, err := dg.NewDialog(sip.Uri{Scheme: "sip", Host: "nobody.invalid"}, diago.NewDialogOptions{Transport: name})
	if err != nil {
		return transport{}, false
	}
	defer func() { _ = d.Close() }()
	return transport{name: name, client: d.UA.Client, contact: d.UA.ContactHDR.Address}, true
}
