package ownership

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The list of nodes follows them through life, a pause, a leave and a death, and says what
// is not known while the registry is out of reach.
func TestNodes(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.prepare("m")
		names := [...]string{Living: "living", Quiet: "quiet", Departed: "departed", Deceased: "deceased"}
		want := func(when string, want ...string) {
			l.Helper()
			var got []string
			for _, s := range a.Nodes() {
				got = append(got, fmt.Sprintf("%s %s", s.Name, names[s.Standing]))
			}
			if !slices.Equal(got, want) {
				l.Errorf("%s: %s, want %s", when, strings.Join(got, ", "), strings.Join(want, ", "))
			}
		}
		want("before its first beat", "m quiet")
		if seen := a.Nodes()[0].Seen; !seen.IsZero() {
			l.Errorf("a node that has not beaten was seen at %v", seen)
		}
		a.Start()
		stays, dies, leaves := l.node("stays"), l.node("dies"), l.node("leaves")
		l.pass(2 * time.Second)
		want("all live", "m living", "dies living", "leaves living", "stays living")
		for _, s := range a.Nodes() {
			if age := time.Since(s.Seen); age < 0 || age > time.Second {
				l.Errorf("%s was seen %v ago, want less than two beats", s.Name, age)
			}
		}
		if err := leaves.Leave(l.Context()); err != nil {
			l.Fatal(err)
		}
		dies.stop()
		l.pass(time.Second)
		want("one has left, and one is silent for less than a lease", "m living", "dies living", "leaves departed", "stays living")
		l.pass(2 * aLease)
		want("and for longer", "m living", "dies deceased", "leaves departed", "stays living")
		a.way.cut()
		l.pass(2 * aLease)
		want("cut off, nothing is known of the others", "m quiet", "dies deceased", "leaves departed", "stays quiet")
		a.way.heal()
		l.pass(time.Second)
		want("back again, after others took it for dead", "m quiet", "dies quiet", "leaves departed", "stays living")
		l.pass(2 * aLease)
		want("two leases later", "m living", "dies deceased", "leaves departed", "stays living")
		stays.stop()
		again := l.node("stays")
		l.pass(2 * aLease)
		all := again.Nodes()
		if all[0].Standing != Living || all[0].Run != again.me.Run {
			l.Errorf("the first is %+v, want the node itself", all[0])
		}
		i := slices.IndexFunc(all[1:], func(s Sighting) bool { return s.Name == "stays" })
		if i < 0 || all[1+i].Standing != Deceased || all[1+i].Run != stays.me.Run {
			l.Errorf("%+v, want the earlier run of this node among the dead", all)
		}
		if err := a.Leave(l.Context()); err != nil {
			l.Fatal(err)
		}
		if s := a.Nodes()[0].Standing; s != Departed {
			l.Errorf("after Leave this node is %s", names[s])
		}
	})
}
