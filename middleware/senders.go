package middleware

import (
	"net"
	"slices"
	"strconv"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// newRequester makes client a sender of what has none of its own, in place of one
// before it that writes the same Via.
func (t *Timers) newRequester(client *sipgo.Client, transports ...string) *requester {
	r := &requester{t: t, client: client, sentBy: sentBy(client)}
	if len(transports) == 0 {
		transports = []string{""}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tr := range transports {
		tr = sip.NetworkToLower(tr)
		t.requesters[tr] = append(slices.DeleteFunc(slices.Clone(t.requesters[tr]), func(older *requester) bool {
			return older.sentBy.Hostname == r.sentBy.Hostname && older.sentBy.Port == r.sentBy.Port
		}), r)
	}
	return r
}

// sentBy is what a client writes into the Via of its requests.
func sentBy(client *sipgo.Client) sip.Addr {
	req := sip.NewRequest(sip.OPTIONS, sip.Uri{})
	_ = sipgo.ClientRequestAddVia(client, req)
	return sip.Addr{Hostname: req.Via().Host, Port: req.Via().Port}
}

// requesterFor is the client that sends for a dialog; nil if there is none.
func (t *Timers) requesterFor(d dialogstore.Dialog) *requester {
	t.mu.Lock()
	all := t.requesters[sip.NetworkToLower(d.Transport)]
	if len(all) == 0 {
		all = t.requesters[""]
	}
	t.mu.Unlock()
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return nearest(all, d)
}

// nearest is the client whose Via is the address of the dialog, at least its host;
// else the latest.
func nearest(all []*requester, d dialogstore.Dialog) *requester {
	best, most := all[len(all)-1], 0
	for _, addr := range []string{d.LocalAddr, hostPort(sipmsg.AddrSpec(d.Contact))} {
		host, port, _ := net.SplitHostPort(addr)
		for _, r := range all {
			match := 0
			if host != "" && host == r.sentBy.Hostname {
				match = 1
				if port == strconv.Itoa(r.sentBy.Port) {
					match = 2
				}
			}
			if match > most {
				best, most = r, match
			}
		}
	}
	return best
}

// hostPort is the host:port of a URI; empty if it is none.
func hostPort(uri string) string {
	var u sip.Uri
	if err := sip.ParseUri(uri, &u); err != nil {
		return ""
	}
	return net.JoinHostPort(u.Host, strconv.Itoa(u.Port))
}
