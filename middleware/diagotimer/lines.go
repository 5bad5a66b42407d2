package diagotimer

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// lines is the one client that diago gets. It sends each request as the client of diago's
// transport would. Those clients cannot be hooked, because diago replaces them when it
// learns its port, and there is no event for that. The Contact that diago writes into a
// request shows which transport it uses.
type lines struct {
	dg     *diago.Diago
	timers *middleware.Timers
	client *sipgo.Client
	rest   sipgo.ClientTransactionRequester

	mu  sync.Mutex
	all map[string]*protocol
}

// protocol holds the transports of a protocol.
type protocol struct {
	name    string
	probe   *line // the first transport when diago was made
	first   *line // the first transport now
	settled bool  // it listens, and will not change
	more    []*line
}

// line is a transport of diago.
type line struct {
	contact   sip.Uri
	requester sipgo.ClientTransactionRequester

	laddr sip.Addr // the local address of its client
	host  string   // in its Via, and in From if the user agent has no host
	port  int

	socket sip.Addr // the preferred local address, if it is open
}

// mostLines bounds the transports of one protocol, because an application may write
// Contacts of its own.
const mostLines = 32

func newLines(dg *diago.Diago, timers *middleware.Timers, shown []transport) (*lines, error) {
	client, err := sipgo.NewClient(timers.UserAgent(), sipgo.WithClientNAT())
	if err != nil {
		return nil, &HookError{err.Error()}
	}
	ls := &lines{dg: dg, timers: timers, client: client, rest: timers.Adapter().Requester(client), all: make(map[string]*protocol)}
	client.TxRequester = ls
	for _, t := range shown {
		l := ls.line(t.client, t.contact, t.name)
		ls.all[t.name] = &protocol{name: t.name, probe: l, first: l}
	}
	return ls, nil
}

// Request implements sipgo.ClientTransactionRequester.
func (ls *lines) Request(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	l := ls.lineOf(req)
	if l == nil {
		return ls.rest.Request(ctx, req)
	}
	ls.complete(req, l)
	return l.requester.Request(ctx, req)
}

// complete adds what the client of the line would have added.
func (ls *lines) complete(req *sip.Request, l *line) {
	if via := req.Via(); via != nil && via.Host == "" {
		via.Host, via.Port = l.host, l.port
	}
	if req.To() != nil && req.To().Params.Has("tag") {
		return // requests of sipgo's dialogs have no local address
	}
	if from := req.From(); from != nil && from.Address.Host == "" {
		from.Address.Host = l.host
	}
	switch {
	case req.Laddr.IP != nil:
	case l.socket.IP != nil && ls.open(l.socket):
		l.socket.Copy(&req.Laddr)
	case l.laddr.IP != nil:
		l.laddr.Copy(&req.Laddr)
	}
}

// open reports whether diago listens at an address.
func (ls *lines) open(at sip.Addr) bool {
	conn, err := ls.client.TransportLayer().GetConnection("udp", at.String())
	if err != nil {
		return false
	}
	_, _ = conn.TryClose() // only releases our reference
	return true
}

// lineOf returns the transport for a request: the one of its Contact, else the first of
// its protocol.
func (ls *lines) lineOf(req *sip.Request) *line {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	p := ls.all[sip.NetworkToLower(req.Transport())]
	if p == nil {
		return nil
	}
	if opens(req) {
		ls.settle(p, false)
	}
	if c := req.Contact(); c != nil && c.Address.User == ls.timers.UserAgent().Name() {
		return ls.find(p, c.Address)
	}
	return p.first
}

// arrived notes that a call came in, so its transport listens.
func (ls *lines) arrived(req *sip.Request) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if p := ls.all[sip.NetworkToLower(req.Transport())]; p != nil {
		ls.settle(p, true)
	}
}

// settle updates the first transport of a protocol until it has its port. mu is held.
func (ls *lines) settle(p *protocol, listens bool) {
	if p.settled {
		return
	}
	t, ok := transportOf(ls.dg, p.name)
	if !ok || t.contact.Port == 0 {
		return
	}
	changed := !sameAddress(t.contact, p.probe.contact)
	p.settled = listens || changed
	if changed {
		p.first = ls.derive(p, t.contact, p.name)
	}
}

// find returns a transport by its Contact. mu is held.
func (ls *lines) find(p *protocol, contact sip.Uri) *line {
	if sameAddress(contact, p.first.contact) {
		return p.first
	}
	for _, l := range p.more {
		if sameAddress(contact, l.contact) {
			return l
		}
	}
	if len(p.more) == mostLines {
		return p.first
	}
	// Not named like p: refreshes of incoming calls use that name.
	l := ls.derive(p, contact, fmt.Sprintf("%s %d", p.name, len(p.more)+2))
	p.more = append(p.more, l)
	return l
}

func sameAddress(a, b sip.Uri) bool { return a.Host == b.Host && a.Port == b.Port }

// derive makes a client like the one diago has for the transport with this Contact. If the
// Contact has the protocol, the transport listens at its address. If not, that is the
// external address, which goes into Via, and the socket is most likely at the same port
// on the interface of the first transport.
func (ls *lines) derive(p *protocol, contact sip.Uri, name string) *line {
	laddr, socket := p.probe.laddr, sip.Addr{}
	opts := []sipgo.ClientOption{sipgo.WithClientNAT()}
	if contact.UriParams != nil && contact.UriParams.Has("transport") {
		laddr = sip.Addr{IP: net.ParseIP(contact.Host), Port: contact.Port}
	} else {
		opts = append(opts, sipgo.WithClientHostname(contact.Host), sipgo.WithClientPort(contact.Port))
		socket = sip.Addr{IP: laddr.IP, Port: contact.Port}
		if contact.Host != p.probe.contact.Host {
			laddr = sip.Addr{}
		}
	}
	if laddr.IP != nil && p.name == "udp" {
		opts = append(opts, sipgo.WithClientConnectionAddr(net.JoinHostPort(laddr.IP.String(), strconv.Itoa(laddr.Port))))
	}
	client, err := sipgo.NewClient(ls.timers.UserAgent(), opts...)
	if err != nil {
		return p.probe // none of these options fails
	}
	l := ls.line(client, contact, name)
	l.socket = socket
	return l
}

// line returns the transport of a client.
func (ls *lines) line(client *sipgo.Client, contact sip.Uri, name string) *line {
	l := &line{contact: contact, requester: ls.timers.Adapter().Requester(client, name)}
	probe := sip.NewRequest(sip.OPTIONS, sip.Uri{Scheme: "sip", Host: "nobody.invalid"})
	if err := sipgo.ClientRequestBuild(client, probe); err == nil {
		l.laddr, l.host, l.port = probe.Laddr, probe.Via().Host, probe.Via().Port
	}
	return l
}
