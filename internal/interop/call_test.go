//go:build interop

package interop

import (
	"cmp"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/program"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// scene is one call of the matrix.
type scene struct {
	peer      *peerKind
	caller    party
	subject   string // uas, uac or diago
	transport string // udp or tcp
	refresher party
	method    string
	end       string // who hangs up: subject or peer; killed: the peer dies
	interval  int
	mode      string // of the program under test; empty for offer
	title     string // of a call that is not of the matrix
	host      string // of both; empty for 127.0.0.1
	target    string // whom the peer calls, host:port
	declined  bool   // the peer should refresh, but leaves it to us
}

func (s scene) name() string {
	refresher := string(s.refresher) + " refreshes"
	if s.declined {
		refresher = "peer declines"
	}
	return fmt.Sprintf("%s calls/%s/%s/%s/%s", s.caller, s.subject, refresher, s.method, s.end)
}

// peerKind is a kind of phone.
type peerKind struct {
	name     string
	interval int // seconds, unsafe below 90
	slots    chan struct{}
	start    func(t *testing.T, s scene, port int) phone
	// every bounds the time from a 2xx to the peer's refresh; nil: half the
	// interval.
	every func(interval time.Duration) [2]time.Duration
	// meek: if the INVITE names no refresher, it leaves that to us.
	meek bool
}

// phone is a peer that runs.
type phone interface {
	call(uri string)
	hangUp()
	Kill()
}

// What a loaded machine may add, and what it may take away: the message before
// may have been late itself.
const (
	slack = 1200 * time.Millisecond
	early = 700 * time.Millisecond
)

// half is half an interval, as far as it goes on a loaded machine.
func half(d time.Duration) [2]time.Duration {
	return [2]time.Duration{d/2 - early, d/2 + slack}
}

// play makes the call and judges it.
func (s scene) play(t *testing.T) {
	select {
	case s.peer.slots <- struct{}{}:
	case <-time.After(program.Lifespan):
		t.Fatal("no slot for the peer")
	}
	defer func() { <-s.peer.slots }()
	st := s.open(t)
	interval := time.Duration(s.interval) * time.Second
	st.wire.await(t, "a call that is up", 25*time.Second, func(msgs []sipnet.Message) bool { return setUp(msgs) != nil })
	st.up()
	st.checkNegotiated(t)
	if s.end == "killed" {
		st.dies(t, interval)
		return
	}
	st.wire.await(t, "two refreshes", 3*interval, func(msgs []sipnet.Message) bool { return len(refreshes(msgs)) >= 2 })
	// Past the first expiry, and not into the next refresh.
	list := refreshes(st.wire.messages())
	up := setUp(st.wire.messages()).answered
	st.wire.sleepUntil(max(up+interval, list[len(list)-1].answered) + interval/5)
	bye := theSubject
	if s.end == "peer" {
		bye = thePeer
		st.phone.hangUp()
	} else {
		st.subject.term()
	}
	st.wire.await(t, "the BYE and its answer", 10*time.Second, func(msgs []sipnet.Message) bool {
		e := hangUp(msgs)
		return e != nil && e.res != nil
	})
	if s.end == "peer" {
		st.subject.reports("ended", 5*time.Second)
		st.nothingLeft(t)
	}
	st.subject.leave()
	if p, ok := st.phone.(interface{ fine(time.Duration) }); ok {
		p.fine(10 * time.Second)
	}
	every := half(interval)
	if s.refresher == thePeer && s.peer.every != nil {
		every = s.peer.every(interval)
	}
	seen := judge(t, st.wire.messages(), verdict{
		interval: s.interval, refresher: s.refresher, method: s.method, every: every,
		count: 2, bye: bye, byeAfter: interval,
	})
	record(t, s, seen, st.wire)
}

// stage is a call under way.
type stage struct {
	scene
	wire    *wire
	relay   *relay
	subject *subject
	phone   phone
	up      func() // to call when the call is
	open0   int    // files that the program had open before the call
}

// open starts both parties, and has one call the other through the relay.
func (s scene) open(t *testing.T) *stage {
	t.Helper()
	st := &stage{scene: s, up: takeOff(t), wire: newWire(t)}
	host := cmp.Or(s.host, "127.0.0.1")
	peerPort := freePort(t)
	addr := net.JoinHostPort(host, itoa(freePort(t)))
	st.relay = newRelay(t, st.wire, s.transport, addr, net.JoinHostPort(host, itoa(peerPort)))
	args := s.flags()
	s.target = st.relay.far
	if s.caller == thePeer {
		st.subject = startSubject(t, s.subject, addr, args...)
		st.open0 = descriptors(st.subject.Program)
		st.phone = s.peer.start(t, s, peerPort)
		uri := "sip:" + s.subject + "@" + st.relay.far
		if s.transport != "udp" {
			uri += ";transport=" + s.transport
		}
		st.phone.call(uri)
		return st
	}
	st.phone = s.peer.start(t, s, peerPort)
	st.subject = startSubject(t, s.subject, addr, append(args, "-to", "sip:peer@"+st.relay.near)...)
	return st
}

// flags of the program under test.
func (s scene) flags() []string {
	refresher := "local"
	if s.refresher == thePeer || s.declined {
		refresher = "peer"
	}
	method := map[string]string{"INVITE": "invite", "UPDATE": "update", "": "auto"}[s.method]
	args := []string{"-session-expires", itoa(s.interval) + "s", "-refresher", refresher, "-method", method, "-transport", s.transport}
	if s.mode != "" {
		args = append(args, "-mode", s.mode)
	}
	if s.interval < 90 {
		args = append(args, "-unsafe-intervals")
	}
	return args
}

// checkNegotiated compares what the program believes with the wire.
func (st *stage) checkNegotiated(t *testing.T) {
	t.Helper()
	e := st.subject.reports("negotiated", 10*time.Second)
	want := "local"
	if st.refresher == thePeer {
		want = "peer"
	}
	if int(e.Interval) != st.interval || e.Refresher != want {
		t.Errorf("negotiated %v s, %s refreshes; want %d s, %s", e.Interval, e.Refresher, st.interval, want)
	}
}

// dies kills the peer after its first refresh; the call has to end in time.
func (st *stage) dies(t *testing.T, interval time.Duration) {
	t.Helper()
	st.wire.await(t, "a refresh", 2*interval, func(msgs []sipnet.Message) bool { return len(refreshes(msgs)) >= 1 })
	// Let an ACK pass.
	time.Sleep(300 * time.Millisecond)
	st.phone.Kill()
	list := refreshes(st.wire.messages())
	last := list[len(list)-1].answered
	st.subject.reports("expired", interval+5*time.Second)
	at := time.Since(st.wire.start) - last
	// RFC 4028 §10: the party that waits ends the call a third before expiry,
	// the one that refreshes at expiry; or before, where nobody has answered for 32 s
	// at any of the places where the peer may be.
	first, due := min(interval, interval/2+32*time.Second), interval
	if st.refresher == thePeer {
		due = interval - min(32*time.Second, interval/3)
		first = due
	}
	if at < first-slack || at > due+slack {
		t.Errorf("the call ended %.2f s after the last refresh, want %.2f s to %.2f s", at.Seconds(), first.Seconds(), due.Seconds())
	}
	st.subject.reports("ended", 5*time.Second)
	value := timerOf(setUp(st.wire.messages()).res)
	seen := fmt.Sprintf("`%s`, over %.1f s after the last refresh", value, at.Seconds())
	if st.transport == "udp" { // a connection to a dead peer cannot be had
		st.wire.await(t, "a BYE", 2*time.Second, func(msgs []sipnet.Message) bool { return hangUp(msgs) != nil })
		bye := hangUp(st.wire.messages())
		reason := header(bye.req, "Reason")
		if bye.from != theSubject || reason == "" {
			t.Errorf("BYE of the %s with Reason %q, want the subject's, with a reason", bye.from, reason)
		}
		_, text, _ := strings.Cut(reason, "text=")
		seen += ", our BYE says " + text
	}
	st.nothingLeft(t)
	st.subject.leave()
	record(t, st.scene, seen, st.wire)
}

// nothingLeft checks that the call took its sockets with it, in a program that
// lives on.
func (st *stage) nothingLeft(t *testing.T) {
	t.Helper()
	if st.open0 == 0 || st.transport != "udp" {
		return // it ends with the call, or connections outlive it
	}
	now := 0
	for range 60 {
		if now = descriptors(st.subject.Program); now <= st.open0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%d files are open after the call, %d before", now, st.open0)
}

// matrix plays all scenes that a kind of phone can play.
func matrix(t *testing.T, kind *peerKind, methods ...string) {
	transport := "udp"
	if kind == sippTCP {
		transport = "tcp"
	}
	for _, caller := range []party{theSubject, thePeer} {
		for _, refresher := range []party{theSubject, thePeer} {
			for _, method := range methods {
				for _, end := range []string{"subject", "peer", "killed"} {
					s := scene{peer: kind, caller: caller, subject: "uac", transport: transport,
						refresher: refresher, method: method, end: end, interval: kind.interval}
					if caller == thePeer {
						s.subject = "uas"
						if end == "peer" || end == "killed" && method == "INVITE" {
							s.subject = "diago"
						}
					}
					if kind.meek && caller == theSubject && refresher == thePeer {
						s.declined, s.refresher = true, theSubject
					}
					t.Run(s.name(), func(t *testing.T) {
						t.Parallel()
						s.play(t)
					})
				}
			}
		}
	}
}
