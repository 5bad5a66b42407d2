package stored

import (
	"strings"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/sample"
)

func TestNames(t *testing.T) {
	seen := make(map[string]bool)
	for _, id := range append(sample.AlikeIDs(), dialogstore.ID{}, dialogstore.ID{CallID: "a/b", LocalTag: "%2F"}, dialogstore.ID{CallID: "\x00\xff {7}"}) {
		name := IDName(id)
		if got, err := ParseID(name); got != id || err != nil {
			t.Errorf("%q is read as %q, %v, want %q", name, got, err, id)
		}
		if seen[name] || strings.ContainsAny(name, "{} \x00") {
			t.Errorf("%q is the name of two calls, or has what it must not have", name)
		}
		seen[name] = true
	}
	for _, n := range []failover.Node{{}, {Name: "a"}, {Name: "a/b", Run: "c"}, {Name: "a", Run: "b/c"}, {Name: "host:5060/日本", Run: "%"}} {
		if got, err := ParseNode(NodeName(n)); got != n || err != nil {
			t.Errorf("%q is read as %q, %v, want %q", NodeName(n), got, err, n)
		}
	}
	for _, name := range []string{"", "a", "a/b/c/d", "a/b/%", "%zz/b/c"} {
		if id, err := ParseID(name); err == nil {
			t.Errorf("%q is read as %q, want an error", name, id)
		}
	}
}

func TestOwnership(t *testing.T) {
	for owner, want := range map[string]failover.Node{"": {}, "a/1": {Name: "a", Run: "1"}, "/": {Name: "/"}, "who%": {Name: "who%"}} {
		if got := Ownership(owner, 7); got != (failover.Ownership{Owner: want, Epoch: 7}) {
			t.Errorf("the owner %q is %v, want %v in epoch 7", owner, got, want)
		}
	}
}
