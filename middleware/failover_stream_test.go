package middleware_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// A stream ends with its node. The node that takes the call over dials the peer's Contact,
// and tells where it is.
func TestTakeoverDialsAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of real time")
	}
	for _, caller := range []bool{true, false} {
		t.Run(fmt.Sprintf("caller=%v", caller), func(t *testing.T) {
			t.Parallel()
			registry := failover.NewMemory()
			node := func(name string) (*onStream, chan sessiontimer.Event) {
				events := make(chan sessiontimer.Event, 100)
				return newOnStream(t, middleware.WithSessionExpires(2*time.Second), middleware.WithMaxInterval(2*time.Second),
					middleware.WithFailover(registry, failover.WithName(name), failover.WithLease(100*time.Millisecond), failover.WithTakeover(here)),
					middleware.WithEventHandler(func(e sessiontimer.Event) { events <- e })), events
			}
			p := newStreamPeer(t)
			a, _ := node("a")
			a.call(t, p, caller)
			b, events := node("b")
			if err := a.timers.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.reset()
			p.accept()
			update := p.expect("UPDATE").(*sip.Request)
			if got := field(update, "Contact"); got != "<sip:here@127.0.0.1:9>" {
				t.Errorf("Contact %q", got)
			}
			p.accepts(update, "Session-Expires: 6;refresher=uac")
			b.settled(t)
			if e := within(t, events, "TakenOver"); e.(sessiontimer.TakenOver).From != "a" {
				t.Errorf("taken over: %+v", e)
			}
			p.accepts(p.expect("UPDATE"), "Session-Expires: 6;refresher=uac") // and on it goes
		})
	}
}

// Where no stream is to be had the application is told once, and the call is kept until
// it expires, and refreshed if the peer comes back before.
func TestTakeoverUnreachable(t *testing.T) {
	for _, c := range []struct {
		name    string
		address bool // the peer is to be told at once
		back    time.Duration
		at      time.Duration // when it is noticed
	}{
		{"noticed at once", true, 0, 106 * time.Second},
		{"noticed when due", false, 0, 900 * time.Second},
		{"back before the end", false, 1000 * time.Second, 900 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inNodes(t, func(l *cluster) {
				l.transport = "tcp"
				a := l.node("alice", aliceAddr, nil)
				opts := []failover.Option{}
				if c.address {
					opts = append(opts, failover.WithAddress(bobAddr))
				}
				b := l.node("bob", bobAddr, opts)
				p := l.net.StreamPeer(peerAddr, aliceAddr, "TCP")
				p.Invite(aliceAddr, timerHeader, allow, "Session-Expires: 1800;refresher=uas")
				p.Ack(p.ExpectResponse(l, 200))
				l.at(100 * time.Second)
				a.crash()
				p.Close()
				l.at(899 * time.Second)
				if told := l.saw(b, "Unreachable"); told != c.address {
					l.Errorf("told before anything is due: %v, want %v", told, c.address)
				}
				l.at(999 * time.Second)
				e, at := first[sessiontimer.Unreachable](b)
				if e.Err == nil || at < c.at || at > c.at+2*time.Second {
					l.Errorf("unreachable at %v: %v; want it at %v", at, e.Err, c.at)
				}
				if !b.holds() {
					l.Error("the call is not kept")
				}
				if c.back > 0 {
					l.at(c.back)
					l.comesBack(b)
					return
				}
				l.at(1767 * time.Second)
				if !b.holds() {
					l.Error("the call is not kept until it expires")
				}
				l.at(1801 * time.Second)
				if b.holds() {
					l.Error("the call is kept longer than it lives")
				}
				b.wantLogged("cannot be reached")
				n := 0
				for _, e := range b.saw(0) {
					if e == "Unreachable" {
						n++
					}
				}
				if n != 1 {
					l.Errorf("events %v, want Unreachable once", b.saw(0))
				}
				l.wantOwner("")
			})
		})
	}
}

// here is a takeover that gives a call another Contact.
func here(dialogstore.Dialog) failover.Decision {
	return failover.Decision{Contact: "<sip:here@127.0.0.1:9>"}
}

// saw reports whether the node has had an event.
func (c *cluster) saw(n *clusterNode, event string) bool {
	synctest.Wait()
	return slices.Contains(n.saw(0), event)
}

// comesBack has the peer accept a stream again, and wants the call to be refreshed.
func (c *cluster) comesBack(b *clusterNode) {
	c.Helper()
	p := c.net.StreamPeer(peerAddr, b.Addr, "TCP")
	update, ok := p.Recv(800 * time.Second)
	if !ok {
		c.Fatal("the peer that is back gets nothing")
	}
	p.Reply(update.(*sip.Request), 200, "OK", "Session-Expires: 1800;refresher=uac")
	synctest.Wait()
	if !c.saw(b, "Refreshed") || !b.holds() {
		c.Errorf("events %v, want the call refreshed", b.saw(0))
	}
}
