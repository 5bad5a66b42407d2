package indialog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	contact = "10.0.0.9:5060"
	edge    = "10.0.0.7:5060" // a proxy
	nat     = "192.0.2.9:40000"
	chosen  = "192.0.2.9:5061"
)

// D-27: which places are tried, in which order.
func TestCandidates(t *testing.T) {
	uris := Candidate{}
	for _, c := range []struct {
		name  string
		facts Facts
		want  []Candidate
	}{
		{"nothing but URIs", Facts{Transport: "udp", URI: contact}, []Candidate{uris}},
		{"seen where its Contact says", Facts{Transport: "udp", URI: contact, Source: contact}, []Candidate{uris}},
		{"behind a NAT", Facts{Transport: "udp", URI: contact, Source: nat, Behind: true}, []Candidate{{Addr: nat}, uris}},
		{"a Contact elsewhere", Facts{Transport: "udp", URI: contact, Source: nat}, []Candidate{uris, {Addr: nat}}},
		{"through a proxy", Facts{Transport: "udp", URI: edge, Source: edge}, []Candidate{uris}},
		{"through a proxy that sends from elsewhere", Facts{Transport: "udp", URI: edge, Source: nat}, []Candidate{uris, {Addr: nat}}},
		{"the application knows better", Facts{Transport: "udp", URI: contact, Source: nat, Behind: true, Chosen: chosen},
			[]Candidate{{Addr: chosen}, {Addr: nat}, uris}},
		{"it sends where the peer is seen", Facts{Transport: "udp", URI: contact, Source: nat, Chosen: nat}, []Candidate{{Addr: nat}, uris}},
		{"what answered last", Facts{Transport: "udp", URI: contact, Source: nat, Answered: nat}, []Candidate{{Addr: nat}, uris}},
		{"a stream", Facts{Transport: "tcp", URI: contact, Source: "10.0.0.9:51234"}, []Candidate{{Addr: "10.0.0.9:51234", Open: true}, uris}},
		{"a stream to where the Contact leads", Facts{Transport: "tcp", URI: contact, Source: contact}, []Candidate{{Addr: contact}}},
		{"an edge that takes no connection", Facts{Transport: "tls", URI: edge, Source: "10.0.0.7:51234"},
			[]Candidate{{Addr: "10.0.0.7:51234", Open: true}, uris}},
		{"a browser", Facts{Transport: "wss", URI: "x.invalid:5061", Source: nat, Behind: true}, []Candidate{{Addr: nat, Open: true}, uris}},
		{"the stream was dead, the Contact answered", Facts{Transport: "tcp", URI: contact, Source: "10.0.0.9:51234", Answered: contact},
			[]Candidate{{Addr: contact}, {Addr: "10.0.0.9:51234", Open: true}}},
	} {
		if diff := cmp.Diff(c.want, c.facts.Candidates()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestPatience(t *testing.T) {
	left, total := 90*time.Second, time.Duration(0)
	for others := 2; others >= 0; others-- {
		wait := Patience(left, others)
		if others > 0 && wait > left/2 {
			t.Errorf("%v of %v, with %d more to try", wait, left, others)
		}
		left, total = left-wait, total+wait
	}
	if total != 90*time.Second {
		t.Errorf("waited %v of 90 s", total)
	}
}

// D-27: whose refusal counts.
func TestBelieve(t *testing.T) {
	f := Facts{Transport: "udp", URI: contact, Source: nat, Chosen: chosen}
	stream := Candidate{Addr: nat, Open: true}
	for _, c := range []struct {
		name   string
		status int
		place  Candidate
		others int
		want   bool
	}{
		{"a guess knows of no call: somebody else may", 481, Candidate{}, 1, false},
		{"the source of a datagram is a guess too", 408, Candidate{Addr: nat}, 1, false},
		{"nobody is left to ask", 481, Candidate{}, 0, true},
		{"the application sends there", 481, Candidate{Addr: chosen}, 2, true},
		{"the peer's own stream", 481, stream, 1, true},
		{"what says nothing of an end", 503, Candidate{}, 1, true},
		{"accepted", 200, Candidate{}, 1, true},
	} {
		if got := f.Believe(c.status, c.place, c.others); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	f.Answered = nat
	if !f.Believe(481, Candidate{Addr: nat}, 1) {
		t.Error("it has answered before")
	}
}

// RFC 3261 §12.2.1.2 and RFC 5057 §5.1 say which refusals end a call, and which are about
// something else.
func TestGone(t *testing.T) {
	var gone []int
	for status := 100; status < 700; status++ {
		if Gone(status) {
			gone = append(gone, status)
		}
	}
	want := []int{404, 408, 410, 416, 480, 481, 482, 483, 484, 485, 502, 604}
	if diff := cmp.Diff(want, gone); diff != "" {
		t.Errorf("the call is over after other responses (-want +got):\n%s", diff)
	}
}

func TestRemember(t *testing.T) {
	f := Facts{Transport: "udp", URI: contact, Source: nat, Behind: true}
	if got := f.Remember(Candidate{}); got != contact {
		t.Errorf("the Contact answers, not the source: remembered %q", got)
	}
	f.Answered = contact
	if got := f.Remember(Candidate{Addr: nat}); got != "" {
		t.Errorf("what comes first answers again: remembered %q", got)
	}
}
