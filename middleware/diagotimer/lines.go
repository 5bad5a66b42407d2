package diagotimer

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// lines is the one client that diago gets. It sends each request as the client of
// diago's transport would, which diago makes anew when it learns its port: so
// there is none to hook, and no moment to do it in.
type lines struct {
	timers     *middleware.Timers
	transports *[]diago.Transport // diago's own
	rest       sipgo.ClientTransactionRequester

	mu  sync.Mutex // held while all changes
	all atomic.Pointer[[]line]
}

// line is a transport of diago's.
type line struct {
	transport string // udp, tcp, tls, ws, wss
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
// of, else the first of its protocol, as diago has it for calls that come in.
func (ls *lines) lineOf(req *sip.Request) *line {
	var first *line
	transport, contact := sip.NetworkToLower(req.Transport()), req.Contact()
	all := ls.current()
	for i := range all {
		l := &all[i]
		if l.transport != transport {
			continue
		}
		if contact == nil || contact.Address.Host == l.contact.Host && contact.Address.Port == l.contact.Port {
			return l
		}
		if first == nil {
			first = l
		}
	}
	return first
}

// current are the transports as they are now.
func (ls *lines) current() []line {
	if all := ls.all.Load(); all != nil && !ls.changed(*all) {
		return *all
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var before []line
	if all := ls.all.Load(); all != nil {
		before = *all
	}
	all := make([]line, len(*ls.transports))
	seen := make(map[string]bool)
	for i := range all {
		t := &(*ls.transports)[i]
		client := clientOf(t)
		if i < len(before) && before[i].client == client {
			all[i] = before[i]
		} else {
			all[i] = ls.line(t, client, i, seen[t.Transport])
		}
		seen[t.Transport] = true
	}
	ls.all.Store(&all)
	return all
}

// changed reports whether there are new transports, or one has a port by now.
func (ls *lines) changed(all []line) bool {
	if len(all) != len(*ls.transports) {
		return true
	}
	for i := range all {
		if all[i].contact.Port == 0 && clientOf(&(*ls.transports)[i]) != all[i].client {
			return true
		}
	}
	return false
}

// line makes a line. another tells that it is not the first of its protocol, over
// which refreshes of calls that came in go out.
func (ls *lines) line(t *diago.Transport, client *sipgo.Client, i int, another bool) line {
	name := t.Transport
	if another {
		name = fmt.Sprintf("%s %d", name, i)
	}
	l := line{
		transport: t.Transport,
		contact:   sip.Uri{Host: t.ExternalHost, Port: t.ExternalPort},
		client:    client,
		requester: ls.timers.Requester(client, name),
	}
	probe := sip.NewRequest(sip.OPTIONS, sip.Uri{Scheme: "sip", Host: "nobody.invalid"})
	if err := sipgo.ClientRequestBuild(client, probe); err == nil {
		l.laddr, l.host, l.port = probe.Laddr, probe.Via().Host, probe.Via().Port
	}
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
