package client

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/transcript"
)

const us, them, elsewhere = "10.0.0.1:5060", "10.0.0.9:5060", "10.0.0.8:5060"

var began = time.Unix(1000, 0)

func at(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }

func uri(t *testing.T, s string) (u sip.Uri) {
	t.Helper()
	if err := sip.ParseUri(s, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

// node is the Ownership of a node that shares its calls with others.
type node struct {
	Sole
	may func(over bool) bool // what MayHangUp and MayRefresh return; nil for true
}

func (node) Shared() bool { return true }

func (n node) MayRefresh(context.Context, failover.Key) bool { return n.may == nil || n.may(false) }

func (n node) MayHangUp(_ context.Context, _ failover.Key, over bool) bool {
	return n.may == nil || n.may(over)
}

// strict is a store that does nothing for a context that has ended, as one over a network.
type strict struct{ dialogstore.Store }

func (s strict) Load(ctx context.Context, id dialogstore.ID) (d dialogstore.Dialog, err error) {
	if ctx.Err() != nil {
		return d, ctx.Err()
	}
	return s.Store.Load(ctx, id)
}

func (s strict) Create(ctx context.Context, d dialogstore.Dialog) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.Store.Create(ctx, d)
}

func (s strict) Update(ctx context.Context, id dialogstore.ID, change func(dialogstore.Dialog) (dialogstore.State, error)) (before, after dialogstore.Dialog, err error) {
	if ctx.Err() != nil {
		return before, after, ctx.Err()
	}
	return s.Store.Update(ctx, id, change)
}

// ended returns a context that has ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// noNames is a resolver that sends no queries.
func noNames() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }}
}

// The first lookup of package net makes channels, which must not belong to a bubble.
func init() {
	_, _, _ = noNames().LookupSRV(context.Background(), "sip", "udp", "client.invalid")
	_, _ = noNames().LookupIPAddr(context.Background(), "client.invalid")
}

// stack is our Client in a user agent on an in-memory network.
type stack struct {
	*Client
	r    *Requester
	net  *sipnet.Network
	log  transcript.Text
	stop context.CancelFunc // closes the timers

	listen func(addr string) // opens a further socket
}

// inStack runs f in a bubble. No name leads anywhere there, and no dial.
func inStack(t *testing.T, f func(t *testing.T, s *stack)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		quiet := slog.New(slog.DiscardHandler)
		s := &stack{net: sipnet.New()}
		dials := sip.TransportsConfig{TCP: &sip.TransportTCP{DialerCreate: func(net.Addr) net.Dialer {
			return net.Dialer{Control: func(_, addr string, _ syscall.RawConn) error { return s.net.Dial(addr) }}
		}}}
		ua, err := sipgo.NewUA(sipgo.WithUserAgentDNSResolver(noNames()),
			sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(quiet), sip.WithTransportLayerTransports(dials)),
			sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(quiet)))
		if err != nil {
			t.Fatal(err)
		}
		server, err := sipgo.NewServer(ua, sipgo.WithServerLogger(quiet))
		if err != nil {
			t.Fatal(err)
		}
		s.listen = func(addr string) {
			go func() { _ = server.ServeUDP(s.net.PacketConn(addr)) }()
			synctest.Wait()
		}
		s.listen(us)
		go func() { _ = server.ServeTCP(s.net.Listener(us)) }()
		synctest.Wait()
		client, err := sipgo.NewClient(ua, sipgo.WithClientLogger(quiet), sipgo.WithClientConnectionAddr(us))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		s.stop = cancel
		c := calls.New(ctx, calls.Config{Log: slog.New(slog.NewTextHandler(&s.log, nil))})
		c.Store = dialogstore.Observe(strict{dialogstore.NewMemory()})
		s.Client = New(c, Sole{}, Credentials{}, func(*sip.Request) {})
		s.r = s.NewRequester(client)
		defer func() {
			cancel()
			c.Workers.Stop()
			synctest.Wait()
			s.net.Close()
			synctest.Wait()
			_ = ua.Close()
		}()
		f(t, s)
	})
}

// sent returns the messages that left from us.
func (s *stack) sent() (all []sip.Message) {
	synctest.Wait()
	for _, m := range s.net.Messages() {
		if m.From == us {
			all = append(all, m.SIP)
		}
	}
	return all
}

// last returns the last message that left from us.
func (s *stack) last(t *testing.T) sipnet.Message {
	t.Helper()
	synctest.Wait()
	all := s.net.Messages()
	for _, m := range slices.Backward(all) {
		if m.From == us {
			return m
		}
	}
	t.Fatal("nothing was sent")
	return sipnet.Message{}
}

// wantLog reports whether what was logged names the dialog, once for each time. The rest are
// further attributes.
func (s *stack) wantLog(t *testing.T, times int, message string, id dialogstore.ID, attrs ...string) {
	t.Helper()
	lines := s.log.Lines(message)
	if len(lines) != times {
		t.Errorf("%q is logged %d times, want %d:\n%s", message, len(lines), times, s.log.String())
	}
	for _, line := range lines {
		for _, attr := range append(attrs, "call_id="+id.CallID, "local_tag="+quoted(id.LocalTag), "remote_tag="+quoted(id.RemoteTag)) {
			if !strings.Contains(line, " "+attr) {
				t.Errorf("%s is missing in %s", attr, line)
			}
		}
	}
}

// quoted is an attribute as package slog writes it.
func quoted(s string) string {
	if s == "" {
		return `""`
	}
	return s
}

// call is a confirmed call of ours. Its peer answers as the test says.
type call struct {
	*stack
	d      dialogstore.Dialog
	set    *dialogset.Set
	dialog *dialogset.Dialog
	peer   *sipnet.Peer
}

// aDialog is a dialog that holds together, with a session that began now.
func aDialog() (d dialogstore.Dialog) {
	d.CallID, d.LocalTag, d.RemoteTag, d.OwnsCallID = "call", "ours", "theirs", true
	d.LocalURI, d.RemoteURI = "<sip:us@example.com>;tag=ours", "<sip:peer@example.com>;tag=theirs"
	d.Contact, d.RemoteTarget, d.Transport = "<sip:us@"+us+">", "sip:peer@"+them, "udp"
	d.LocalAddr, d.Source, d.LocalCSeq = us, them, 10
	d.Policy = sessiontimer.DefaultPolicy()
	d.Session = sessiontimer.Session{Interval: 30 * time.Minute, Refresher: sessiontimer.Local, Since: time.Now()}
	return d
}

// inCall runs f in a bubble, with a call as change has made it.
func inCall(t *testing.T, change func(*dialogstore.Dialog), f func(t *testing.T, c *call)) {
	t.Helper()
	inStack(t, func(t *testing.T, s *stack) {
		c := &call{stack: s, d: aDialog(), peer: s.net.Peer(them)}
		if change != nil {
			change(&c.d)
		}
		if err := s.calls.Store.Create(t.Context(), c.d); err != nil {
			t.Fatal(err)
		}
		c.set, c.dialog = s.calls.Sets.Resume(&c.d)
		c.d = c.stored(t)
		f(t, c)
	})
}

// stored returns the dialog as the store has it.
func (c *call) stored(t *testing.T) dialogstore.Dialog {
	t.Helper()
	d, err := c.calls.Store.Load(context.Background(), c.d.ID)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// change changes the stored dialog.
func (c *call) change(t *testing.T, change func(*dialogstore.Dialog)) {
	t.Helper()
	_, _, err := c.calls.Store.Update(context.Background(), c.d.ID, func(d dialogstore.Dialog) (dialogstore.State, error) {
		change(&d)
		return d.State, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.d = c.stored(t)
}

// request returns a request of the application within the call.
func (c *call) request(t *testing.T, method sip.RequestMethod, cseq uint32) *sip.Request {
	t.Helper()
	req, err := indialog.Request(&c.d, method)
	if err != nil {
		t.Fatal(err)
	}
	if err := sipgo.ClientRequestAddVia(c.r.client, req); err != nil {
		t.Fatal(err)
	}
	sipmsg.SetCSeq(req, cseq)
	return req
}

// own returns a request of ours, ready to be sent to the first place.
func (c *call) own(t *testing.T, method sip.RequestMethod) *ownRequest {
	t.Helper()
	req, err := indialog.Request(&c.d, method)
	if err != nil {
		t.Fatal(err)
	}
	o, err := c.newOwnRequest(c.set, c.dialog, &c.d, req, c.ownership.Key(c.d.ID), toRefresh)
	if err != nil {
		t.Fatal(err)
	}
	o.proposal = o.policy.Propose(c.d.Session, c.d.MinSE, c.d.PeerTimer)
	if !o.next(t.Context()) {
		t.Fatal("there is no place to send to")
	}
	return o
}

// aKind is a kind of request that lets everything pass.
type aKind struct {
	overs, tells, accepts int
	refuses               error // what permitted returns
	tx                    *sip.ClientTx
	learnt                time.Duration
	learned               func(context.Context)
	offers                func()
}

func (k *aKind) opened(tx *sip.ClientTx)                 { k.tx = tx }
func (*aKind) number() uint32                            { return 7 }
func (*aKind) numbered(context.Context, uint32)          {}
func (k *aKind) permitted(context.Context) error         { return k.refuses }
func (k *aKind) accepted(context.Context, *sip.Response) { k.accepts++ }
func (k *aKind) told(context.Context, *sip.Response)     { k.tells++ }
func (k *aKind) over(*sip.Response)                      { k.overs++ }
func (*aKind) repeated(*sip.Response)                    {}
func (k *aKind) says() {
	if k.offers != nil {
		k.offers()
	}
}
func (k *aKind) learn(ctx context.Context, minSE time.Duration) {
	k.learnt = minSE
	if k.learned != nil {
		k.learned(ctx)
	}
}

// requesting is an INVITE that was sent, as the application sees it.
type requesting struct {
	*stack
	*clientTx
	x    *exchange
	kind *aKind

	key  string // given to the OnTerminate hook
	told error
}

// anInvite returns an INVITE of the application outside a dialog.
func (s *stack) anInvite(t *testing.T) *sip.Request {
	t.Helper()
	req := sip.NewRequest(sip.INVITE, uri(t, "sip:peer@"+them))
	callID := sip.CallIDHeader("call")
	req.AppendHeader(&callID)
	from := &sip.FromHeader{Address: uri(t, "sip:us@example.com")}
	from.Params.Add("tag", "ours")
	req.AppendHeader(from)
	if err := sipgo.ClientRequestBuild(s.r.client, req); err != nil {
		t.Fatal(err)
	}
	sipmsg.SetCSeq(req, 1)
	return req
}

// anExchange is for an INVITE that was not sent yet.
func (s *stack) anExchange(t *testing.T) *exchange {
	t.Helper()
	set, policy := s.calls.Sets.Open("call", "ours"), sessiontimer.DefaultPolicy()
	return &exchange{r: s.r, set: set, dialog: set.Invite(policy), id: set.ID(""), req: s.anInvite(t),
		policy: policy, proposal: policy.Propose(sessiontimer.Session{}, 0, false)}
}

// inRequest runs f in a bubble, with an INVITE that was refused or not yet answered.
func inRequest(t *testing.T, f func(t *testing.T, r *requesting)) {
	t.Helper()
	inStack(t, func(t *testing.T, s *stack) {
		x := s.anExchange(t)
		r := &requesting{stack: s, x: x, kind: new(aKind)}
		r.clientTx = newClientTx(x, r.kind)
		if err := x.send(t.Context(), r.kind); err != nil {
			t.Fatal(err)
		}
		r.OnTerminate(func(key string, err error) { r.key, r.told = key, err })
		defer func() { s.stop(); x.transaction().Terminate() }()
		f(t, r)
	})
}

func (r *requesting) response(status int, headers ...sip.Header) *sip.Response {
	res := sip.NewResponseFromRequest(r.x.req, status, "", nil)
	for _, h := range headers {
		res.AppendHeader(h)
	}
	return res
}
