package middleware_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// taken is a call of the peer with a node that died; another one has it now, and gets
// the peer's requests.
func taken(l *cluster, asCaller bool, opts []failover.Option, more ...middleware.Option) (b *clusterNode, taken func() []string) {
	l.Helper()
	a := l.alice()
	b = l.node("bob", bobAddr, opts, more...)
	seen := make(chan string, 100)
	note := func(next func(*sip.Request, sip.ServerTransaction)) func(*sip.Request, sip.ServerTransaction) {
		return func(req *sip.Request, tx sip.ServerTransaction) {
			seen <- string(req.Method)
			next(req, tx)
		}
	}
	accept := func(req *sip.Request, tx sip.ServerTransaction) {
		if !req.IsAck() {
			_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "Application", nil))
		}
	}
	b.Server.OnInvite(note(func(req *sip.Request, tx sip.ServerTransaction) { b.ReInvite(req, tx) }))
	b.Server.OnAck(note(accept))
	b.Server.OnBye(note(accept))
	b.Server.OnRequest(sip.INFO, note(accept))
	b.Server.OnRequest(sip.REFER, note(accept))
	if asCaller {
		l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
	} else {
		l.peerCalls(l.peer, a.UA, allow, timerHeader, "Session-Expires: 1800;refresher=uas")
	}
	l.at(100 * time.Second)
	a.crash()
	l.at(110 * time.Second)
	l.wantOwner("bob")
	l.peer.Outbound = bobAddr
	return b, func() (out []string) {
		synctest.Wait()
		for len(seen) > 0 {
			out = append(out, <-seen)
		}
		return out
	}
}

// The peer's requests in a call of which the application has no dialog are answered by
// the timers: what a session needs is done, and nothing that ends a call is said (J-30).
func TestOrphanAnswers(t *testing.T) {
	moved := strings.ReplaceAll(sipnet.SDP, "m=audio 40", "m=audio 50")
	if moved == sipnet.SDP {
		t.Fatal("the description is as it was")
	}
	for _, c := range []struct {
		name    string
		method  sip.RequestMethod
		headers []string
		want    int
		over    bool // the call
	}{
		{"BYE", sip.BYE, nil, 200, true},
		{"UPDATE", sip.UPDATE, []string{timerHeader, "Session-Expires: 1800;refresher=uas"}, 200, false},
		{"UPDATE that describes the same", sip.UPDATE, []string{"Content-Type: application/sdp", sipnet.SDP}, 200, false},
		{"UPDATE that changes the session", sip.UPDATE, []string{"Content-Type: application/sdp", moved}, 488, false},
		{"re-INVITE", sip.INVITE, []string{timerHeader, "Session-Expires: 1800;refresher=uas"}, 200, false},
		{"re-INVITE without a description", sip.INVITE, []string{timerHeader, ""}, 200, false},
		{"re-INVITE that changes the session", sip.INVITE, []string{moved}, 488, false},
		{"INFO", sip.INFO, nil, 405, false},
		{"REFER", sip.REFER, []string{"Refer-To: <sip:x@10.0.0.9>"}, 405, false},
		{"NOTIFY, for which there is no handler", sip.NOTIFY, nil, 405, false},
	} {
		for side, asCaller := range map[string]bool{"caller": true, "callee": false} {
			t.Run(c.name+"/"+side, func(t *testing.T) {
				inCluster(t, func(l *cluster) {
					b, got := taken(l, asCaller, nil)
					now := l.net.Elapsed()
					res := l.asks(c.method, c.headers...)
					if res.StatusCode != c.want {
						l.Errorf("%s got %s, want %d", c.name, res.StartLine(), c.want)
					}
					if c.method == sip.INVITE {
						l.peer.Ack(res)
					}
					if seen := got(); len(seen) > 0 {
						l.Errorf("the application has seen %v", seen)
					}
					switch {
					case c.over:
						b.wantSaw(now, "Ended")
						l.wantNothingLeft(b.UA)
						l.wantOwner("")
						return
					case c.want == 200:
						b.wantSaw(now, "Refreshed")
					default:
						b.wantSaw(now)
					}
					// The call lives, and is refreshed when it is due.
					l.at(time.Hour / 2)
					if updates := l.sent(bobAddr, sip.UPDATE); len(updates) == 0 {
						l.Error("the call is not refreshed after that")
					}
				})
			})
		}
	}
}

// The application that has restored its dialog gets the peer's requests (J-30).
func TestRestoredDialogGetsRequests(t *testing.T) {
	restored := failover.WithTakeover(func(dialogstore.Dialog) failover.Decision { return failover.Decision{Restored: true} })
	for _, c := range []struct {
		method  sip.RequestMethod
		headers []string
		want    int
		seen    []string
	}{
		{sip.BYE, nil, 200, []string{"BYE"}},
		{sip.INFO, nil, 200, []string{"INFO"}},
		{sip.INVITE, []string{strings.ReplaceAll(sipnet.SDP, "m=audio 40", "m=audio 50")}, 200, []string{"INVITE", "ACK"}},
		{sip.UPDATE, nil, 200, nil}, // it has no handler
	} {
		t.Run(string(c.method), func(t *testing.T) {
			inCluster(t, func(l *cluster) {
				_, got := taken(l, true, []failover.Option{restored})
				res := l.asks(c.method, c.headers...)
				if res.StatusCode != c.want {
					l.Errorf("got %s", res.StartLine())
				}
				if c.method == sip.INVITE {
					l.peer.Ack(res)
				}
				if seen := got(); strings.Join(seen, " ") != strings.Join(c.seen, " ") {
					l.Errorf("the application has seen %v, want %v", seen, c.seen)
				}
			})
		})
	}
}

// A call that runs out is told of, but the application, which has no dialog of it, gets
// no BYE. One that has restored it does.
func TestOrphanRunsOut(t *testing.T) {
	for _, c := range []struct {
		name     string
		restored bool
		seen     []string
	}{{"orphan", false, nil}, {"restored", true, []string{"BYE"}}} {
		t.Run(c.name, func(t *testing.T) {
			inCluster(t, func(l *cluster) {
				b, got := taken(l, true, []failover.Option{failover.WithTakeover(func(dialogstore.Dialog) failover.Decision {
					return failover.Decision{Restored: c.restored}
				})})
				now := l.net.Elapsed()
				l.at(900 * time.Second)
				l.peer.Reply(l.peer.ExpectRequest(l, sip.UPDATE), 481, "No such call")
				l.peer.Reply(l.peer.ExpectRequest(l, sip.BYE), 481, "No such call")
				time.Sleep(time.Second)
				if seen := got(); strings.Join(seen, " ") != strings.Join(c.seen, " ") {
					l.Errorf("the application has seen %v, want %v", seen, c.seen)
				}
				b.wantSaw(now, "RefreshFailed", "Expired", "Ended")
				l.wantNothingLeft(b.UA)
			})
		})
	}
}

// RFC 3261 §14.2: the 2xx of the timers to a re-INVITE is sent again until its ACK, and
// without one the call ends (J-30).
func TestOrphanAwaitsAck(t *testing.T) {
	inCluster(t, func(l *cluster) {
		b, got := taken(l, true, nil)
		now := l.net.Elapsed()
		l.asks(sip.INVITE)
		l.at(now + 64*sip.T1)
		l.peer.Reply(l.peer.ExpectRequest(l, sip.BYE), 200, "OK")
		l.wantSent(bobAddr, sip.BYE, now+64*sip.T1)
		if sent := l.count(bobAddr, "200 OK (INVITE)"); sent < 8 {
			l.Errorf("the 2xx was sent %d times", sent)
		}
		b.wantSaw(now, "Refreshed", "Expired", "Ended")
		if seen := got(); len(seen) > 0 {
			l.Errorf("the application has seen %v", seen)
		}
	})
}

// An ACK that tells of other media is not for an application without the dialog; the
// event is.
func TestOrphanAnsweredWithOtherMedia(t *testing.T) {
	inCluster(t, func(l *cluster) {
		b, got := taken(l, true, nil)
		now := l.net.Elapsed()
		l.peer.Ack(l.asks(sip.INVITE, ""), "Content-Type: application/sdp", strings.ReplaceAll(sipnet.SDP, "m=audio 40", "m=audio 50"))
		if seen := got(); len(seen) > 0 {
			l.Errorf("the application has seen %v", seen)
		}
		b.wantSaw(now, "Refreshed", "MediaChanged")
	})
}
