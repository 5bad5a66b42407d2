package middleware_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

const victimAddr = "10.0.0.66:5060"

const victimContact = "Contact: <sip:victim@" + victimAddr + ">"

// victim is an address that has sent something to the user agents, so that sipgo can reach
// it in memory, and that has no call.
func (l *lab) victim(us ...*sipua.UA) *sipnet.Peer {
	v := l.net.Peer(victimAddr)
	for _, u := range us {
		v.Send(u.Addr, fmt.Sprintf("OPTIONS sip:%s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bKv\nFrom: <sip:v@%s>;tag=v\nTo: <sip:%s>\n"+
			"Call-ID: v-%s\nCSeq: 1 OPTIONS\nMax-Forwards: 70\nContent-Length: 0\n\n", u.Addr, victimAddr, victimAddr, u.Addr, u.Addr))
	}
	synctest.Wait()
	return v
}

// packets returns how many messages addr has sent, and how many of them to the victim.
func (l *lab) packets(addr string) (all, toVictim int) {
	for _, m := range l.net.Messages() {
		if m.From == addr {
			all++
			if m.To == victimAddr {
				toVictim++
			}
		}
	}
	return all, toVictim
}

// E-23: an INVITE with somebody else's Contact that is never acknowledged causes as many
// packets with timers as without, whatever the application does without an ACK. Nothing of
// the call is left behind.
func TestUnprovedPeer(t *testing.T) {
	for _, app := range []struct {
		name   string
		accept func(u *sipua.UA) func(*sipgo.DialogServerSession)
	}{
		{"ends", func(u *sipua.UA) func(*sipgo.DialogServerSession) {
			return func(d *sipgo.DialogServerSession) { _ = d.RespondSDP([]byte(u.SDP)) }
		}},
		{"hangs up", func(u *sipua.UA) func(*sipgo.DialogServerSession) {
			return func(d *sipgo.DialogServerSession) {
				if err := d.RespondSDP([]byte(u.SDP)); err != nil {
					_ = d.Bye(context.Background())
				}
			}
		}},
	} {
		for _, timer := range []string{"Session-Expires: 90;refresher=uas", "Session-Expires: 90;refresher=uac", "Session-Expires: 1800;refresher=uas", "X-No: timer"} {
			for _, by := range []string{allow, "Allow: INVITE"} {
				t.Run(app.name+", "+timer+", "+by, func(t *testing.T) {
					inLab(t, func(l *lab) {
						bob, p := l.bob(), l.peer()
						carol := sipua.Stock(t, l.net, "carol", carolAddr, "udp")
						l.uas = append(l.uas, carol)
						l.victim(bob, carol)
						bobBefore, _ := l.packets(bobAddr)
						carolBefore, _ := l.packets(carolAddr)
						for _, u := range []*sipua.UA{bob, carol} {
							u.Accept = app.accept(u)
							p.Invite(u.Addr, timerHeader, by, timer, victimContact)
							synctest.Wait()
						}
						l.at(33 * time.Second)
						if legs, watched, stored := bob.Timers.Left(); legs+watched+stored != 0 {
							l.Errorf("64*T1 after the 200 %d legs, %d schedules, %d dialogs are left, want none", legs, watched, stored)
						}
						l.at(24 * time.Hour)
						with, withVictim := l.packets(bobAddr)
						without, withoutVictim := l.packets(carolAddr)
						with, without = with-bobBefore, without-carolBefore
						t.Logf("%d packets with timers, %d to the victim; without %d, %d", with, withVictim, without, withoutVictim)
						if with != without || withVictim != withoutVictim {
							l.Errorf("%d packets with timers, %d to the victim; %d without, %d", with, withVictim, without, withoutVictim)
						}
						if got := events(bob); len(got) > 0 && got[len(got)-1] != "Ended" {
							l.Errorf("events are %v, want the end told", got)
						}
						l.wantNothingLeft(bob)
					})
				})
			}
		}
	}
}

// E-23: which messages prove that the peer is there.
func TestProof(t *testing.T) {
	ack := func(res *sip.Response, p *sipnet.Peer) { p.Ack(res) }
	for _, c := range []struct {
		name  string
		at    time.Duration
		prove func(res *sip.Response, p *sipnet.Peer)
		want  []time.Duration // refreshes of a session of 90 s
	}{
		{"ACK at once", 0, ack, []time.Duration{45 * time.Second}},
		{"a late ACK", 31 * time.Second, ack, []time.Duration{45 * time.Second}},
		{"no ACK", 0, func(*sip.Response, *sipnet.Peer) {}, nil},
		{"an ACK that does not know the tag", 0, func(res *sip.Response, p *sipnet.Peer) {
			p.Ack(res, "To: <sip:bob@10.0.0.2>;tag=guess")
		}, nil},
		{"INFO", 5 * time.Second, func(_ *sip.Response, p *sipnet.Peer) { p.Request(sip.INFO) }, []time.Duration{45 * time.Second}},
		{"UPDATE, which begins another session", 5 * time.Second, func(_ *sip.Response, p *sipnet.Peer) {
			p.Request(sip.UPDATE, timerHeader, "Session-Expires: 90;refresher=uas")
		}, []time.Duration{50 * time.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				bob.Server.OnRequest(sip.INFO, func(req *sip.Request, tx sip.ServerTransaction) {
					_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
				})
				p.Invite(bob.Addr, timerHeader, allow, "Session-Expires: 90;refresher=uas")
				res := p.ExpectResponse(l, 200)
				l.at(c.at)
				c.prove(res, p)
				l.at(59 * time.Second)
				l.wantSent(bobAddr, sip.UPDATE, c.want...)
			})
		})
	}
}

// E-23: a refresh that is due before the ACK is sent after the ACK.
func TestRefreshWaitsForProof(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithUnsafeIntervals()), l.peer()
		p.Invite(bob.Addr, timerHeader, allow, "Session-Expires: 20;refresher=uas")
		res := p.ExpectResponse(l, 200)
		l.at(seconds(12.3))
		l.wantSent(bobAddr, sip.UPDATE)
		p.Ack(res)
		l.at(seconds(13.5))
		l.wantSent(bobAddr, sip.UPDATE, 13*time.Second)
	})
}

// E-23: a process that ends before the ACK leaves nothing in the store; once the peer has
// proved that it is there, the next process refreshes and hangs up.
func TestUnprovedIsNotRestored(t *testing.T) {
	for _, proved := range []bool{false, true} {
		inLab(t, func(l *lab) {
			registry := failover.NewMemory()
			bob, p := l.bob(on(registry)), l.peer()
			p.Invite(bob.Addr, timerHeader, allow, "Session-Expires: 90;refresher=uas")
			res := p.ExpectResponse(l, 200)
			synctest.Wait()
			if callsIn(l, registry) != 0 {
				l.Errorf("%d dialogs are stored before the ACK, want none", callsIn(l, registry))
			}
			want := 0
			if proved {
				p.Ack(res)
				time.Sleep(time.Second) // it is written behind
				synctest.Wait()
				want = 1
			}
			bob = l.restart(bob, time.Second, on(registry))
			if callsIn(l, registry) != want {
				l.Errorf("%d dialogs are stored, want %d", callsIn(l, registry), want)
			}
			l.at(5 * time.Minute)
			if refreshed := len(l.sent(bobAddr, sip.UPDATE)) > 0; refreshed != proved {
				l.Errorf("proved %v, refreshed %v", proved, refreshed)
			}
			for _, e := range bob.Events() {
				if _, ok := e.Event.(sessiontimer.Negotiated); ok {
					l.Error("a call is negotiated in the new process")
				}
			}
			if callsIn(l, registry) != 0 {
				l.Errorf("%d dialogs stay in the store", callsIn(l, registry))
			}
		})
	}
}
