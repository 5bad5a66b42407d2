package calls

import "testing"

// A call counts as relayed while any of its INVITEs is in progress, and nothing stays known of
// it afterwards.
func TestRelaysUnderWay(t *testing.T) {
	var r Relays
	if r.Have("c") {
		t.Error("a call is relayed before any was")
	}
	r.begin("c")
	r.begin("c")
	r.begin("other")
	r.End("c")
	if !r.Have("c") {
		t.Error("with another INVITE in progress the call is none that is relayed")
	}
	r.End("c")
	if r.Have("c") || !r.Have("other") || len(r.underWay) != 1 {
		t.Errorf("relayed: %v, the other: %v, of %d; want the other alone", r.Have("c"), r.Have("other"), len(r.underWay))
	}
}
