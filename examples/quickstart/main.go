// Quickstart shows a session timer at work: two user agents on loopback UDP, a
// call, its refreshes, and a caller that vanishes. It takes about seven seconds.
//
//	go run ./examples/quickstart
//
// The lines that an application adds to plain sipgo are between the two rulers in
// newPhone. stage.go draws the ladder; applications do not need it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// interval is the session interval: short, so that something happens.
const interval = 4 * time.Second

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// phone is a plain sipgo application that calls and answers.
type phone struct {
	ua      *sipgo.UserAgent
	timers  *middleware.Timers
	contact sip.ContactHeader
	calls   *sipgo.DialogClientCache
	answers *sipgo.DialogServerCache
	taken   chan *sipgo.DialogServerSession
}

func newPhone(name string, conn net.PacketConn, events func(sessiontimer.Event)) (*phone, error) {
	addr := conn.LocalAddr().(*net.UDPAddr)
	ua, err := sipgo.NewUA(sipgo.WithUserAgent(name), sipgo.WithUserAgentHostname(addr.IP.String()))
	if err != nil {
		return nil, err
	}

	// ----- Session timers: this is all. -----------------------------------
	timers, err := middleware.New(ua,
		middleware.WithSessionExpires(interval), // default: 30 minutes
		middleware.WithUnsafeIntervals(),        // RFC 4028 forbids less than 90 seconds
		middleware.WithJitter(0),                // refresh at half the interval, not a little earlier
		middleware.WithEventHandler(events),     // optional
	)
	if err != nil {
		return nil, err
	}
	server, err := timers.NewServer() // instead of sipgo.NewServer(ua)
	if err != nil {
		return nil, err
	}
	client, err := timers.NewClient(sipgo.WithClientAddr(addr.String()), sipgo.WithClientConnectionAddr(addr.String()))
	if err != nil {
		return nil, err
	}
	// ----- From here on: plain sipgo. ---------------------------------------

	p := &phone{ua: ua, timers: timers, taken: make(chan *sipgo.DialogServerSession, 1)}
	p.contact = sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: name, Host: addr.IP.String(), Port: addr.Port}}
	p.calls = sipgo.NewDialogClientCache(client, p.contact)
	p.answers = sipgo.NewDialogServerCache(client, p.contact)
	server.OnInvite(p.onInvite)
	server.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = p.answers.ReadAck(req, tx) })
	server.OnBye(p.onBye)
	go func() { _ = server.ServeUDP(conn) }()
	return p, awaitServing(ua, addr.String())
}

// call calls another phone.
func (p *phone) call(ctx context.Context, to *phone) error {
	d, err := p.calls.Invite(ctx, to.contact.Address, sdp(), sip.NewHeader("Content-Type", "application/sdp"))
	if err != nil {
		return err
	}
	if err := d.WaitAnswer(ctx, sipgo.AnswerOptions{}); err != nil {
		return err
	}
	return d.Ack(ctx)
}

// onInvite answers every call.
func (p *phone) onInvite(req *sip.Request, tx sip.ServerTransaction) {
	d, err := p.answers.ReadInvite(req, tx)
	if err != nil {
		return
	}
	if err := d.RespondSDP(sdp()); err == nil {
		p.taken <- d
	}
}

// onBye ends a dialog. The BYE may be the peer's, or the timers' when the peer
// is gone; for the application there is no difference.
func (p *phone) onBye(req *sip.Request, tx sip.ServerTransaction) {
	if p.answers.ReadBye(req, tx) != nil && p.calls.ReadBye(req, tx) != nil {
		_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist", nil))
	}
}

func (p *phone) close() {
	_ = p.timers.Close()
	_ = p.ua.Close()
}

// run plays the story and fails if it goes differently.
func run(w io.Writer) error {
	show, err := newStage(w, "alice", "bob")
	if err != nil {
		return err
	}
	defer show.close()
	refreshed := make(chan struct{}, 8)
	alice, err := newPhone("alice", show.socket("alice"), func(e sessiontimer.Event) {
		if _, ok := e.(sessiontimer.Refreshed); ok {
			refreshed <- struct{}{}
		}
	})
	if err != nil {
		return err
	}
	defer alice.close()
	bob, err := newPhone("bob", show.socket("bob"), func(sessiontimer.Event) {})
	if err != nil {
		return err
	}
	defer bob.close()

	show.say("alice calls bob. They agree on a session timer of 4 s, and that alice refreshes it.")
	ctx, cancel := context.WithTimeout(context.Background(), interval)
	defer cancel()
	if err := alice.call(ctx, bob); err != nil {
		return fmt.Errorf("the call failed: %w", err)
	}
	call, ok := within(interval, bob.taken)
	if !ok {
		return errors.New("bob did not take the call")
	}

	show.say("The call is up. Halfway through each interval alice shows that she is still there.")
	for range 2 {
		if _, ok := within(interval, refreshed); !ok {
			return errors.New("alice did not refresh the session")
		}
	}

	show.say("alice vanishes without a BYE. bob waits until a third of the interval before it expires.")
	show.silence("alice")
	if _, ended := within(2*interval, call.Context().Done()); !ended {
		return errors.New("bob's call did not end")
	}
	if _, ended := within(time.Second, show.ended); !ended {
		return errors.New("bob sent no BYE")
	}
	show.finish()
	return nil
}

// within waits for c. It returns false if nothing came.
func within[T any](limit time.Duration, c <-chan T) (T, bool) {
	var none T
	select {
	case v := <-c:
		return v, true
	case <-time.After(limit):
		return none, false
	}
}
