package ownership

import "testing"

// The words of logs, events and metrics. An adoption changes what this node had before.
func TestHostWords(t *testing.T) {
	for how, want := range map[How]string{Died: "died", Left: "left", Earlier: "restarted"} {
		if how.String() != want {
			t.Errorf("%d is %s, want %s", how, how, want)
		}
	}
	for by, want := range map[Fence]string{ByRegistry: "registry", ByLease: "lease", ByPeer: "peer"} {
		if by.String() != want {
			t.Errorf("%d is %s, want %s", by, by, want)
		}
	}
	before, after := call("one"), call("one")
	after.Version = 9
	for _, c := range []struct {
		a       Adoption
		created bool
	}{{Adoption{Dialog: after}, true}, {Adoption{Before: before, Dialog: after}, false}} {
		if got := c.a.Change(); got.Created() != c.created || got.After.Version != 9 || got.Deleted() {
			t.Errorf("the change to %d from %d is a creation: %v", got.After.Version, got.Before.Version, got.Created())
		}
	}
}
