package middleware_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// A node takes part once the application listens, so that what it sends leaves from that
// socket; an application that does not listen is waited for, but not for longer than a
// second.
func TestNodeStartsWhenTheApplicationListens(t *testing.T) {
	for _, c := range []struct {
		name    string
		listens time.Duration // 0: never
		starts  time.Duration // at the latest
	}{
		{"at once", time.Nanosecond, 10 * time.Millisecond},
		{"soon", 300 * time.Millisecond, 310 * time.Millisecond},
		{"never", 0, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				registry := failover.NewMemory()
				ua, _ := sipgo.NewUA()
				server, _ := sipgo.NewServer(ua, sipgo.WithServerLogger(sipua.Quiet))
				timers, err := middleware.New(ua, middleware.WithLogger(sipua.Quiet), middleware.WithFailover(registry, failover.WithName("b")))
				if err != nil {
					l.Fatal(err)
				}
				if _, err := timers.Attach(server, nil); err != nil {
					l.Fatal(err)
				}
				defer func() {
					_ = timers.Close()
					_ = ua.Close()
				}()
				started := func() bool {
					synctest.Wait()
					pulse, err := registry.Beat(t.Context(), failover.Node{Name: "auditor", Run: "1"})
					return err == nil && len(pulse.Nodes) > 1
				}
				if c.listens > 0 {
					time.Sleep(c.listens)
					if c.listens > time.Millisecond && started() {
						l.Error("the node has started before the application listens")
					}
					conn := l.net.PacketConn(bobAddr)
					defer func() { _ = conn.Close() }()
					go func() { _ = server.ServeUDP(conn) }()
				} else {
					l.at(c.starts - 10*time.Millisecond)
					if started() {
						l.Error("the node has started too early")
					}
				}
				l.at(c.starts + time.Millisecond)
				if !started() {
					l.Errorf("the node has not started after %v", c.starts)
				}
			})
		})
	}
}
