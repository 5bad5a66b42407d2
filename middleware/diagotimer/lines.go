package diagotimer

import (
	"context"
	"fmt"
	"sync"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// lines is the one client that diago gets. It sends each request as the client of
// diago's transport would, which diago makes anew when it learns its port: so there is
// none to hook, and no moment to do it in. Of the transports it reads no more than
// diago does for the same request: one that is not asked for may just begin to listen.
type lines struct {
	timers     *middleware.Timers
	transports *[]diago.Transport // diago's own
	rest       sipgo.ClientTransactionRequester

	mu  sync.Mutex
	all []*line // for each transport; nil if it was not needed yet
}

// line is a transport of diago's.
type line struct {
	contact   sip.Uri
	client    *sipgo.Client // diago's, for this transport
	requester sipgo.ClientTransactionRequester

	laddr sip.Addr // that the client sends from
	host  string   // and what it puts into Via, and into From for a user agent without one
	port  int
}

// Request implements sipgo.ClientTransactionRequester.
func (ls *lines) Request(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	l := ls.lineOf(req)
	if l == nil {
		return ls.rest.Request(ctx, req)
	}
	l.complete(req)
	return l.requester.Request(ctx, req)
}

// complete adds what the client of the line would have added.
func (l *line) complete(req *sip.Request) {
	if via := req.Via(); via != nil && via.Host == "" {
		via.Host, via.Port = l.host, l.port
	}
	if req.To() != nil && req.To().Params.Has("tag") {
		return // sipgo's dialogs do not choose where they send from
	}
	if from := req.From(); from != nil && from.Address.Host == "" {
		from.Address.Host = l.host
	}
	if l.laddr.IP != nil && req.Laddr.IP == nil {
		l.laddr.Copy(&req.Laddr)
	}
}

// lineOf is the transport that a request leaves over: the one that its Contact is
// of, else the first of its protocol.
func (ls *lines) lineOf(req *sip.Request) *line {
	var at *sip.Uri
	if c := req.Contact(); c != nil {
		at = &c.Address
	}
	return ls.find(req.Transport(), at)
}

// find finds a transport by what its Contact says; nil is any, as diago has it for
// calls that come in.
func (ls *lines) find(transport string, contact *sip.Uri) *line {
	transport = sip.NetworkToLower(transport)
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var first *line
	for i := range *ls.transports {
		t := &(*ls.transports)[i]
		if t.Transport != transport {
			continue
		}
		l := ls.line(i, t, first != nil)
		if contact == nil || contact.Host == l.contact.Host && contact.Port == l.contact.Port {
			return l
		}
		if first == nil {
			first = l
		}
	}
	return first
}

// line is the i-th transport as it is now. another tells that it is not the first of
// its protocol, over which refreshes of calls that came in go out. mu is held.
func (ls *lines) line(i int, t *diago.Transport, another bool) *line {
	for len(ls.all) <= i {
		ls.all = append(ls.all, nil)
	}
	if l := ls.all[i]; l != nil && (l.contact.Port != 0 || l.client == clientOf(t)) {
		return l
	}
	name := t.Transport
	if another {
		name = fmt.Sprintf("%s %d", name, i)
	}
	client := clientOf(t)
	l := &line{
		contact:   sip.Uri{Host: t.ExternalHost, Port: t.ExternalPort},
		client:    client,
		requester: ls.timers.Requester(client, name),
	}
	probe := sip.NewRequest(sip.OPTIONS, sip.Uri{Scheme: "sip", Host: "nobody.invalid"})
	if err := sipgo.ClientRequestBuild(client, probe); err == nil {
		l.laddr, l.host, l.port = probe.Laddr, probe.Via().Host, probe.Via().Port
	}
	ls.all[i] = l
	return l
}

// clientOf is the client that diago has for a transport.
func clientOf(t *diago.Transport) *sipgo.Client {
	client, err := inside[*sipgo.Client](t, "client")
	if err != nil {
		return nil // found out when the timers were put in place
	}
	return *client
}
