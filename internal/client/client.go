package client

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
	"github.com/sipgo-contrib/sessiontimer/internal/workers"
)

// Client sends for all calls, through the sipgo.Clients that it was given. Its methods
// may be called by any number of goroutines.
type Client struct {
	Steps workers.Crew // what sipgo may take long to do for us

	calls       *calls.Calls
	ownership   Ownership
	credentials Credentials
	invited     func(*sip.Request)

	mu         sync.Mutex
	requesters map[string][]*Requester // by transport, in order; "" are those for the rest
}

// New makes the client side of calls, which are this node's as ownership says. invited
// gets each INVITE outside a dialog before
// it is sent, and may be called by any number of goroutines.
func New(c *calls.Calls, ownership Ownership, credentials Credentials, invited func(*sip.Request)) *Client {
	return &Client{calls: c, ownership: ownership, credentials: credentials, invited: invited, requesters: make(map[string][]*Requester)}
}

// NewRequester makes client a sender of what has none of its own, in place of one
// before it that writes the same Via.
func (c *Client) NewRequester(client *sipgo.Client, transports ...string) *Requester {
	r := &Requester{c: c, client: client, sentBy: sentBy(client)}
	if len(transports) == 0 {
		transports = []string{""}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, tr := range transports {
		tr = sip.NetworkToLower(tr)
		c.requesters[tr] = append(slices.DeleteFunc(slices.Clone(c.requesters[tr]), func(older *Requester) bool {
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

// RequesterFor is the one that sends for a dialog; nil if there is none.
func (c *Client) RequesterFor(d dialogstore.Dialog) *Requester {
	c.mu.Lock()
	all := c.requesters[sip.NetworkToLower(d.Transport)]
	if len(all) == 0 {
		all = c.requesters[""]
	}
	c.mu.Unlock()
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return nearest(all, d)
}

// nearest is the one whose Via is the address of the dialog, at least its host;
// else the latest.
func nearest(all []*Requester, d dialogstore.Dialog) *Requester {
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
	return net.JoinHostPort(strings.Trim(u.Host, "[]"), strconv.Itoa(u.Port))
}
