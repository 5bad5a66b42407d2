package client

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

const us, them = "10.0.0.1:5060", "10.0.0.9:5060"

// aKind is a kind of request that lets everything pass.
type aKind struct {
	overs   int
	refuses error // what permitted returns
	tx      *sip.ClientTx
	learns  func()
	offers  func()
}

func (k *aKind) opened(tx *sip.ClientTx)               { k.tx = tx }
func (*aKind) number() uint32                          { return 7 }
func (*aKind) numbered(context.Context, uint32)        {}
func (k *aKind) permitted(context.Context) error       { return k.refuses }
func (*aKind) accepted(context.Context, *sip.Response) {}
func (*aKind) told(context.Context, *sip.Response)     {}
func (k *aKind) over(*sip.Response)                    { k.overs++ }
func (*aKind) repeated(*sip.Response)                  {}
func (k *aKind) says() {
	if k.offers != nil {
		k.offers()
	}
}
func (k *aKind) learn(context.Context, time.Duration) {
	if k.learns != nil {
		k.learns()
	}
}

// requesting is an INVITE that was sent, as the application sees it.
type requesting struct {
	*clientTx
	x    *exchange
	kind *aKind
	net  *sipnet.Network
	stop context.CancelFunc // closes the timers

	key  string // given to the OnTerminate hook
	told error
}

// inRequest runs f in a bubble, with an INVITE that was refused or not yet answered.
func inRequest(t *testing.T, f func(t *testing.T, r *requesting)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		quiet := slog.New(slog.DiscardHandler)
		n := sipnet.New()
		ua, err := sipgo.NewUA(sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(quiet)),
			sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(quiet)))
		if err != nil {
			t.Fatal(err)
		}
		server, err := sipgo.NewServer(ua, sipgo.WithServerLogger(quiet))
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = server.ServeUDP(n.PacketConn(us)) }()
		synctest.Wait()
		client, err := sipgo.NewClient(ua, sipgo.WithClientLogger(quiet), sipgo.WithClientConnectionAddr(us))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		c := New(calls.New(ctx, calls.Config{Log: quiet}), Sole{}, Credentials{}, func(*sip.Request) {})
		set := c.calls.Sets.Open("call", "ours")
		policy := sessiontimer.DefaultPolicy()
		req := sip.NewRequest(sip.INVITE, uri(t, "sip:peer@"+them))
		if err := sipgo.ClientRequestBuild(client, req); err != nil {
			t.Fatal(err)
		}
		x := &exchange{r: c.NewRequester(client), set: set, dialog: set.Invite(policy), id: dialogstore.ID{CallID: "call", LocalTag: "ours"}, req: req,
			policy: policy, proposal: policy.Propose(sessiontimer.Session{}, 0, false)}
		r := &requesting{x: x, kind: new(aKind), net: n, stop: cancel}
		r.clientTx = newClientTx(x, r.kind)
		if err := x.send(ctx, r.kind); err != nil {
			t.Fatal(err)
		}
		r.OnTerminate(func(key string, err error) { r.key, r.told = key, err })
		defer func() {
			cancel()
			x.transaction().Terminate()
			c.calls.Workers.Stop()
			synctest.Wait()
			n.Close()
			synctest.Wait()
			_ = ua.Close()
		}()
		f(t, r)
	})
}

// sent returns how many INVITEs we have sent.
func (r *requesting) sent() int { return len(r.net.Messages()) }

func (r *requesting) response(status int, headers ...sip.Header) *sip.Response {
	res := sip.NewResponseFromRequest(r.x.req, status, "", nil)
	for _, h := range headers {
		res.AppendHeader(h)
	}
	return res
}

// A final response waits for the application as long as the timers live, also beyond the end
// of sipgo's transaction; after they are closed for the lifetime of a transaction. A
// provisional one waits as long as the transaction lives.
func TestDeliver(t *testing.T) {
	const life = 32 * time.Second
	second := func(f func(*requesting)) func(*requesting) {
		return func(r *requesting) { time.AfterFunc(time.Second, func() { f(r) }) }
	}
	take := func(after time.Duration) func(*requesting) {
		return func(r *requesting) { time.AfterFunc(after, func() { <-r.responses }) }
	}
	for _, c := range []struct {
		name   string
		status int
		begin  []func(*requesting)
		taken  bool
		after  time.Duration
		err    error
		told   error
		overs  int
	}{
		{"a final one, late", 200, []func(*requesting){take(time.Hour)}, true, time.Hour, nil, nil, 0},
		{"whose transaction has ended", 200, []func(*requesting){second(func(r *requesting) { r.x.tx.Terminate() }), take(time.Minute)}, true, time.Minute, nil, nil, 0},
		{"after the timers were closed", 200, []func(*requesting){second(func(r *requesting) { r.stop() }), take(life)}, true, life, nil, nil, 0},
		{"after that, but never taken", 200, []func(*requesting){second(func(r *requesting) { r.stop() })}, false, time.Second + life, sip.ErrTransactionTimeout, sip.ErrTransactionTimeout, 0},
		{"after that, but given up", 200, []func(*requesting){func(r *requesting) { r.stop() }, second((*requesting).Terminate)}, false, time.Second, sip.ErrTransactionCanceled, sip.ErrTransactionTerminated, 1},
		{"given up", 200, []func(*requesting){second((*requesting).Terminate)}, false, time.Second, sip.ErrTransactionCanceled, sip.ErrTransactionTerminated, 1},
		{"a provisional one", 180, []func(*requesting){take(20 * time.Second)}, true, 20 * time.Second, nil, nil, 0},
		{"a provisional one after the timers were closed", 180, []func(*requesting){func(r *requesting) { r.stop() }, take(20 * time.Second)}, true, 20 * time.Second, nil, nil, 0},
		{"a provisional one whose transaction has ended", 180, nil, false, life, sip.ErrTransactionTimeout, sip.ErrTransactionTimeout, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			inRequest(t, func(t *testing.T, r *requesting) {
				begun := time.Now()
				for _, begin := range c.begin {
					begin(r)
				}
				taken := r.deliver(r.x, r.kind, r.x.tx, r.response(c.status))
				if after := time.Since(begun); taken != c.taken || after != c.after {
					t.Errorf("taken: %t after %v, want %t after %v", taken, after, c.taken, c.after)
				}
				synctest.Wait()
				if err := r.Err(); !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
					t.Errorf("the transaction has %v, want %v", err, c.err)
				}
				if !errors.Is(r.told, c.told) || (r.told == nil) != (c.told == nil) || (r.key != "") != (c.told != nil) || r.kind.overs != c.overs {
					t.Errorf("the hook got %q and %v, and over came %d times; want %v and %d", r.key, r.told, r.kind.overs, c.told, c.overs)
				}
				select {
				case <-r.Done():
					if c.err == nil {
						t.Error("Done is closed")
					}
				default:
					if c.err != nil {
						t.Error("Done is open")
					}
				}
				if more := r.OnTerminate(func(string, error) {}); more == (c.err != nil) || r.OnRetransmission(func(*sip.Response) {}) != more {
					t.Errorf("a further hook is taken: %t", more)
				}
				if c.err != nil {
					r.Terminate()
					r.Terminate()
					if r.kind.overs != c.overs || !errors.Is(r.Err(), c.err) {
						t.Errorf("Terminate changes what has ended: %v, over came %d times", r.Err(), r.kind.overs)
					}
				}
			})
		})
	}
}

var minSE = sip.NewHeader(sessiontimer.HeaderMinSE, "2000")

// RFC 4028 §7.3, §7.4: a request is sent again after a 422 or 420. One that may not be sent
// then leaves the refusal, and its transaction, as they were, and withdraws its offer.
func TestSentAgain(t *testing.T) {
	notOurs := errors.New("of the test")
	unsupported := sip.NewHeader("Unsupported", sessiontimer.OptionTag)
	for _, c := range []struct {
		name      string
		status    int
		header    sip.Header
		refuses   error
		cancelled bool
		again     bool
		counted   uint64
	}{
		{"a 422", 422, minSE, nil, false, true, 1},
		{"a 422, but it may not be sent", 422, minSE, notOurs, false, false, 0},
		{"a 422, but it was cancelled", 422, minSE, nil, true, false, 0},
		{"a 422 that asks for nothing", 422, nil, nil, false, false, 0},
		{"another refusal", 486, minSE, nil, false, false, 0},
		{"a 420 to what did not require timers", 420, unsupported, nil, false, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inRequest(t, func(t *testing.T, r *requesting) {
				refused, begun := r.x.tx, r.sent()
				r.kind.refuses, r.x.cancelled, r.x.provisional = c.refuses, c.cancelled, true
				says := func(by offeranswer.Party, status int) bool {
					_, news := r.x.dialog.Said(by, offeranswer.Message{Method: "INVITE", CSeq: 7, Status: status, Type: offeranswer.SDP, Body: []byte("v=0")}, "")
					return news
				}
				r.kind.offers = func() { says(offeranswer.Us, 0) }
				var headers []sip.Header
				if c.header != nil {
					headers = append(headers, c.header)
				}
				branch := r.x.req.Via().Params.GetOr("branch", "")
				if again := r.x.handle(context.Background(), r.kind, r.response(c.status, headers...)); again != c.again {
					t.Errorf("sent again: %t, want %t", again, c.again)
				}
				synctest.Wait()
				if sent := r.sent() - begun; (sent == 1) != c.again || sent > 1 {
					t.Errorf("%d INVITEs have left since, want one: %t", sent, c.again)
				}
				if (r.x.transaction() == refused) == c.again {
					t.Errorf("the transaction is that of the refused INVITE: %t", r.x.transaction() == refused)
				}
				if other := r.x.req.Via().Params.GetOr("branch", "") != branch; c.again && (!other || r.x.provisional) {
					t.Errorf("another branch: %t; a provisional response: %t", other, r.x.provisional)
				}
				if n := r.x.r.c.calls.Figures.Retries422.Load(); n != c.counted {
					t.Errorf("%d are counted, want %d", n, c.counted)
				}
				if over := r.kind.overs == 1; over == c.again {
					t.Errorf("over came %d times", r.kind.overs)
				}
				if answered := says(offeranswer.Peer, 200); answered != c.again {
					t.Errorf("an answer would be one to an offer of ours: %t, want %t", answered, c.again)
				}
				if c.refuses != nil {
					if r.kind.tx == refused || r.kind.tx.Err() == nil {
						t.Error("what was opened for it is left open")
					}
					refused.Terminate()
					if time.Sleep(time.Minute); r.sent() != begun {
						t.Errorf("%d INVITEs have left for one that may not be sent", r.sent()-begun)
					}
				}
			})
		})
	}
}

// An application that gives its INVITE up while that is sent again ends the new one, too.
func TestGivenUpWhileSentAgain(t *testing.T) {
	inRequest(t, func(t *testing.T, r *requesting) {
		begun, refused := r.sent(), r.x.tx
		r.kind.learns = r.Terminate
		peer := r.response(422, minSE)
		_ = r.Responses()
		go refused.Receive(peer)
		synctest.Wait()
		if now := r.x.transaction(); now == refused {
			t.Fatal("it was not sent again")
		} else if now.Err() == nil {
			t.Error("the transaction of the new INVITE goes on")
		}
		after := r.sent()
		if time.Sleep(time.Minute); r.sent() != after {
			t.Errorf("%d messages have left since it was given up; before %d", r.sent()-after, after-begun)
		}
	})
}
