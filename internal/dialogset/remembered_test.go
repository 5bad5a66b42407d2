package dialogset

import "testing"

// The bounds that other tests set on a set count all that it keeps.
func TestRemembered(t *testing.T) {
	set := New().Open("call", "ours")
	d := set.Ring("theirs", 1, Told{})
	begun := set.Remembered()
	if begun != 1 {
		t.Errorf("a set with one dialog keeps %d items, want 1", begun)
	}
	for _, c := range []struct {
		name string
		keep func()
	}{
		{"an offer", func() { d.Offering(anOffer("re-INVITE")) }},
		{"an INVITE sent", func() { d.Count.sent = append(d.Count.sent, sentInvite{}) }},
		{"an INVITE answered here", func() { d.localAcks = append(d.localAcks, 1) }},
		{"a fork", func() { set.forks = append(set.forks, fork{}) }},
		{"a dialog", func() { set.Ring("other", 1, Told{}) }},
		{"an offer of the first INVITE", func() { set.called().Offering(anOffer("INVITE")) }},
	} {
		before := set.Remembered()
		if c.keep(); set.Remembered() != before+1 {
			t.Errorf("with %s a set keeps %d items, want %d", c.name, set.Remembered(), before+1)
		}
	}
}
