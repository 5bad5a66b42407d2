package middleware_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// attack is an attack of a stranger on a user agent, for docs/security.md.
type attack struct {
	name string
	app  func(*subject) // what the application does, if not answer at once
	play func(*attacker, *subject)
	most int // packets more than without timers
	back int // and those to where the messages of the call came from, which may be another place than its Contact
}

// oneCall is the cost of a call whose peer vanishes: an UPDATE, a re-INVITE and a BYE with
// their retransmissions.
const oneCall = 11 + 7 + 11

// attacks are over within a minute.
var attacks = []attack{
	{name: "An INVITE whose Contact is a victim, and no ACK", play: func(a *attacker, _ *subject) {
		a.invite(func(d *draft) { d.set("Contact", victim) })
	}},
	{name: "50 of them", play: func(a *attacker, _ *subject) {
		for range 50 {
			a.invite(func(d *draft) { d.set("Contact", victim) })
		}
	}},
	{name: "An INVITE whose Contact is a victim, and an ACK", most: oneCall, back: 11 + 7, play: func(a *attacker, _ *subject) {
		a.invite(func(d *draft) { d.set("Contact", victim) })
		a.ack()
	}},
	{name: "An INVITE, then an UPDATE with a wrong tag that moves the call to a victim", play: func(a *attacker, _ *subject) {
		a.invite(nil)
		a.within(sip.UPDATE, func(d *draft) { d.set("To", "<sip:bob@10.0.0.2>;tag=guessed"); d.set("Contact", victim) })
	}},
	{name: "A ringing call that an UPDATE moves to a victim, and no ACK", app: rings, play: func(a *attacker, _ *subject) {
		a.invite(nil)
		a.within(sip.UPDATE, func(d *draft) { d.set("Contact", victim) })
	}},
	{name: "100 INVITEs that are cancelled", app: rings, play: func(a *attacker, _ *subject) {
		for range 100 {
			a.invite(nil)
			a.send(a.request(sip.CANCEL, false))
			a.listen()
			a.ack()
		}
	}},
	{name: "100 INVITEs that the application challenges", app: challenges, play: func(a *attacker, _ *subject) {
		for range 100 {
			a.invite(nil)
			a.ack()
		}
	}},
	{name: "100 INVITEs with an interval of 1 s", app: challenges, play: func(a *attacker, _ *subject) {
		for range 100 {
			a.invite(func(d *draft) { d.set("Session-Expires", "1") })
			a.ack()
		}
	}},
	{name: "100 INVITEs with a Session-Expires of 1000 bytes that cannot be read", app: challenges, play: func(a *attacker, _ *subject) {
		for range 100 {
			a.invite(func(d *draft) { d.set("Session-Expires", strings.Repeat("x", 1000)) })
			a.ack()
		}
	}},
	{name: "A call whose Call-ID has 600 bytes", play: func(a *attacker, _ *subject) {
		a.invite(func(d *draft) { a.callID = strings.Repeat("c", 600); d.set("Call-ID", a.callID) })
		a.ack()
	}},
	{name: "A call whose Contact has a bare LF and a header field behind it", play: func(a *attacker, _ *subject) {
		a.invite(func(d *draft) { d.set("Contact", "<sip:a\nX-Injected: 1@10.0.0.9>") })
		a.ack()
	}},
	{name: "100 BYEs, UPDATEs and re-INVITEs with wrong tags in a live call", most: oneCall, play: func(a *attacker, _ *subject) {
		a.invite(nil)
		a.ack()
		for i := range 100 {
			method := []sip.RequestMethod{sip.BYE, sip.UPDATE, sip.INVITE}[i%3]
			a.within(method, func(d *draft) { d.set("From", fmt.Sprintf("<sip:peer@10.0.0.9>;tag=guess-%d", i)) })
			if method == sip.INVITE {
				a.ack()
			}
		}
	}},
	{name: "A BYE with an old number in a live call", most: oneCall, play: func(a *attacker, _ *subject) {
		a.invite(nil)
		a.ack()
		a.within(sip.BYE, func(d *draft) { d.set("CSeq", "1 BYE") })
	}},
	{name: "200 UPDATEs at once, with intervals from 0 to 199 s", most: oneCall, play: func(a *attacker, _ *subject) {
		a.invite(nil)
		a.ack()
		for i := range 200 {
			a.within(sip.UPDATE, func(d *draft) { d.set("Session-Expires", fmt.Sprintf("%d;refresher=uas", i)) })
		}
	}},
	{name: "30 parties answer one INVITE of ours, and vanish", most: oneCall, play: func(a *attacker, bob *subject) {
		go bob.call(time.Minute)
		a.listen()
		for i := range 30 {
			a.tag = fmt.Sprint("fork-", i)
			a.send(a.response(a.heard[0], 200))
			a.listen()
		}
	}},
	{name: "The answer to our INVITE names a victim in Contact", most: oneCall, back: 11 + 7, play: func(a *attacker, bob *subject) {
		go bob.call(time.Minute)
		a.listen()
		d := a.response(a.heard[0], 200)
		d.set("Contact", victim)
		a.send(d)
		a.listen()
	}},
}

const victim = "<sip:x@" + strangerAddr + ">"

func rings(s *subject) {
	s.answer = func(d *sipgo.DialogServerSession) {
		_ = d.Respond(180, "Ringing", nil)
		if ringFor(d, 20*time.Second) {
			_ = d.RespondSDP([]byte(sipnet.SDP))
		}
	}
}

func challenges(s *subject) {
	s.answer = func(d *sipgo.DialogServerSession) {
		_ = d.Respond(401, "Unauthorized", nil, sip.NewHeader("WWW-Authenticate", `Digest realm="r", nonce="n"`))
	}
}

// invite starts another call and reads the answer.
func (a *attacker) invite(change func(*draft)) {
	a.restart()
	d := a.request(sip.INVITE, false)
	if change != nil {
		change(d)
	}
	a.send(d)
	a.listen()
}

// within sends a request of the call and reads the answer.
func (a *attacker) within(method sip.RequestMethod, change func(*draft)) {
	d := a.request(method, true)
	change(d)
	a.send(d)
	a.listen()
}

// ack acknowledges the last INVITE, whatever the answer.
func (a *attacker) ack() {
	d := a.request(sip.ACK, true)
	if a.refusedUs {
		via, _, _ := strings.Cut(d.get("Via"), ";branch=")
		d.set("Via", via+";branch="+a.inviteBranch)
	}
	a.send(d)
	a.listen()
}

// toll is the cost of an attack over two hours.
type toll struct {
	in, out  int // packets
	toVictim int
	alive    int // calls of the application
	kept     int // legs, schedules and dialogs of the timers
	lines    int // of the log
}

// strike plays an attack against a user agent with timers or without.
func (k attack) strike(t *testing.T, timers bool) (c toll) {
	bubble.Test(t, func(t *testing.T) {
		n := sipnet.New()
		var lines atomic.Int64
		bob := newSubject(t, n, timers, middleware.WithLogger(slog.New(lineCounter{&lines})), middleware.WithJitter(0))
		if k.app != nil {
			k.app(bob)
		}
		a := newAttacker(n)
		k.play(a, bob)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		c = toll{in: a.in, alive: len(bob.alive()), lines: int(lines.Load())}
		for _, m := range n.Messages() {
			if m.From == bob.addr {
				c.out++
				if m.To == strangerAddr {
					c.toVictim++
				}
			}
		}
		if timers {
			legs, watched, stored := bob.timers.Left()
			c.kept = legs + watched + stored
		}
		bob.stop(n)
	})
	return c
}

// lineCounter counts what would be logged.
type lineCounter struct{ lines *atomic.Int64 }

func (lineCounter) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (c lineCounter) Handle(context.Context, slog.Record) error      { c.lines.Add(1); return nil }
func (c lineCounter) WithAttrs([]slog.Attr) slog.Handler             { return c }
func (c lineCounter) WithGroup(string) slog.Handler                  { return c }

// H-05: what strangers can do with timers and without, in one run: docs/security.md has the
// figures, and -update writes them.
func TestAttacks(t *testing.T) {
	var table strings.Builder
	table.WriteString("| what comes | packets in | packets out, without | with | to a victim, without | with | calls up, without | with | log lines |\n" +
		"|---|---|---|---|---|---|---|---|---|\n")
	for _, k := range attacks {
		without, with := k.strike(t, false), k.strike(t, true)
		fmt.Fprintf(&table, "| %s | %d | %d | %d | %d | %d | %d | %d | %d |\n", k.name, with.in, without.out, with.out,
			without.toVictim, with.toVictim, without.alive, with.alive, with.lines)
		if with.out > without.out+k.most+k.back {
			t.Errorf("%s: %d packets out, %d without timers, want %d more at most", k.name, with.out, without.out, k.most+k.back)
		}
		if with.toVictim > without.toVictim+k.most {
			t.Errorf("%s: %d packets to a victim, %d without timers, want %d more at most", k.name, with.toVictim, without.toVictim, k.most)
		}
		if with.alive > without.alive || with.kept > 0 && with.alive == 0 {
			t.Errorf("%s: %d calls are up, %d without timers; %d things are kept for them", k.name, with.alive, without.alive, with.kept)
		}
		if with.lines > 41 {
			t.Errorf("%s: %d lines are logged, want 41 at most", k.name, with.lines)
		}
	}
	checkSection(t, "attacks", table.String())
}
