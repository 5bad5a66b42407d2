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

// Client sends the requests of all calls, through the sipgo.Clients given to NewRequester.
// Its methods may be called concurrently.
type Client struct {
	Steps workers.Crew // runs the steps of sipgo that may block

	calls       *calls.Calls
	ownership   Ownership
	credentials Credentials
	invited     func(*sip.Request)

	mu         sync.Mutex
	requesters map[string][]*Requester // by transport, the latest last; "" is for all other transports
}

// New returns a Client for the calls of c. ownership knows which of them this node owns.
// invited is called with each INVITE before it is sent, and concurrently.
func New(c *calls.Calls, ownership Ownership, credentials Credentials, invited func(*sip.Request)) *Client {
	return &Client{calls: c, ownership: ownership, credentials: credentials, invited: invited, requesters: make(map[string][]*Requester)}
}

// NewRequester returns a requester that sends through client. The timers also use it for
// incoming calls over the given transports, or over all that have no requester of their
// own if none are given. It replaces an earlier requester with the same Via.
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

// sentBy returns the sent-by that client writes into the Via of its requests.
func sentBy(client *sipgo.Client) sip.Addr {
	req := sip.NewRequest(sip.OPTIONS, sip.Uri{})
	_ = sipgo.ClientRequestAddVia(client, req)
	return sip.Addr{Hostname: req.Via().Host, Port: req.Via().Port}
}

// RequesterFor returns the requester for a dialog; nil if there is none.
func (c *Client) RequesterFor(d *dialogstore.Dialog) *Requester {
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

// nearest returns the requester whose Via has the address of the dialog, or at least its
// host; else the latest.
func nearest(all []*Requester, d *dialogstore.Dialog) *Requester {
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

// hostPort returns the host:port of a URI; empty if it does not parse.
func hostPort(uri string) string {
	var u sip.Uri
	if err := sip.ParseUri(uri, &u); err != nil {
		return ""
	}
	return net.JoinHostPort(strings.Trim(u.Host, "[]"), strconv.Itoa(u.Port))
}
