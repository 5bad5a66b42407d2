package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

func newUA(t *testing.T) *sipgo.UserAgent {
	t.Helper()
	ua, err := sipgo.NewUA(sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(sipua.Quiet)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ua.Close() })
	return ua
}

// B-05, B-06, H-01: an option out of range is an error that names it.
func TestOptionsValidated(t *testing.T) {
	ua := newUA(t)
	const whole, most = "whole seconds, ", ", at most 2^32-1 s"
	lease := func(beat, room, interval string) string {
		return "with WithBeat, which is " + beat + ", less than " + room + ": the time from the refresh to the last chance of an interval of " + interval
	}
	for _, c := range []struct {
		option, allowed string
		opts            []middleware.Option
	}{
		{"SessionExpires", whole + "not below MinSE, which is 1m30s" + most, []middleware.Option{middleware.WithSessionExpires(89 * time.Second)}},
		{"SessionExpires", whole + "not below MinSE, which is 1m30s" + most, []middleware.Option{middleware.WithSessionExpires(90*time.Second + time.Millisecond)}},
		{"SessionExpires", whole + "not below MinSE, which is 3m20s" + most, []middleware.Option{middleware.WithMinSE(200 * time.Second), middleware.WithSessionExpires(100 * time.Second)}},
		{"MinSE", whole + "1m30s or more" + most, []middleware.Option{middleware.WithMinSE(89 * time.Second)}},
		{"MinSE", whole + "1m30s or more" + most, []middleware.Option{middleware.WithMinSE(-time.Hour)}},
		{"MaxInterval", whole + "not below SessionExpires, which is 30m0s" + most, []middleware.Option{middleware.WithMaxInterval(time.Minute)}},
		{"MaxMinSE", whole + "not below MinSE, which is 1m30s" + most, []middleware.Option{middleware.WithMaxMinSE(time.Minute)}},
		{"Mode", "Off, Accept, Offer, Require, Always", []middleware.Option{middleware.WithMode(99)}},
		{"Refresher", "Auto, Local, Peer", []middleware.Option{middleware.WithRefresher(99)}},
		{"Method", "MethodAuto, MethodUpdate, MethodReInvite", []middleware.Option{middleware.WithMethod(99)}},
		{"Jitter", "0 to 0.5", []middleware.Option{middleware.WithJitter(-0.1)}},
		{"Jitter", "0 to 0.5", []middleware.Option{middleware.WithJitter(0.51)}},
		{"Jitter", "0 to 0.5", []middleware.Option{middleware.WithJitter(math.NaN())}},
		{"RefreshLimits", "10 or more per second", []middleware.Option{middleware.WithRefreshLimits(9, 1)}},
		{"RefreshLimits", "1 or more unanswered", []middleware.Option{middleware.WithRefreshLimits(10, 0)}},
		{"Failover", "a registry", []middleware.Option{middleware.WithFailover(nil)}},
		{"Lease", lease("5s", "12s", "1m30s"), []middleware.Option{middleware.WithFailover(failover.NewMemory(), failover.WithLease(time.Minute))}},
		{"Lease", lease("500ms", "133.333334ms", "1s"), []middleware.Option{middleware.WithFailover(failover.NewMemory()), middleware.WithUnsafeIntervals(), middleware.WithSessionExpires(4 * time.Second)}},
	} {
		_, err := middleware.New(ua, c.opts...)
		var wrong *sessiontimer.ConfigError
		if !errors.As(err, &wrong) || wrong.Option != c.option || wrong.Allowed != c.allowed {
			t.Errorf("%s out of range gives %v, want a *ConfigError that names it and allows %s", c.option, err, c.allowed)
		}
	}
	var wrong *sessiontimer.ConfigError
	if _, err := middleware.New(nil); !errors.As(err, &wrong) || wrong.Option != "UserAgent" || wrong.Allowed != "a user agent of sipgo.NewUA" {
		t.Errorf("New without a user agent: %v, want a *ConfigError", err)
	}
	for name, opts := range map[string][]middleware.Option{
		"defaults": nil,
		"nothing given": {middleware.WithLogger(nil), middleware.WithEventHandler(nil),
			middleware.WithPolicyFunc(nil)},
		"unsafe": {middleware.WithUnsafeIntervals(), middleware.WithMinSE(time.Second), middleware.WithSessionExpires(3 * time.Second)},
		"off":    {middleware.WithMode(sessiontimer.Off)},
		"spread": {middleware.WithJitter(0.5), middleware.WithRefreshLimits(10, 1)},
	} {
		if _, err := middleware.New(ua, opts...); err != nil {
			t.Errorf("%s: %v, want them valid", name, err)
		}
	}
}

// What cannot be attached is refused with an *AttachError.
func TestAttachRefused(t *testing.T) {
	ua, other := newUA(t), newUA(t)
	timers, err := middleware.New(ua, middleware.WithLogger(sipua.Quiet))
	if err != nil {
		t.Fatal(err)
	}
	server := func(ua *sipgo.UserAgent) *sipgo.Server { s, _ := sipgo.NewServer(ua); return s }
	client := func(ua *sipgo.UserAgent) *sipgo.Client { c, _ := sipgo.NewClient(ua); return c }
	late := server(ua)
	late.OnInvite(func(*sip.Request, sip.ServerTransaction) {})
	taken := client(ua)
	taken.TxRequester = timers.Adapter().Requester(taken)
	attached := server(ua)
	if _, err := timers.Attach(attached); err != nil {
		t.Fatalf("Attach without a client: %v", err)
	}
	for _, c := range []struct {
		name   string
		server *sipgo.Server
		client *sipgo.Client
		says   string
	}{
		{"no server", nil, client(ua), "needed"},
		{"attached before", attached, client(ua), "already"},
		{"another's server", server(other), client(ua), "user agent"},
		{"another's client", server(ua), client(other), "user agent"},
		{"handlers before", late, client(ua), "INVITE"},
		{"requester before", server(ua), taken, "TxRequester"},
	} {
		_, err := timers.Attach(c.server, c.client)
		var refused *middleware.AttachError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an *AttachError about %q", c.name, err, c.says)
		}
	}
	if _, err := timers.Attach(server(ua), client(ua)); err != nil {
		t.Errorf("Attach: %v", err)
	}
	_ = timers.Close()
	if err := timers.Leave(context.Background()); err != nil {
		t.Errorf("Leave of a node that shares no calls: %v", err)
	}
	if err := timers.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// Events come in order and describe what happened.
func TestEventsInOrder(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		l.callPeer(alice, p, allow, timerHeader, se1800)
		l.at(899 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", se1800)
		l.at(1000 * time.Second)
		p.Request(sip.UPDATE, timerHeader, "Session-Expires: 1800;refresher=uas")
		wantStatus(l, p, "the peer's UPDATE", 200)
		l.at(1899 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 500, "Busy")
		l.at(1905*time.Second - 100*time.Millisecond)
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 481, "Gone")
		p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
		synctest.Wait()
		want := "Negotiated Refreshed Refreshed RefreshFailed RefreshFailed Expired Ended"
		if got := strings.Join(events(alice), " "); got != want {
			l.Errorf("events are\n%s, want\n%s", got, want)
		}
		d := alice.Events()[0].Info()
		for i, e := range alice.Events() {
			info := e.Info()
			if info.CallID != d.CallID || info.LocalTag != d.LocalTag || info.RemoteTag != d.RemoteTag || info.Interval != 1800*time.Second || info.Refresher != sessiontimer.Local {
				l.Errorf("event %d is about %+v, want the same dialog and timer as %+v", i, info, d)
			}
		}
		var statuses []int
		for _, e := range alice.Events() {
			if f, ok := e.Event.(sessiontimer.RefreshFailed); ok {
				statuses = append(statuses, f.Status)
			}
		}
		if diff := cmp.Diff([]int{500, 481}, statuses); diff != "" {
			l.Errorf("statuses of failed refreshes (-want +got):\n%s", diff)
		}
		l.wantNothingLeft(alice)
	})
}

// Trap22: a call whose timers were switched off on purpose stays without timers, whatever
// the peer asks for later; other calls of the same user agent have theirs.
func TestTrap22OffStaysOff(t *testing.T) {
	for _, outgoing := range []bool{true, false} {
		inLab(t, func(l *lab) {
			off := middleware.WithPolicyFunc(func(invite *sip.Request, out bool, base sessiontimer.Policy) sessiontimer.Policy {
				if out != outgoing {
					l.Errorf("the policy function hears outgoing=%v, want %v", out, outgoing)
				}
				if strings.Contains(invite.To().Value()+invite.From().Value(), "10.0.0.9") || strings.Contains(invite.From().Value(), "peer") || strings.Contains(invite.To().Value(), "peer") {
					base.Mode = sessiontimer.Off
				}
				return base
			})
			alice, p := l.alice(off), l.peer()
			var d dialog
			if outgoing {
				d = l.callPeer(alice, p, allow, timerHeader, se1800)
			} else {
				d, _ = l.peerCalls(p, alice, allow, timerHeader, se1800)
			}
			p.Request(sip.INVITE, timerHeader, se1800)
			res := wantStatus(l, p, "the re-INVITE", 200)
			p.Ack(res)
			if got := field(res, "Session-Expires") + field(res, "Supported") + field(res, "Allow"); got != "" {
				l.Errorf("the 200 of a call with timers off says %q, want nothing of ours", got)
			}
			p.Request(sip.UPDATE, timerHeader, se1800)
			wantStatus(l, p, "the UPDATE", 405)
			l.at(24 * time.Hour)
			l.wantAlive("alice", d)
			l.wantSent(aliceAddr, sip.BYE)
			l.wantSent(aliceAddr, sip.UPDATE)
			if len(events(alice)) != 0 {
				l.Errorf("events of a call without timers: %v, want none", events(alice))
			}
			p.Request(sip.BYE)
			wantStatus(l, p, "the BYE", 200)
			l.wantNothingLeft(alice)
		})
	}
}

// syncBuffer is what several goroutines log to.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// Each line of the log, from Info on, names its dialog by the same three keys;
// the end of a call is one such line.
func TestLogsNameTheDialog(t *testing.T) {
	var out syncBuffer
	logger := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}))
	inLab(t, func(l *lab) {
		alice, p := l.alice(middleware.WithLogger(logger), on(newFarRegistry())), l.peer()
		l.callPeer(alice, p, allow, timerHeader, se1800)
		p.Request(sip.UPDATE, timerHeader, "Session-Expires: 60")
		wantStatus(l, p, "the UPDATE", 422)
		p.Request(sip.UPDATE, timerHeader, "Session-Expires: soon")
		wantStatus(l, p, "the UPDATE", 200)
		l.at(899 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 501, "No")
		p.Reply(p.ExpectRequest(l, sip.INVITE), 481, "Gone")
		p.ExpectRequest(l, sip.ACK)
		p.ExpectRequest(l, sip.BYE)
		l.wantNothingLeft(alice)
	})
	ends := 0
	for _, line := range strings.Split(strings.TrimSpace(out.buf.String()), "\n") {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for _, key := range []string{"call_id", "local_tag", "remote_tag"} {
			if entry[key] == nil || entry[key] == "" {
				t.Errorf("no %s in %s", key, line)
			}
		}
		if entry["msg"] == "ending the call" {
			ends++
		}
	}
	if ends != 1 {
		t.Errorf("the end of the call is logged %d times, want once:\n%s", ends, out.buf.String())
	}
}

// An option with nil is the same as no option.
func TestOptionsNil(t *testing.T) {
	inLab(t, func(l *lab) {
		alice := l.alice(middleware.WithLogger(nil), middleware.WithEventHandler(nil), middleware.WithPolicyFunc(nil))
		p := l.peer()
		d := l.callPeer(alice, p, allow, timerHeader, se1800)
		l.at(899 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 481, "Gone")
		p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
		synctest.Wait()
		l.wantEnded("alice", d)
	})
}

// The policy function is called once for each incoming INVITE, including one after a
// challenge, with its trunk, and once for all INVITEs of an outgoing call.
func TestPolicyAfterChallenge(t *testing.T) {
	inLab(t, func(l *lab) {
		var asked []string
		policy := middleware.WithPolicyFunc(func(invite *sip.Request, outgoing bool, p sessiontimer.Policy) sessiontimer.Policy {
			if outgoing {
				asked = append(asked, "to "+invite.Recipient.HostPort())
			} else {
				asked = append(asked, "from "+invite.Source())
			}
			return p
		})
		alice, bob, p := l.alice(policy), l.bob(policy), l.peer()
		alice.Password = "secret"
		done := make(chan error, 1)
		go func() {
			_, err := alice.TryURI(context.Background(), peerURI)
			done <- err
		}()
		p.Reply(p.ExpectRequest(l, sip.INVITE), 401, "Unauthorized", `WWW-Authenticate: Digest realm="peer", nonce="1"`)
		p.ExpectRequest(l, sip.ACK)
		p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", se1800)
		p.ExpectRequest(l, sip.ACK)
		if err := <-done; err != nil {
			l.Fatal(err)
		}
		bob.Accept = func(d *sipgo.DialogServerSession) { _ = d.Respond(401, "Unauthorized", nil) }
		p.Invite(bobAddr, timerHeader, se1800)
		p.Ack(p.ExpectResponse(l, 401))
		bob.Accept = func(d *sipgo.DialogServerSession) { _ = d.RespondSDP([]byte(bob.SDP)) }
		p.Request(sip.INVITE, timerHeader, se1800)
		p.Ack(p.ExpectResponse(l, 200))
		synctest.Wait()
		if want := []string{"to " + peerAddr, "from " + peerAddr, "from " + peerAddr}; !slices.Equal(asked, want) {
			l.Errorf("the policy was asked for calls %q, want %q", asked, want)
		}
	})
}
