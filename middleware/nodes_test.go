package middleware_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Each node lists itself and the others, and what has become of them. Without others to
// share calls with there is no list.
func TestNodes(t *testing.T) {
	inLab(t, func(l *lab) {
		if alone := l.ua("alone", "10.0.0.3:5060"); alone.Timers.Nodes() != nil {
			l.Errorf("%v, want no nodes without WithFailover", alone.Timers.Nodes())
		}
		registry := failover.NewMemory()
		one := l.ua("one", bobAddr, middleware.WithFailover(registry, failover.WithName("one")))
		two := l.ua("two", aliceAddr, middleware.WithFailover(registry, failover.WithName("two")))
		want := func(of *middleware.Timers, want string) {
			l.Helper()
			var got []string
			all := of.Nodes()
			for _, n := range all {
				text := fmt.Sprint(n.Name, " is ", n.State)
				if n.Self {
					text += " here"
				}
				if age := time.Since(n.Seen); all[0].State == middleware.NodeAlive && n.State == middleware.NodeAlive && (age > time.Second || n.Run == "") {
					l.Errorf("%s, run %q, seen %v ago; want less than two beats", n.Name, n.Run, age)
				}
				got = append(got, text)
			}
			if text := strings.Join(got, ", "); text != want {
				l.Errorf("the nodes are: %s; want %s", text, want)
			}
		}
		time.Sleep(10 * time.Second)
		want(one.Timers, "one is alive here, two is alive")
		want(two.Timers, "two is alive here, one is alive")
		if err := one.Timers.Leave(l.Context()); err != nil {
			l.Fatal(err)
		}
		time.Sleep(time.Second)
		want(one.Timers, "one is left here, two is alive")
		want(two.Timers, "two is alive here, one is left")
		_ = two.Timers.Close()
		want(two.Timers, "two is left here, one is left")
		three := l.ua("three", "10.0.0.4:5060", middleware.WithFailover(registry, failover.WithName("three")))
		time.Sleep(15 * time.Second)
		want(three.Timers, "three is alive here, one is left, two is dead")
	})
}
