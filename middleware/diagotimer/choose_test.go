package diagotimer

import (
	"fmt"
	"net"
	"testing"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

func uri(user, host string, port int) sip.Uri {
	return sip.Uri{Scheme: "sip", User: user, Host: host, Port: port}
}

// request is one over UDP, with or without a tag in To.
func request(method sip.RequestMethod, toTag string) *sip.Request {
	req := sip.NewRequest(method, uri("peer", "192.0.2.7", 5060))
	req.SetTransport("UDP")
	to := &sip.ToHeader{Address: uri("peer", "192.0.2.7", 5060), Params: sip.NewParams()}
	if toTag != "" {
		to.Params.Add("tag", toTag)
	}
	req.AppendHeader(&sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: "UDP", Params: sip.NewParams()})
	req.AppendHeader(&sip.FromHeader{Address: uri("us", "", 0), Params: sip.NewParams()})
	req.AppendHeader(to)
	return req
}

func TestOpens(t *testing.T) {
	bare := sip.NewRequest(sip.INVITE, uri("peer", "192.0.2.7", 5060))
	for _, c := range []struct {
		name string
		req  *sip.Request
		want bool
	}{
		{"a first INVITE", request(sip.INVITE, ""), true},
		{"a re-INVITE", request(sip.INVITE, "7"), false},
		{"another method", request(sip.OPTIONS, ""), false},
		{"an INVITE without To", bare, false},
	} {
		if got := opens(c.req); got != c.want {
			t.Errorf("%s opens a call: %v", c.name, got)
		}
	}
}

// timersOf returns a user agent and its timers, both closed at the end of the test.
func timersOf(t *testing.T, opts ...sipgo.UserAgentOption) (*sipgo.UserAgent, *middleware.Timers) {
	t.Helper()
	ua, err := sipgo.NewUA(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ua.Close() })
	timers, err := middleware.New(ua)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = timers.Close() })
	return ua, timers
}

// A request goes over the transport that its Contact names, if that is one that diago wrote,
// and else over the first one of its protocol. An application that writes Contacts of its own
// makes no more transports than so many.
func TestLineOf(t *testing.T) {
	_, timers := timersOf(t, sipgo.WithUserAgent("desk"))
	p := &protocol{name: "udp", settled: true, first: &line{contact: uri("desk", "192.0.2.1", 5060)}}
	for i := range mostLines {
		p.more = append(p.more, &line{contact: uri("desk", "192.0.2.1", 6000+i)})
	}
	ls := &lines{timers: timers, all: map[string]*protocol{"udp": p}}
	for _, c := range []struct {
		contact sip.Uri
		want    *line
	}{
		{sip.Uri{}, p.first},
		{p.first.contact, p.first},
		{p.more[0].contact, p.more[0]},
		{p.more[mostLines-1].contact, p.more[mostLines-1]},
		{uri("other", "192.0.2.1", 6000), p.first},
		{uri("desk", "192.0.2.2", 6000), p.first},
		{uri("desk", "192.0.2.1", 7000), p.first},
	} {
		req := request(sip.INVITE, "")
		if c.contact.Host != "" {
			req.AppendHeader(&sip.ContactHeader{Address: c.contact})
		}
		if got := ls.lineOf(req); got != c.want {
			t.Errorf("with the Contact %s it goes over %v, want %v", c.contact.String(), got.contact.String(), c.want.contact.String())
		}
	}
	if len(p.more) != mostLines {
		t.Errorf("there are %d further transports, want no more than %d", len(p.more), mostLines)
	}
	other := request(sip.INVITE, "")
	other.SetTransport("WSS")
	if got := ls.lineOf(other); got != nil {
		t.Errorf("over a protocol that diago has not it goes over %v", got)
	}
	ls.arrived(other) // and says nothing about any transport
}

// The first transport of a protocol is the one that diago made with its port. A transport
// that has its port from the beginning is settled once a call has come in.
func TestSettle(t *testing.T) {
	ua, timers := timersOf(t)
	dg := diago.NewDiago(ua, diago.WithTransport(diago.Transport{Transport: "udp", BindHost: "127.0.0.1"}))
	ls, err := newLines(dg, timers, transportsOf(dg))
	if err != nil {
		t.Fatal(err)
	}
	before := ls.all["udp"]
	ls.arrived(request(sip.INVITE, ""))
	if before.settled || before.first != before.probe {
		t.Errorf("before diago listens: settled %t, at %s", before.settled, before.first.contact.String())
	}
	if err := dg.ServeBackground(t.Context(), func(*diago.DialogServerSession) {}); err != nil {
		t.Fatal(err)
	}
	now, _ := transportOf(dg, "udp")
	fixed, err := newLines(dg, timers, transportsOf(dg))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name              string
		ls                *lines
		note              func(*lines)
		settled, replaced bool
	}{
		{"a request within a call, where diago chose the port", ls, func(ls *lines) { ls.lineOf(request(sip.INVITE, "7")) }, false, false},
		{"a call of ours, where diago chose the port", ls, func(ls *lines) { ls.lineOf(request(sip.INVITE, "")) }, true, true},
		{"a call of ours", fixed, func(ls *lines) { ls.lineOf(request(sip.INVITE, "")) }, false, false},
		{"a call that came in", fixed, func(ls *lines) { ls.arrived(request(sip.INVITE, "")) }, true, false},
	} {
		c.note(c.ls)
		p := c.ls.all["udp"]
		want := p.probe.contact
		if c.replaced {
			want = now.contact
		}
		if p.settled != c.settled || (p.first != p.probe) != c.replaced || !sameAddress(p.first.contact, want) {
			t.Errorf("%s: settled %t, at %s; want %t, at %s", c.name, p.settled, p.first.contact.String(), c.settled, want.String())
		}
	}
}

// What a request lacks is added as the client of its transport would have done. A request
// within a dialog gets no more than its Via.
func TestComplete(t *testing.T) {
	l := &line{host: "192.0.2.1", port: 5060, laddr: sip.Addr{IP: net.ParseIP("10.0.0.1"), Port: 5060}}
	own := sip.Addr{IP: net.ParseIP("10.0.0.9"), Port: 7}
	for _, c := range []struct {
		name   string
		req    *sip.Request
		change func(*sip.Request)
		line   *line
		want   string // Via, From and local address
	}{
		{"a first INVITE", request(sip.INVITE, ""), func(*sip.Request) {}, l, "192.0.2.1:5060 192.0.2.1 10.0.0.1:5060"},
		{"a re-INVITE", request(sip.INVITE, "7"), func(*sip.Request) {}, l, "192.0.2.1:5060  :0"},
		{"with all of its own", request(sip.INVITE, ""), func(req *sip.Request) {
			req.Via().Host, req.Via().Port, req.From().Address.Host = "v", 1, "f"
			own.Copy(&req.Laddr)
		}, l, "v:1 f 10.0.0.9:7"},
		{"over a transport without an address", request(sip.INVITE, ""), func(*sip.Request) {}, &line{host: "h", port: 2}, "h:2 h :0"},
	} {
		c.change(c.req)
		new(lines).complete(c.req, c.line)
		at := c.req.Laddr.IP.String()
		if c.req.Laddr.IP == nil {
			at = ""
		}
		if got := fmt.Sprintf("%s:%d %s %s:%d", c.req.Via().Host, c.req.Via().Port, c.req.From().Address.Host, at, c.req.Laddr.Port); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
